"""Keys of a matrix file, and targets, that nobody knows."""

from __future__ import annotations

from collections.abc import Collection


def unknown_key(key: str, known: Collection[str], owner: str) -> str:
    """What to say of one: which was probably meant, else all that `owner` has."""
    from difflib import get_close_matches

    near = get_close_matches(key, sorted(known), 1, 0.7)
    mend = f": did you mean {near[0]}?" if near else f"; {owner} has {', '.join(sorted(known))}"
    return f"{key} is not known{mend}"


def unknown_target(name: str, targets: Collection[str]) -> str:
    """What to say of a target that a run does not have."""
    return f"there is no target {name}; the targets are {', '.join(targets)}, and `--target {name}=` makes one more"

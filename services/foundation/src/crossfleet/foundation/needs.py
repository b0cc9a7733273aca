"""Which targets of a run wait for which others, checked as a whole: all exist, and none waits for itself.

The command asks before it uploads anything, the coordinator before it commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

MAX_NEEDS = 64


class NeedError(ValueError):
    """A need that cannot be; `target` has it, as its need number `index` (from 0)."""

    def __init__(self, target: str, index: int, message: str) -> None:
        """Keep the parts, for BadRequest details."""
        super().__init__(f"target {target}: {message}")
        self.target = target
        self.index = index
        self.message = message


def check_needs(needs: Mapping[str, Sequence[str]]) -> None:
    """Raise NeedError for the first that is wrong. `needs` has every target of a run, in order, and whom it needs."""
    for target, needed in needs.items():
        if len(needed) > MAX_NEEDS:
            raise NeedError(target, MAX_NEEDS, f"it needs {len(needed)} others; at most {MAX_NEEDS} are allowed")
        for index, name in enumerate(needed):
            if name not in needs:
                near = get_close_matches(name, needs, 1)
                mend = f"did you mean {near[0]!r}?" if near else f"the targets are {', '.join(needs)}"
                raise NeedError(target, index, f"it needs {name!r}, and there is no such target: {mend}")
            if name in needed[:index]:
                raise NeedError(target, index, f"it needs {name} twice")
    cleared: set[str] = set()
    for target in needs:
        _follow(target, (), needs, cleared)


def _follow(target: str, path: tuple[str, ...], needs: Mapping[str, Sequence[str]], cleared: set[str]) -> None:
    """Raise NeedError where a way along needs comes back to where it was; `path` leads to `target`."""
    if target in path:
        circle = (*path[path.index(target) :], target)
        index = list(needs[path[-1]]).index(target)
        raise NeedError(path[-1], index, f"needs go in a circle: {' needs '.join(circle)}")
    if target not in cleared:
        for needed in needs[target]:
            _follow(needed, (*path, target), needs, cleared)
        cleared.add(target)

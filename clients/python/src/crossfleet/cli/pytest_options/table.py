"""The whole table, and how words are found in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossfleet.cli.exits import UsageError
from crossfleet.cli.pytest_options.option import Option, Value
from crossfleet.cli.pytest_options.own import OWN
from crossfleet.cli.pytest_options.plugins import PLUGINS

TABLE: tuple[Option, ...] = (*OWN, *PLUGINS)
BY_NAME: dict[str, Option] = {name: option for option in TABLE for name in option.names}


@dataclass(frozen=True, slots=True)
class Said:
    """One option as it was written, or (`option` None) words that the table does not know: files, other options.

    `words` is what pytest would be given for it alone.
    """

    words: tuple[str, ...]
    option: Option | None = None
    name: str = ""
    value: str = ""

    @property
    def text(self) -> str:
        """As a person would write it."""
        return " ".join(self.words)


def read(words: Sequence[str]) -> Iterator[Said]:
    """Splits words as pytest's parser does: `-vxk name`, `-n4`, `--tb=short`, `@file`, and files alone after `--`.

    Raises UsageError for an option without its value.
    """
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == "--":
            yield Said((word, *queue))
            return
        if word.startswith("@") and Path(word[1:]).is_file() and not Path(word).exists():
            queue[:0] = Path(word[1:]).read_text(encoding="utf-8").splitlines()
        elif word.startswith("--"):
            yield _long(word, queue)
        elif word.startswith("-") and len(word) > 1:
            yield from _short(word, queue)
        else:
            yield Said((word,))


def _long(word: str, queue: list[str]) -> Said:
    name, equals, value = word.partition("=")
    option = BY_NAME.get(name)
    if option is None or equals:
        return Said((word,), option, name, value)
    taken = _values(option, name, queue)
    return Said((word, *taken), option, name, taken[0] if taken else "")


def _short(word: str, queue: list[str]) -> Iterator[Said]:
    """A cluster of short options; the first that takes a value takes the rest of the word."""
    for place, letter in enumerate(word[1:], 1):
        name, rest = f"-{letter}", word[place + 1 :]
        option = BY_NAME.get(name)
        if option is None:
            yield Said((f"-{word[place:]}",))
            return
        if option.value is Value.NONE:
            yield Said((name,), option, name)
            continue
        if rest:
            yield Said((name + rest,), option, name, rest.removeprefix("="))
        else:
            taken = _values(option, name, queue)
            yield Said((name, *taken), option, name, taken[0])
        return


def _values(option: Option, name: str, queue: list[str]) -> list[str]:
    """Takes the words that belong to an option from the queue."""
    if option.value is Value.OPTIONAL:
        return [queue.pop(0)] if queue and not queue[0].startswith("-") else []
    count = option.value.value
    if len(queue) < count:
        raise UsageError(f"pytest's {name} needs a value")
    taken, queue[:count] = queue[:count], []
    return taken

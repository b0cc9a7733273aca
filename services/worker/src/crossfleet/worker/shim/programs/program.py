"""The seam between the shim and a kind of test program: how to list cases, how to execute some, how to read results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

MAXIMUM_LINE = 16 * 1024 * 1024
"""Characters of one line of results; what is longer is cut."""
LONGEST_WORDS = 96 * 1024
"""Characters of case names that fit on one command line: Linux takes 128 KiB a word."""


@dataclass(frozen=True)
class Command:
    """What to start: words, and changes of the environment (None: remove the variable).

    `merged`: standard error goes the way of standard output, so that the order of their lines is known.
    """

    argv: Sequence[str]
    env: Mapping[str, str | None] = field(default_factory=dict)
    merged: bool = False


@dataclass(frozen=True)
class Output:
    """How a listing ended: its exit code (negative: a signal), and what it wrote, to `results` by way of the path it got."""

    code: int
    stdout: str
    stderr: str
    results: str

    @property
    def said(self) -> str:
        """Both streams, for a message to people."""
        return "\n".join(text for text in (self.stdout.strip(), self.stderr.strip()) if text)


@dataclass(frozen=True)
class Trouble:
    """Something that is no case but named like one: what could not be listed, or skips itself. The text says why."""

    id: str
    message: str
    details: str = ""


@dataclass(frozen=True)
class Listing:
    """The cases as (id, group): those with one group share set-up and are kept together. Ids are unique.

    `refused`: the words are wrong, and why; then there is nothing else.
    """

    cases: Sequence[tuple[str, str]] = ()
    errors: Sequence[Trouble] = ()
    skipped: Sequence[Trouble] = ()
    refused: str = ""


@dataclass(frozen=True)
class Started:
    """A case has begun: should the process die now, it was this one."""

    id: str


@dataclass(frozen=True)
class Ended:
    """A case has ended. An id that was not listed is a case that showed during execution.

    `outcome` is a word of the concepts (passed, failed, error, skipped, xfailed, xpassed, crashed); `sections` are
    (title, text) of captured output. `seconds` None: measured from its start. `signal`: the one that ended it, or 0.
    """

    id: str
    outcome: str
    seconds: float | None = None
    message: str = ""
    details: str = ""
    sections: Sequence[tuple[str, str]] = ()
    signal: int = 0


@dataclass(frozen=True)
class Waiting:
    """The process has done with its cases and waits for more; see `Batch.more`."""


Event = Started | Ended | Waiting


class Reader(Protocol):
    """Reads what one process says. It is told everything, in pieces, as it comes."""

    def take(self, stream: str, text: str) -> Iterable[Event]:
        """What a piece of `stdout`, `stderr` or `results` says. Raises ValueError where it makes no sense."""

    def end(self, code: int) -> Iterable[Event]:
        """The process has ended with `code` (negative: a signal) and has said everything."""

    def said(self) -> Sequence[tuple[str, str]]:
        """Sections of what the case in flight has printed so far."""


@dataclass(frozen=True)
class Batch:
    """A process to start: it executes `ids`, the first of those that were asked for, and is read by `reader`.

    Where a process is dear it can stay for the next cases: `more(ids)` answers a text and which ids it stands for. The
    text is put into the file that the variable CROSSFLEET_MORE_FILE names, then the process gets an empty line on its
    standard input; the end of standard input is its end.
    """

    command: Command
    ids: Sequence[str]
    reader: Reader
    more: Callable[[Sequence[str]], tuple[str, Sequence[str]]] | None = None


class Program(Protocol):
    """One suite of a kind.

    Made with the words of the command line and the absolute path of the folder that its processes will start in;
    ValueError: the words cannot be executed this way.
    """

    fine_codes: Sequence[int]
    """Exit codes that say nothing is wrong. Another one, without a case that failed, is reported as a case of its own."""

    def listing(self, results: str) -> Command | Listing:
        """How to list the cases, or the cases where no process is needed. `results` is a path to write to."""

    def listed(self, output: Output) -> Command | Listing:
        """What a listing found, or another command to ask."""

    def batch(self, ids: Sequence[str], results: str) -> Batch:
        """How to execute the first of `ids`, as many as one process can take."""


class LineReader:
    """Cuts pieces into lines; subclasses say what a line means, and what the end."""

    def __init__(self) -> None:
        self._rests: dict[str, str] = {}

    def take(self, stream: str, text: str) -> list[Event]:
        """Every line that is complete."""
        *lines, rest = (self._rests.get(stream, "") + text).split("\n")
        self._rests[stream] = rest[:MAXIMUM_LINE]
        return [event for line in lines for event in self.line(stream, line.removesuffix("\r"))]

    def end(self, code: int) -> list[Event]:
        """The rests, then what `finish` has to say."""
        rests = [(stream, rest) for stream, rest in self._rests.items() if rest]
        self._rests.clear()
        return [event for stream, rest in rests for event in self.line(stream, rest)] + list(self.finish(code))

    def said(self) -> Sequence[tuple[str, str]]:
        """Nothing, unless a subclass knows better: then the end of the process's output is shown."""
        return ()

    def line(self, stream: str, line: str) -> Iterable[Event]:
        """What one line says."""
        raise NotImplementedError

    def finish(self, code: int) -> Iterable[Event]:
        """What the end says."""
        return ()


class Distinct:
    """Makes repeated ids distinct: the second of one id gets ``#2``."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def name(self, identity: str) -> str:
        """The id, with a number where it was there before."""
        count = self._seen[identity] = self._seen.get(identity, 0) + 1
        return identity if count == 1 else f"{identity}#{count}"


def fitting(ids: Sequence[str], limit: int = LONGEST_WORDS) -> Sequence[str]:
    """The first of `ids` whose names together fit on a command line; at least one."""
    left = limit
    for index, identity in enumerate(ids):
        left -= 2 * len(identity.encode("utf-8", "surrogatepass")) + 1  # each character may want a backslash
        if left < 0 and index:
            return ids[:index]
    return ids


def without_options(
    words: Sequence[str], *prefixes: str, valued: Sequence[str] = (), flags: Sequence[str] = ()
) -> list[str]:
    """The words less those that begin with a prefix, equal a flag, or equal a valued option, whose value goes too."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in valued:
            skip = True
        elif not word.startswith((*prefixes, *(option + "=" for option in valued))) and word not in flags:
            kept.append(word)
    return kept

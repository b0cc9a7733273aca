"""Lets a reader hear a text in pieces, as a pipe would bring it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from crossfleet.worker.shim.programs.program import Ended, Event, Reader, Started


def heard(reader: Reader, text: str, *, stream: str = "stdout", code: int = 0, cuts: Iterable[int] = ()) -> list[Event]:
    """Everything that the reader makes of the text, cut at these places, and of the end."""
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    events: list[Event] = []
    for start, stop in pairwise(places):
        events.extend(reader.take(stream, text[start:stop]))
    return [*events, *reader.end(code)]


def outcomes(events: Iterable[Event]) -> dict[str, str]:
    """Id -> outcome of whatever has ended."""
    return {event.id: event.outcome for event in events if isinstance(event, Ended)}


def ended(events: Iterable[Event], identity: str) -> Ended:
    """The end of one case."""
    return next(event for event in events if isinstance(event, Ended) and event.id == identity)


def started(events: Iterable[Event]) -> list[str]:
    """What has begun, in order."""
    return [event.id for event in events if isinstance(event, Started)]

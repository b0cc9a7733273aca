"""Reads a trace, line by line: what is wrong is named by line and field, and nothing is kept but the names that are in use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import repeat
from typing import BinaryIO, get_args

import msgspec

from crossfleet.matching.messages import request_from, worker_from
from crossfleet.matching.request import RequestError, validate
from crossfleet.matching.selectors import Selectors
from crossfleet.simulation.fence import FENCE
from crossfleet.simulation.trace.messages import group_message, worker_message
from crossfleet.simulation.trace.rows import (
    MOST_CASES,
    Alike,
    BackRow,
    GroupRow,
    Happening,
    LostRow,
    PriorityClassRow,
    Row,
    Trace,
    WorkerRow,
)

_LONGEST_LINE = 32 * 1024 * 1024
_UNKNOWN = re.compile(r"unknown field `(.+?)`")
_KINDS = "trace, worker, group, worker_lost, worker_back"


class TraceError(ValueError):
    """A line that cannot be; the text names it and the field."""

    def __init__(self, line: int, text: str) -> None:
        """Lines count from 1."""
        super().__init__(f"line {line}: {text}")
        self.line = line


def head(file: BinaryIO) -> Trace:
    """The first line. Raises TraceError."""
    for number, line in _lines(file):
        row = _decode(number, line)
        if isinstance(row, Trace):
            for name, one in row.priority_classes.items():
                if one.grace_seconds is not None and not one.preemptible:
                    text = f"priority_classes.{name}.grace_seconds: only with preemptible, since else nothing is taken back"
                    raise TraceError(number, text)
            return row
        raise TraceError(number, 'a trace begins with a line of its own: {"type": "trace"}')
    raise TraceError(1, 'the trace is empty; it begins with {"type": "trace"}')


def happenings(file: BinaryIO) -> Iterator[Happening]:
    """The lines after the first one, in order, each checked. Raises TraceError."""
    checker = _Checker()
    last, begun = 0.0, False
    for number, line in _lines(file):
        row = _decode(number, line)
        if isinstance(row, Trace):
            if begun:
                raise TraceError(number, "type: `trace` is the first line alone")
            begun, checker.classes = True, row.priority_classes
            continue
        if row.at < last:
            raise TraceError(number, f"at: {row.at:g} comes after {last:g}; lines are in the order of their times")
        last = row.at
        text = checker.wrong(row)
        if text:
            raise TraceError(number, text)
        yield row


class _Checker:
    """What one line cannot tell alone."""

    def __init__(self) -> None:
        self._selectors = Selectors()
        self._lost: dict[str, bool] = {}
        self._groups: set[str] = set()
        self._judged: set[tuple[bytes, str]] = set()
        self.classes: Mapping[str, PriorityClassRow] = {}

    def wrong(self, row: Happening) -> str:
        match row:
            case WorkerRow():
                return self._worker(row)
            case GroupRow():
                return self._group(row)
            case LostRow() | BackRow():
                lost = self._lost.get(row.worker_id)
                if lost is None:
                    return f"worker_id: no worker {row.worker_id!r} has joined"
                if lost == isinstance(row, LostRow):
                    return f"worker_id: {row.worker_id!r} is {'lost already' if lost else 'not lost'}"
                self._lost[row.worker_id] = not lost
                return ""

    def _worker(self, row: WorkerRow) -> str:
        if row.worker_id in self._lost:
            return f"worker_id: {row.worker_id!r} has joined already; who was lost comes back with `worker_back`"
        if row.worker_id == FENCE or FENCE in row.runners:
            return f"{FENCE!r} is a name of the simulator"
        devices = [one.device_id for one in row.devices]
        for index, name in enumerate(devices):
            if name in devices[:index]:
                return f"devices[{index}].device_id: {name!r} is there twice"
        self._lost[row.worker_id] = False
        self._selectors.learn([worker_from(worker_message(row))])
        return ""

    def _group(self, row: GroupRow) -> str:
        if row.group_id in self._groups:
            return f"group_id: {row.group_id!r} was submitted already"
        if row.group_id.startswith(FENCE):
            return f"group_id: {FENCE!r} is a name of the simulator"
        if row.priority_class and row.priority_class not in self.classes:
            known = ", ".join(sorted(self.classes)) or "none"
            return f"priority_class: {row.priority_class!r} is not in priority_classes of the first line: {known}"
        if row.priority_class and row.priority:
            return f"priority: the class {row.priority_class!r} has its own; leave one of both out"
        count = sum(one.count if isinstance(one, Alike) else 1 for one in row.cases)
        if not 1 <= count <= MOST_CASES:
            return f"cases: {count} cases; a group has 1 to {MOST_CASES:,}"
        self._groups.add(row.group_id)
        message = group_message(row, 0.0)
        key = (message.request.SerializeToString(), row.selector)
        if key in self._judged:
            return ""
        try:
            validate(request_from(message.request, row.selector, row.runner), self._selectors, offered=True)
        except RequestError as error:
            return str(error) if error.field == "selector" else f"request.{error}"
        self._judged.add(key)
        return ""


def seconds_of(row: GroupRow) -> Iterator[float]:
    """Each case of a group."""
    for one in row.cases:
        if isinstance(one, Alike):
            yield from repeat(one.seconds, one.count)
        else:
            yield one


def _lines(file: BinaryIO) -> Iterable[tuple[int, bytes]]:
    number = 0
    while line := file.readline(_LONGEST_LINE + 1):
        number += 1
        if len(line) > _LONGEST_LINE:
            raise TraceError(number, "longer than 32 MiB; write equal cases as [seconds, how many]")
        if line.strip():
            yield number, line


def _meant(line: bytes, text: str) -> str:
    """What to say more of a field that lines of its type do not have: the nearest that they have, or all."""
    unknown = _UNKNOWN.search(text)
    if unknown is None:
        return ""
    kind = msgspec.json.decode(line)["type"]
    row = next(one for one in get_args(Row) if one.__struct_config__.tag == kind)
    known = [one.encode_name for one in msgspec.structs.fields(row)]
    near = get_close_matches(unknown[1], known, 1)
    return f": did you mean `{near[0]}`?" if near else f"; a {kind} has {', '.join(known)}"


_decoder = msgspec.json.Decoder(Row)


def _decode(number: int, line: bytes) -> Row:
    try:
        row: Row = _decoder.decode(line)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at `$")
        field = where.rstrip("`").lstrip(".")
        if field == "type" or "missing required field `type`" in text:
            raise TraceError(number, f"type: {text}; it is one of {_KINDS}") from None
        raise TraceError(number, f"{field}: {text}" if field else text + _meant(line, text)) from None
    except msgspec.DecodeError as error:
        raise TraceError(number, f"this is no JSON object: {error}") from None
    return row

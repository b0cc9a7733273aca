"""From the shim's lines to what the coordinator reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crossfleet.api.types.v1 import result_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.worker.core.records import Kind, Outgoing
from crossfleet.worker.translate.text import (
    DETAILS_BYTES,
    ENDING_BYTES,
    MESSAGE_BYTES,
    as_bytes,
    as_text,
    cut_head,
    cut_middle,
)

Line = Mapping[str, Any]

COLLECTED_PIECE = 2_000
"""Cases: what the coordinator takes in two thousandths of a second, before it turns to others."""
_PROPERTIES = 64
_PROPERTY_BYTES = 1024
_RUNNER_TEXTS = ("executable", "python", "pytest", "environment_digest")
_ERROR = re.compile(r"E {3}\S")
# pytest's exit statuses that speak of the suite, not of the machine: interrupted by collection errors, internal
# error, wrong usage, no tests.
_ENDINGS = {
    2: result_pb2.SUITE_ENDING_RUNNER_ENDED,
    3: result_pb2.SUITE_ENDING_RUNNER_ENDED,
    4: result_pb2.SUITE_ENDING_USAGE,
    5: result_pb2.SUITE_ENDING_NO_CASES,
}


_OUTCOMES = {name.removeprefix("OUTCOME_").lower(): value for name, value in result_pb2.Outcome.items()}


def outcome(name: str) -> result_pb2.Outcome.ValueType:
    """The outcome of that name. Raises KeyError where there is none."""
    return _OUTCOMES[name]


def cause(name: str) -> result_pb2.Cause.ValueType:
    """The cause of that name."""
    return result_pb2.Cause.Value(f"CAUSE_{name.upper()}")


def case_result(line: Line) -> result_pb2.CaseResult:
    """A `result` line."""
    setup, call, teardown = line.get("durations") or (0.0, 0.0, 0.0)
    result = result_pb2.CaseResult(
        case_index=-1 if line.get("id") else int(line["case"]),
        outcome=outcome(line["outcome"]),
        start_unix_seconds=line.get("start") or 0.0,
        setup_seconds=setup,
        call_seconds=call,
        teardown_seconds=teardown,
        cpu_seconds=line.get("cpu") or 0.0,
        process=line.get("process") or 0,
        position=line.get("position") or 0,
    )
    if line.get("message"):
        result.message = as_text(line["message"], MESSAGE_BYTES)
    if line.get("details"):
        result.details = cut_middle(as_bytes(line["details"]), DETAILS_BYTES)
    for title, content in line.get("sections") or ():
        result.sections.add(title=as_text(title, MESSAGE_BYTES), content=as_bytes(content))
    for key, value in (line.get("properties") or ())[:_PROPERTIES]:
        result.properties[as_text(str(key), _PROPERTY_BYTES)] = as_text(str(value), _PROPERTY_BYTES)
    for one in line.get("earlier") or ():
        result.earlier.append(_earlier(one))
    if line.get("signal"):
        result.signal = int(line["signal"])
    if line.get("id"):
        result.added_case_id = as_text(line["id"])
    return result


def _earlier(line: Line) -> result_pb2.EarlierResult:
    """A failure after which a plugin of the suite ran the case again in its slot."""
    earlier = result_pb2.EarlierResult(
        outcome=outcome(line["outcome"]),
        seconds=line.get("seconds") or 0.0,
        message=as_text(line.get("message") or "", MESSAGE_BYTES),
        details=cut_middle(as_bytes(line.get("details") or ""), DETAILS_BYTES),
    )
    for title, content in line.get("sections") or ():
        earlier.sections.add(title=as_text(title, MESSAGE_BYTES), content=as_bytes(content))
    return earlier


def attempt_finished(line: Line) -> wire.AttemptFinished:
    """A `finished` line."""
    return wire.AttemptFinished(
        attempt_id=line["attempt"],
        cause=cause(line["cause"]),
        message=as_text(line.get("message") or "", MESSAGE_BYTES),
        left_case_indices=line.get("left") or (),
        peak_memory_bytes=line.get("peak_memory_bytes") or 0,
    )


def inspected(line: Line) -> wire.Inspected:
    """An `inspected` line."""
    found = wire.Inspected(request_id=line["request"], attempt_id=line["attempt"])
    if "case" in line:
        found.executing = True
        found.case_index = line["case"]
        found.seconds = line.get("seconds") or 0.0
        found.stacks = cut_middle(as_bytes(line.get("stacks") or ""), DETAILS_BYTES)
        for place, content in line.get("output") or ():
            found.output.add(place=place, content=as_bytes(content))
    return found


def allocation_ended(line: Line) -> wire.AllocationEnded:
    """A `closed` line. A runner that failed by its own exit status speaks of the suite, anything else of the machine."""
    name = line["cause"]
    ending = result_pb2.SUITE_ENDING_UNSPECIFIED
    if name == "failed":
        by_itself = result_pb2.SUITE_ENDING_RUNNER_ENDED if line.get("returned") else ending
        ending = _ENDINGS.get(line.get("exit") or 0, by_itself)
        name = "collection" if ending else "environment"
    elif line.get("session_status"):
        ending = result_pb2.SUITE_ENDING_SESSION_FAILED
        status = f"pytest's session ended with status {line['session_status']} although none of its cases failed"
        line = {**line, "message": f"{status}\n{line.get('message') or ''}".strip()}
    message = ended(line["allocation"], name, line.get("message") or "")
    message.ending = ending
    return message


def ended(allocation: str, name: str, message: str) -> wire.AllocationEnded:
    """The end of an allocation, with a cause by name and what happened."""
    return wire.AllocationEnded(allocation_id=allocation, cause=cause(name), message=cut_head(message, ENDING_BYTES))


def collected(line: Line, known_digest: str = "") -> Iterator[wire.Collected]:
    """A `collected` line, in pieces. A collection that the coordinator knows is sent without its cases."""
    cases: Sequence[Line] = () if line["digest"] == known_digest else line["cases"]
    starts = range(0, max(len(cases), 1), COLLECTED_PIECE)
    for start in starts:
        piece = wire.Collected(
            allocation_id=line["allocation"],
            digest=line["digest"],
            more=start != starts[-1],
            deselected=line.get("deselected") or 0,
            seconds=line.get("seconds") or 0.0,
        )
        for case in cases[start : start + COLLECTED_PIECE]:
            piece.cases.add(
                case_id=as_text(case["id"]),
                groups=[as_text(group) for group in case.get("group") or ()],
                named_group=as_text(case.get("named_group") or ""),
                first=bool(case.get("first")),
                exclusive=bool(case.get("exclusive")),
                max_reruns=case.get("reruns") or 0,
            )
        if start == 0:
            _add_refusals(piece, line)
        yield piece


def _add_refusals(piece: wire.Collected, line: Line) -> None:
    for error in line.get("errors") or ():
        text = error.get("details") or error.get("message") or ""
        piece.errors.add(
            case_id=as_text(error["id"]),
            message=as_text(said_first(error.get("message") or ""), MESSAGE_BYTES),
            details=cut_middle(as_bytes(text), DETAILS_BYTES),
        )
    for skip in line.get("skipped") or ():
        reason = first_line(skip.get("message") or "").removeprefix("Skipped: ")
        piece.skips.add(case_id=as_text(skip["id"]), message=as_text(reason, MESSAGE_BYTES))
    piece.go_on = bool(line.get("go_on"))
    if runner := line.get("runner"):
        piece.runner.CopyFrom(runner_facts(runner))
    if line.get("safe_to_fork") is False:
        piece.fork_refusal = as_text(line.get("reason") or "not safe to fork", MESSAGE_BYTES)


def runner_facts(told: Line) -> result_pb2.RunnerFacts:
    """What a runner says of itself."""
    texts = {name: as_text(str(told.get(name) or ""), MESSAGE_BYTES) for name in _RUNNER_TEXTS}
    seeds = {
        as_text(str(name), _PROPERTY_BYTES): as_text(str(seed), _PROPERTY_BYTES) for name, seed in told["seeds"].items()
    }
    return result_pb2.RunnerFacts(
        **texts, seeds=seeds, first_number=int(told["first_number"]), run_slots=int(told["run_slots"])
    )


def said_first(text: str) -> str:
    """The error that pytest marks with `E`, which may stand below a long way through importers; else the first line."""
    return next((line[4:] for line in text.splitlines() if _ERROR.match(line)), "") or first_line(text)


def first_line(text: str) -> str:
    """The first line that says something."""
    return next((line for line in text.splitlines() if line.strip()), "")


def message(outgoing: Outgoing) -> wire.WorkerMessage:
    """One outgoing message, as it is sent."""
    sequence = outgoing.sequence
    if outgoing.kind is Kind.RESULTS:
        results = wire.Results(attempt_id=outgoing.attempt, results=outgoing.parts)  # type: ignore[arg-type]
        return wire.WorkerMessage(sequence=sequence, results=results)
    if outgoing.kind is Kind.FINISHED:
        return wire.WorkerMessage(sequence=sequence, attempt_finished=outgoing.payload)  # type: ignore[arg-type]
    if outgoing.kind is Kind.ENDED:
        return wire.WorkerMessage(sequence=sequence, allocation_ended=outgoing.payload)  # type: ignore[arg-type]
    if not isinstance(outgoing.payload, wire.WorkerMessage):
        raise TypeError(f"a message without a number must be a WorkerMessage, not {type(outgoing.payload).__name__}")
    return outgoing.payload

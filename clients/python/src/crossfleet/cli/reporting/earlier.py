"""What was tried before the execution that counts, of cases that were run again. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.captured import decoded, indented
from crossfleet.cli.reporting.case_lines import word_of
from crossfleet.cli.reporting.part import ruler


def again(case: result_pb2.CaseRecord) -> str:
    """` (run 3 times: slot 0 of a, slot 1 of a, slot 0 of b)` of a case that was run again; else empty."""
    if not case.earlier:
        return ""
    places = [(one.worker_id or case.worker_id, one.slot if one.worker_id else case.slot) for one in case.earlier]
    last_is_verdict = case.earlier[-1].attempt_id and not case.attempt_id  # it could not be run again
    if not last_is_verdict:
        places.append((case.worker_id, case.slot))
    shown = ", ".join(f"slot {slot} of {worker}" for worker, slot in dict.fromkeys(places))
    times = "once" if len(places) == 1 else f"{len(places)} times"
    return f" (run {times}: {shown})"


def earlier_lines(case: result_pb2.CaseRecord, width: int) -> Iterator[str]:
    """Each failure after which a case was run again; those that look like the one before only in a line."""
    before = b""
    for number, one in enumerate(case.earlier, 1):
        yield _title(number, one)
        if number == 1 or one.details != before:
            yield indented(decoded(one.details)) or one.message
            for section in one.sections:
                yield ruler(section.title, width, "-")
                yield decoded(section.content)
        before = one.details


def earlier_texts(case: result_pb2.CaseRecord) -> Iterator[tuple[str, str]]:
    """The title of each failure after which a case was run again, and what it showed, output included."""
    for number, one in enumerate(case.earlier, 1):
        printed = (f"\n----- {section.title} -----\n{decoded(section.content)}" for section in one.sections)
        yield _title(number, one), (decoded(one.details) or one.message) + "".join(printed)


def _title(number: int, one: result_pb2.EarlierResult) -> str:
    place = f" on slot {one.slot} of {one.worker_id}" if one.worker_id else ""
    return f"{word_of(one.outcome)} at execution {number}{place}"

"""What was tried before the execution that counts, of cases that were run again. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.captured import decoded, indented
from crossfleet.cli.reporting.case_lines import word_of
from crossfleet.cli.reporting.part import ruler


def again(case: result_pb2.CaseRecord) -> str:
    """` (run 3 times: slot 0 of a, slot 1 of a, slot 0 of b)` of a case that was run again; else empty.

    With models of devices where they are known, and what follows where it failed on others than it passed on.
    """
    if not case.earlier:
        return ""
    places = [_place(one if one.worker_id else case) for one in case.earlier]
    last_is_verdict = case.earlier[-1].attempt_id and not case.attempt_id  # it could not be run again
    if not last_is_verdict:
        places.append(_place(case))
    times = "once" if len(places) == 1 else f"{len(places)} times"
    models = of_models(case)
    return f" (run {times}: {', '.join(dict.fromkeys(places))}{'; ' if models else ''}{models})"


def of_models(case: result_pb2.CaseRecord) -> str:
    """`failed on T4, passed on A100: perhaps no accident` of a flaky case; empty where the models do not differ, or are not known."""
    failed = {one.device_model if one.worker_id else case.device_model for one in case.earlier}
    passed = case.device_model
    if case.outcome != result_pb2.OUTCOME_FLAKY or not passed or passed in failed or "" in failed:
        return ""
    return f"failed on {' and '.join(sorted(failed))}, passed on {passed}: perhaps no accident"


def _place(one: result_pb2.CaseRecord | result_pb2.EarlierResult) -> str:
    return f"slot {one.slot} of {one.worker_id}" + (f" [{one.device_model}]" if one.device_model else "")


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
    place = f" on {_place(one)}" if one.worker_id else ""
    return f"{word_of(one.outcome)} at execution {number}{place}"

"""What the HTML report shows, as compact JSON: names once, cases in columns. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.captured import decoded, middle_cut, written
from crossfleet.cli.reporting.deadlines import kept
from crossfleet.cli.reporting.documents import verdict_word
from crossfleet.cli.reporting.earlier import earlier_texts
from crossfleet.cli.reporting.locations import location_of
from crossfleet.cli.reporting.text import outcome_word
from crossfleet.cli.reporting.times import span, utc
from crossfleet.cli.running.progress import BAD
from crossfleet.cli.running.results import RunResults

MOST_CHARACTERS = 24_000_000
"""Of details and output together. Failures come first; what does not fit is named, and `crossfleet show` has it."""
_MOST_OF_CASE = 200_000


def contents(results: RunResults) -> dict[str, Any]:
    """The document that the page's script reads."""
    run = results.run
    targets = {target.name: index for index, target in enumerate(run.targets)}
    for case in results.cases:
        targets.setdefault(case.target, len(targets))
    states = {target.name: target for target in run.targets}
    return {
        "run": {
            "id": run.run_id,
            "suite": run.spec.suite.name,
            "title": run.spec.title,
            "verdict": verdict_word(run),
            "cause": run.cause,
            "deadline": kept(run),
            "commit": run.spec.workspace.commit,
            "created": utc(run.created_at),
            "seconds": round(span(run.created_at, run.finished_at), 3),
            "warnings": results.warnings(),
        },
        "outcomes": {number: outcome_word(number) for number in result_pb2.Outcome.values()},
        "bad": sorted(BAD),
        "targets": [_target(name, states.get(name)) for name in targets],
        **_columns(results.cases, targets),
        "details": _details(results),
        "artifacts": [[each.target, written(each.name), each.size_bytes, each.case_id] for each in results.artifacts],
        "sessions": [
            [session.target, title, written(body)] for session in results.last_words for title, body in session.sections
        ],
    }


def _columns(cases: Sequence[result_pb2.CaseRecord], targets: dict[str, int]) -> dict[str, Any]:
    files: dict[str, int] = {}
    names: dict[tuple[int, str], int] = {}
    workers: dict[str, int] = {}
    columns: dict[str, list[Any]] = {key: [] for key in ("name", "target", "outcome", "ms", "worker", "slot")}
    messages = {}
    for index, case in enumerate(cases):
        file, _, name = case.case_id.partition("::")
        key = (files.setdefault(file, len(files)), name)
        columns["name"].append(names.setdefault(key, len(names)))
        columns["target"].append(targets[case.target])
        columns["outcome"].append(case.outcome)
        columns["ms"].append(round(case.seconds * 1000, 1))
        columns["worker"].append(workers.setdefault(case.worker_id, len(workers)))
        columns["slot"].append(case.slot)
        if case.message:
            messages[index] = written(case.message)
    return {
        "files": [written(file) for file in files],
        "names": [[file, written(name)] for file, name in names],
        "workers": list(workers),
        "cases": columns,
        "messages": messages,
    }


def _details(results: RunResults) -> dict[int, Any]:
    found: dict[int, Any] = {}
    left = MOST_CHARACTERS
    order = sorted(range(len(results.cases)), key=lambda index: _urgency(results.cases[index]))
    for index in order:
        case = results.cases[index]
        detail = results.detail(case) or (result_pb2.CaseResult() if case.earlier else None)
        if detail is None:
            continue
        made = _detail(case, detail, results.run.spec.suite.root)
        left -= len(made["text"]) + sum(len(title) + len(content) for title, content in made["sections"]) + 100
        if left < 0:
            break
        found[index] = made
    return found


def _urgency(case: result_pb2.CaseRecord) -> int:
    return 0 if case.outcome in BAD else 1 if case.earlier else 2


def _detail(case: result_pb2.CaseRecord, detail: result_pb2.CaseResult, root: str) -> dict[str, Any]:
    place = location_of(case, detail, root)
    return {
        "text": _text(detail.details),
        "sections": [
            *([written(title), written(middle_cut(text, _MOST_OF_CASE))] for title, text in earlier_texts(case)),
            *([written(section.title), _text(section.content)] for section in detail.sections),
        ],
        "phases": [
            round(1000 * each, 1) for each in (detail.setup_seconds, detail.call_seconds, detail.teardown_seconds)
        ],
        "properties": sorted((written(key), written(value)) for key, value in detail.properties.items()),
        "place": written(str(place)) if place.line else "",
    }


def _text(content: bytes) -> str:
    return written(middle_cut(decoded(content), _MOST_OF_CASE))


def _target(name: str, status: Any) -> dict[str, str]:
    if status is None:
        return {"name": name, "cause": "", "details": "", "comparison": "", "unchanged": ""}
    return {
        "name": name,
        "cause": written(status.cause),
        "details": written(status.cause_details),
        "comparison": written(status.comparison),
        "unchanged": written(status.unchanged_since),
    }

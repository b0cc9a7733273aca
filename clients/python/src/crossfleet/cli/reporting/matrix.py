"""The matrix of a run: targets as columns, files or packages as rows, counts in the cells. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.table import shorten
from crossfleet.foundation.words import word

MOST_ROWS = 25
LEAST_SECONDS = 0.005
_PATH = re.compile(r"^[^/]*\.[^/]*/|\.([cm]?[jt]sx?|py)$")
"""Of cases that are whole packages (example.com/a) or files (a.test.js; test_a.py, which could not be collected)."""
_DOTTED = re.compile(r"[^\s.]+(\.[^\s.]+)+")
_LETTERS = (
    (result_pb2.OUTCOME_FAILED, "failed"),
    (result_pb2.OUTCOME_ERROR, "error"),
    (result_pb2.OUTCOME_CRASHED, "crashed"),
    (result_pb2.OUTCOME_TIMED_OUT, "timed out"),
    (result_pb2.OUTCOME_NOT_RUN, "not run"),
    (result_pb2.OUTCOME_CANCELLED, "cancelled"),
    (result_pb2.OUTCOME_PREEMPTED, "preempted"),
    (result_pb2.OUTCOME_UNSPECIFIED, "pending"),
    (result_pb2.OUTCOME_SKIPPED, "skipped"),
    (result_pb2.OUTCOME_XFAILED, "xfailed"),
    (result_pb2.OUTCOME_XPASSED, "xpassed"),
    (result_pb2.OUTCOME_FLAKY, "flaky"),
)
_KNOWN = frozenset((result_pb2.OUTCOME_PASSED, *(outcome for outcome, _ in _LETTERS)))


def matrix(cases: Sequence[result_pb2.CaseRecord], targets: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows, the last row being the sum. Rows are files while they are few, else ever shorter folders."""
    counts: dict[str, dict[str, Counter[int]]] = {}
    rows = _row_names([_file(case.case_id) for case in cases])
    for case in cases:
        cells = counts.setdefault(rows[_file(case.case_id)], {})
        cells.setdefault(case.target, Counter())[case.outcome] += 1
    lines = [[shorten(row, 60), *(cell(counts[row].get(target)) for target in targets)] for row in sorted(counts)]
    total = {target: Counter[int]() for target in targets}
    for case in cases:
        total.setdefault(case.target, Counter())[case.outcome] += 1
    return ["", *targets], [*lines, ["all", *(cell(total[target]) for target in targets)]]


def cell(counts: Counter[int] | None) -> str:
    """`312` where all passed, else `300 + 2 failed, 10 skipped`; `-` where there is none."""
    if not counts:
        return "-"
    others = [f"{counts[outcome]} {letters}" for outcome, letters in _LETTERS if counts[outcome]]
    others += [
        f"{number} {word(result_pb2.Outcome, outcome)}" for outcome, number in counts.items() if outcome not in _KNOWN
    ]
    passed = counts[result_pb2.OUTCOME_PASSED]
    return f"{passed} + {', '.join(others)}" if others else str(passed)


def slowest(cases: Iterable[result_pb2.CaseRecord], count: int = 10) -> list[result_pb2.CaseRecord]:
    """The cases that took longest, longest first, none below LEAST_SECONDS."""
    return sorted((case for case in cases if case.seconds >= LEAST_SECONDS), key=lambda case: -case.seconds)[:count]


def _file(case_id: str) -> str:
    """What a case belongs to: the file or package before `::`, else the class or suite before the last dot."""
    file, separator, _ = case_id.partition("::")
    if separator or not _DOTTED.fullmatch(case_id) or _PATH.search(case_id):
        return file
    return case_id.rpartition(".")[0]


def _row_names(files: Sequence[str]) -> dict[str, str]:
    """Each file's row: itself, or its folder cut to that depth at which at most MOST_ROWS rows are left."""
    distinct = sorted(set(files))
    if len(distinct) <= MOST_ROWS:
        return {file: file for file in distinct}
    separators = {file: "/" if "/" in file else "." for file in distinct}
    deepest = max(file.count(separators[file]) for file in distinct)
    for depth in range(deepest, 0, -1):
        cut = {file: sign.join(file.split(sign)[:-1][:depth]) or file for file, sign in separators.items()}
        if len(set(cut.values())) <= MOST_ROWS:
            return cut
    cut = {file: file.split(sign)[0] for file, sign in separators.items()}
    return cut if len(set(cut.values())) <= MOST_ROWS else {file: f"{len(distinct)} names" for file in distinct}

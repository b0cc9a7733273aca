"""Shards that fit, as the results of one run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.merging.fitting import Fitted
from crossfleet.cli.reporting.times import span
from crossfleet.cli.running.cuts import cut_of
from crossfleet.cli.running.results import RunResults

_FIELDS = {
    result_pb2.OUTCOME_PASSED: "passed",
    result_pb2.OUTCOME_FAILED: "failed",
    result_pb2.OUTCOME_ERROR: "errors",
    result_pb2.OUTCOME_SKIPPED: "skipped",
    result_pb2.OUTCOME_XFAILED: "xfailed",
    result_pb2.OUTCOME_XPASSED: "xpassed",
    result_pb2.OUTCOME_FLAKY: "flaky",
    result_pb2.OUTCOME_CRASHED: "crashed",
    result_pb2.OUTCOME_TIMED_OUT: "timed_out",
    result_pb2.OUTCOME_CANCELLED: "cancelled",
    result_pb2.OUTCOME_PREEMPTED: "cancelled",
    result_pb2.OUTCOME_NOT_RUN: "not_run",
    result_pb2.OUTCOME_UNSPECIFIED: "pending",
}
# The first of these that a shard has is the verdict of all.
_WEIGHTS = (
    run_pb2.RUN_VERDICT_CANCELLED,
    run_pb2.RUN_VERDICT_FAILED,
    run_pb2.RUN_VERDICT_INFRASTRUCTURE,
    run_pb2.RUN_VERDICT_UNSPECIFIED,
    run_pb2.RUN_VERDICT_PASSED,
)


def join(fitted: Fitted, *, allow_missing: bool) -> RunResults:
    """One run of all cases. A shard that is missing is the fleet's fault, unless it may be."""
    results = [part.results for part in fitted.parts]
    cases, details = _cases(results)
    run = run_pb2.Run()
    run.CopyFrom(results[0].run)
    run.run_id = "merged"
    run.spec.policy.ClearField("shard")
    runs = [each.run for each in results]
    del run.targets[:]
    run.targets.extend(
        _target([target for one in runs for target in one.targets if target.name == name], cases)
        for name in (target.name for target in runs[0].targets)
    )
    run.counts.CopyFrom(_counts(cases))
    run.verdict = next(verdict for verdict in _WEIGHTS if any(one.verdict == verdict for one in runs))
    run.cause = ""
    if run.verdict != run_pb2.RUN_VERDICT_PASSED:  # the cause of one that passed is that it had nothing to do
        run.cause = next((one.cause for one in runs if one.cause and one.verdict == run.verdict), "")
    _set_times(run, runs)
    if fitted.missing and not allow_missing:
        run.verdict = run_pb2.RUN_VERDICT_INFRASTRUCTURE
        run.cause = missing_text(fitted)
    said = tuple(words for each in results for words in each.last_words)
    return RunResults(run, cases, details, last_words=said)


def missing_text(fitted: Fitted) -> str:
    """`shards 2, 5 of 10 are missing`; empty where none is."""
    if not fitted.missing:
        return ""
    one = len(fitted.missing) == 1
    numbers = ", ".join(map(str, fitted.missing))
    return f"shard{'' if one else 's'} {numbers} of {fitted.count} {'is' if one else 'are'} missing"


def _cases(
    results: Sequence[RunResults],
) -> tuple[tuple[result_pb2.CaseRecord, ...], dict[tuple[str, int, str], result_pb2.CaseResult]]:
    """By target and file; within a file by shard, as each collected. An error that every shard shows comes once."""
    order = [target.name for target in results[0].run.targets]
    found: dict[tuple[str, str], tuple[result_pb2.CaseRecord, result_pb2.CaseResult | None]] = {}
    for each in results:
        for case in each.cases:
            found.setdefault((case.target, case.case_id), (case, each.detail(case)))
    ranked = sorted(found.values(), key=lambda pair: (_rank(order, pair[0]), pair[0].case_id.partition("::")[0]))
    cases, details = [], {}
    for index, (case, detail) in enumerate(ranked):
        copied = result_pb2.CaseRecord()
        copied.CopyFrom(case)
        copied.case_index = index
        cases.append(copied)
        if detail is not None:
            details[case.target, index, case.case_id] = detail
    return tuple(cases), details


def _rank(order: Sequence[str], case: result_pb2.CaseRecord) -> int:
    return order.index(case.target) if case.target in order else len(order)


def _target(parts: Sequence[run_pb2.TargetStatus], cases: Iterable[result_pb2.CaseRecord]) -> run_pb2.TargetStatus:
    """One target of all shards; where one failed, as that one."""
    failed = [part for part in parts if part.state in (run_pb2.TARGET_STATE_FAILED, run_pb2.TARGET_STATE_SKIPPED)]
    empty = all(part.ending == result_pb2.SUITE_ENDING_NO_CASES for part in parts)
    joined = run_pb2.TargetStatus()
    joined.CopyFrom((failed or parts)[0])
    joined.collection_digest = next((cut for cut in map(cut_of, parts) if cut), "")
    joined.deselected = max(part.deselected for part in parts)
    joined.counts.CopyFrom(_counts(case for case in cases if case.target == joined.name))
    if not failed and not empty:
        joined.ClearField("ending")
        joined.ClearField("cause")
        joined.ClearField("cause_details")
    return joined


def _counts(cases: Iterable[result_pb2.CaseRecord]) -> result_pb2.Counts:
    counts = result_pb2.Counts()
    for case in cases:
        name = _FIELDS.get(case.outcome, "errors")  # of a later version
        setattr(counts, name, getattr(counts, name) + 1)
        counts.total += 1
    return counts


def _set_times(run: run_pb2.Run, runs: Sequence[run_pb2.Run]) -> None:
    """As long as the longest shard: they may have run at any times."""
    run.created_at.CopyFrom(min((one.created_at for one in runs), key=lambda at: at.ToNanoseconds()))
    longest = max(span(one.created_at, one.finished_at) for one in runs)
    run.finished_at.FromNanoseconds(run.created_at.ToNanoseconds() + int(longest * 1e9))

"""The failure that a person means, and the order that led to it, as a fleet has recorded it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crossfleet.api.coordinator.v1.run_service_pb2 import SlotProcess
from crossfleet.api.types.v1 import result_pb2, run_pb2, suite_pb2
from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting.suites import suite_on
from crossfleet.cli.reporting.text import outcome_word
from crossfleet.cli.reproduction.naming import meant, near
from crossfleet.cli.reproduction.order import Order
from crossfleet.cli.running.progress import BAD
from crossfleet.client import Client
from crossfleet.foundation.errors import CaseNotFound, InvalidArgument

MOST_RUNS = 20
"""Failed runs that are searched for a case."""
_FAILED_ONCE = BAD | {result_pb2.OUTCOME_FLAKY}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command line asks for; run and target may be empty."""

    case: str
    run: str = ""
    target: str = ""


async def find(client: Client, wanted: Wanted) -> Order:
    """The order of the wanted failure. Raises UsageError where nothing fits, and the fleet's error."""
    run, case = await _named(client, wanted) if wanted.run else await _latest(client, wanted)
    runner = suite_on(run, case.target).runner
    if runner != "pytest":
        raise UsageError(f"{run.run_id} ran {runner}, not pytest: run its command again")
    process, executed = await client.runs.executions(run.run_id, case.case_id, target=case.target)
    if process is None:
        raise UsageError(
            f"{case.case_id} has no order: it ended as {outcome_word(case.outcome)} before anything was executed "
            f"({case.message or 'no message'}). Run `pytest {case.case_id.partition('::')[0]}`"
        )
    full = await client.runs.case(run.run_id, case.case_id, target=case.target)
    return order_of(run, full, process, executed)


async def id_of(client: Client, run_id: str, typed: str, target: str = "") -> str:
    """The id of the case of a run that is meant. Raises UsageError where that is not clear, and the fleet's error."""
    try:
        await client.runs.case(run_id, typed, target=target)
    except CaseNotFound:
        known = [(case.target, case.case_id) async for case in client.runs.cases(run_id)]
        found = list(dict.fromkeys(case_id for _, case_id in meant(typed, known, target)))
        if len(found) == 1:
            return found[0]
        similar = found[:10] or near(typed, (case_id for _, case_id in known))
        if not similar:
            raise
        raise UsageError(f"{run_id} has no case {typed!r}. Did you mean\n  " + "\n  ".join(similar)) from None
    except InvalidArgument:  # on several targets: who asks for the case says so, or finds the one where it runs
        pass
    return typed


async def _named(client: Client, wanted: Wanted) -> tuple[run_pb2.Run, result_pb2.CaseRecord]:
    run = await client.runs.get(wanted.run)
    cases = [case async for case in client.runs.cases(run.run_id)]
    chosen = _choose(run, cases, wanted)
    if chosen is None:
        failed = [case.case_id for case in cases if case.outcome in _FAILED_ONCE]
        raise UsageError(_unknown(f"{run.run_id} has", failed, cases, wanted))
    if chosen.outcome not in _FAILED_ONCE:
        raise UsageError(f"{chosen.case_id} {outcome_word(chosen.outcome)} in {run.run_id}: there is no failure of it")
    return run, chosen


async def _latest(client: Client, wanted: Wanted) -> tuple[run_pb2.Run, result_pb2.CaseRecord]:
    """The latest failed run in which the case failed."""
    newest: run_pb2.Run | None = None
    ever: dict[str, None] = {}
    looked = 0
    async for run in client.runs.list(states=[run_pb2.RUN_STATE_FINISHED]):
        if run.verdict not in (run_pb2.RUN_VERDICT_FAILED, run_pb2.RUN_VERDICT_CANCELLED) and not run.counts.flaky:
            continue
        newest = newest or run
        failed = [case async for case in client.runs.cases(run.run_id, outcomes=sorted(_FAILED_ONCE))]
        if (chosen := _choose(run, failed, wanted)) is not None:
            return run, chosen
        ever.update(dict.fromkeys(case.case_id for case in failed))
        looked += 1
        if looked == MOST_RUNS:
            break
    if newest is None:
        raise UsageError("no run has failed here: name another data folder with --data DIR, or a run with --run RUN")
    cases = [case async for case in client.runs.cases(newest.run_id)]
    passed = _choose(newest, cases, wanted)
    if passed is not None:
        word = outcome_word(passed.outcome)
        raise UsageError(
            f"{passed.case_id} failed in none of the last {looked} failed runs; in {newest.run_id} it {word}"
        )
    where = "the last failed run has" if looked == 1 else f"the last {looked} failed runs have"
    raise UsageError(_unknown(where, list(ever), cases, wanted))


def _choose(run: run_pb2.Run, cases: Sequence[result_pb2.CaseRecord], wanted: Wanted) -> result_pb2.CaseRecord | None:
    """The one case that is meant, failed ones first; None where none is. Raises UsageError where it is not clear."""
    if wanted.target and wanted.target not in {target.name for target in run.targets}:
        if not wanted.run:
            return None
        names = ", ".join(target.name for target in run.targets)
        raise UsageError(f"--target {wanted.target}: {run.run_id} has no such target, but {names}")
    by_name = {(case.target, case.case_id): case for case in cases}
    found = meant(wanted.case, list(by_name), wanted.target)
    found = [each for each in found if by_name[each].outcome in _FAILED_ONCE] or found
    if not found:
        return None
    ids = list(dict.fromkeys(case_id for _, case_id in found))
    if len(ids) > 1:
        shown = "\n  ".join(ids[:10])
        more = f"\n  and {len(ids) - 10} more" if len(ids) > 10 else ""
        raise UsageError(f"{wanted.case!r} can mean {len(ids)} cases of {run.run_id}; name one:\n  {shown}{more}")
    if len(found) > 1:
        names = ", ".join(target for target, _ in found)
        raise UsageError(f"{ids[0]} failed on several targets of {run.run_id}: name one with --target ({names})")
    return by_name[found[0]]


def _unknown(where: str, failed: Sequence[str], cases: Sequence[result_pb2.CaseRecord], wanted: Wanted) -> str:
    similar = near(wanted.case, failed) or near(wanted.case, [case.case_id for case in cases])
    if similar:
        return f"{where} no case {wanted.case!r}. Did you mean\n  " + "\n  ".join(similar)
    shown = "\n  ".join(failed[:5])
    more = f"\n  and {len(failed) - 5} more" if len(failed) > 5 else ""
    return f"{where} no case {wanted.case!r}" + (f". What failed:\n  {shown}{more}" if shown else "")


def order_of(
    run: run_pb2.Run,
    case: result_pb2.CaseRecord,
    process: SlotProcess,
    executed: Sequence[result_pb2.CaseRecord],
) -> Order:
    """The order of a recorded failure."""
    suite, workspace = suite_on(run, case.target), run.spec.workspace
    asked = next((target for target in run.spec.targets if target.name == case.target), suite_pb2.Target())
    environment, runner = asked.environment, process.runner
    failure = _failure_of(case)
    return Order(
        run=run.run_id,
        target=case.target,
        # Of a case that was run again in its process the last execution counts.
        cases=tuple(reversed(dict.fromkeys(each.case_id for each in reversed(executed)))),
        outcome=outcome_word(failure.outcome),
        message=failure.message,
        details=failure.details.decode("utf-8", "replace")[-65536:],
        signal=case.result.signal,
        missing=executed[-1].position - len(executed),
        arguments=tuple(suite.arguments),
        as_module=suite.as_module,
        folder=workspace.local_path,
        root=suite.root,
        commit=workspace.commit,
        python=runner.executable or environment.local_python,
        requirements=environment.requirements,
        python_version=environment.python_version or ".".join(runner.python.rpartition(" ")[2].split(".")[:2]),
        variables=tuple(sorted(environment.variables)),
        case_seconds=case.time_limit_seconds or run.spec.policy.case_timeout.ToNanoseconds() / 1e9,
        seeds=dict(runner.seeds),
        environment=runner.environment_digest,
        worker=process.worker_id,
        host=process.host,
        slot=process.slot,
        run_number=process.run_number,
        run_slots=runner.run_slots,
        process=process.number,
        versions={"python": runner.python, "pytest": runner.pytest, "crossfleet": process.worker_version},
    )


def _failure_of(case: result_pb2.CaseRecord) -> result_pb2.CaseResult | result_pb2.EarlierResult:
    """What failed: of a flaky case its last failure on a slot of the fleet, else the last that its own slot ran again."""
    if case.outcome != result_pb2.OUTCOME_FLAKY or not case.earlier:
        return result_pb2.CaseResult(outcome=case.outcome, message=case.message, details=case.result.details)
    by_fleet = [one for one in case.earlier if one.attempt_id]
    return (by_fleet or case.earlier)[-1]

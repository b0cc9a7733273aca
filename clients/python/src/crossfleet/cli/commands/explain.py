"""`crossfleet explain`: why a run waits."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from crossfleet.api.coordinator.v1.run_service_pb2 import TargetExplanation
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.deadlines import latest, prospect, seconds_left
from crossfleet.cli.reporting.prospects import alternatives, outlook
from crossfleet.cli.reporting.table import table
from crossfleet.cli.reporting.times import local
from crossfleet.cli.running.view import duration
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `explain`."""
    made = command_parser(
        "explain",
        "Says of each target of a run how it fits the fleet: which clause passes on how many devices, what it is behind, "
        "and when it is expected to begin and end. Of ten true values, eight lie within an interval.",
        "  crossfleet explain run-01j...",
    )
    made.add_argument("run_id", metavar="RUN")
    return made


def main(arguments: list[str]) -> int:
    """Explains a run; answers the exit status."""
    options = parser().parse_args(arguments)

    async def explained(client: Client) -> tuple[Sequence[TargetExplanation], run_pb2.Run]:
        return await client.runs.explain(options.run_id), await client.runs.get(options.run_id)

    targets, run = ask(options.data, explained, history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("targets", [documents.plain(target) for target in targets])))
        return 0
    if run.state == run_pb2.RUN_STATE_FINISHED:
        print(f"{run.run_id} is over ({documents.verdict_word(run)}): it waits for nothing")
        return 0
    running = {one.name for one in run.targets if one.state == run_pb2.TARGET_STATE_RUNNING}
    for target in targets:
        waits = f"{'waits for more slots' if target.target in running else 'waits'}: {target.waiting_reason}"
        waits = waits if target.waiting_reason else "does not wait"
        print(f"{target.target}: {target.matching_workers} of {target.all_workers} workers fit; {waits}")
        for line in alternatives(target):
            print(f"  {line}")
        rows = [(f"  {each.clause}", f"{each.passing}/{each.considered}", each.nearest_miss) for each in target.clauses]
        if rows:
            print(table(("  clause", "pass", "nearest miss"), rows, right=frozenset((1,))))
        for line in outlook(target):
            print(f"  {line}")
    if run.spec.policy.priority_class:
        print(f"priority {run.spec.policy.priority}, of class {run.spec.policy.priority_class}")
    if run.HasField("deadline"):
        over = {one.name for one in run.targets if one.state >= run_pb2.TARGET_STATE_FINISHED}
        end = latest([one for one in targets if one.target not in over])
        print(f"{prospect(seconds_left(run, time.time()), end)} ({local(run.deadline)})")
    for line in limits(run.spec.policy):
        print(line)
    return 0


def limits(policy: suite_pb2.Policy) -> list[str]:
    """How long a case may last, and what becomes of one that does."""
    told = []
    seconds = policy.case_timeout.ToNanoseconds() / 1e9
    known = f"after {duration(seconds)}" if seconds else "not at all"
    if policy.learnt_case_timeout:
        told.append(
            "a case is ended after ten times what 99 of 100 of its executions need, a minute at least; "
            f"one that was never measured {known}"
        )
    elif seconds:
        told.append(f"a case is ended {known}")
    if policy.speculate_percent:
        told.append(
            f"of each target's cases at most {policy.speculate_percent} % are executed a second time, on another host, when they "
            "last four times as long as before"
        )
    return told

"""`crossfleet estimate`: when a run would begin and end, without submitting it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from crossfleet.api.coordinator.v1.admin_service_pb2 import PriorityClass
from crossfleet.api.coordinator.v1.run_service_pb2 import EstimateRunResponse
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.cli.collecting.cases import collected
from crossfleet.cli.connecting import endpoint_elsewhere
from crossfleet.cli.exits import UsageError
from crossfleet.cli.fleet.presence import until_there
from crossfleet.cli.fleet.waiting import HeldFleet
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.deadlines import prospect
from crossfleet.cli.reporting.preemption import Preemption, preemption
from crossfleet.cli.reporting.prospects import Skips, estimated, may_skip
from crossfleet.cli.running import options as command_line
from crossfleet.cli.running.fleet_size import plan_for
from crossfleet.cli.running.options import RunOptions
from crossfleet.cli.running.planning import RunPlan, plan_run
from crossfleet.cli.running.sharding import Sharding
from crossfleet.cli.running.spec import spec_of, suite_of, targets_of
from crossfleet.client import Client, Endpoint
from crossfleet.client.listing import git_root
from crossfleet.foundation.errors import Unimplemented

_DESCRIPTION = """\
Says when a run would begin and end if it were submitted now: by what the fleet has learnt of the suite's cases, and by
its queue. Takes the options of `crossfleet run`. Nothing is submitted. The cases are those of the last run of the suite,
with the same arguments where there was one; with --collect they are those that pytest collects here now. Of ten true
values, eight lie within an interval.
"""
_EXAMPLES = """
examples:
  crossfleet estimate -- pytest tests
  crossfleet estimate --collect -- pytest -k new      also counts what was never run
  crossfleet estimate --target 'gpu=device.class == "gpu"' --output json -- pytest
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the words before `--`: those of `run`, and --output."""
    made = command_line.parser("estimate")
    made.description, made.epilog = _DESCRIPTION, _EXAMPLES
    _add_own(made)
    return made


def _add_own(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--collect",
        action="store_true",
        help="collect the cases here with pytest, instead of taking those of the last run",
    )
    made.add_argument("--output", choices=("text", "json"), default="text", help="default: text")


def main(arguments: list[str]) -> int:
    """Estimates; answers the exit status."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    own, words = arguments[:cut], arguments[cut:]
    if {"-h", "--help"}.intersection(own):
        parser().print_help()
        return 0
    first = argparse.ArgumentParser(prog="crossfleet estimate", add_help=False, allow_abbrev=False)
    _add_own(first)
    said, rest = first.parse_known_args(own)
    options = command_line.parse([*rest, *words], "estimate")
    if options.local:
        raise UsageError("--local: what runs without a fleet waits for nobody; pytest itself takes it from here")
    found = _asked(options, collect=said.collect)
    if said.output == "json":
        print(documents.write(_document(found)))
    else:
        answer = found.answer
        end = answer.end_seconds if answer.HasField("end_seconds") else None
        left = options.deadline.left(datetime.now().astimezone()) if options.deadline else None
        lines = estimated(answer, "" if left is None else prospect(left, end), found.skips)
        print(*lines, *(found.preemption.lines() if found.preemption is not None else ()), sep="\n")
    return 0


@dataclass(frozen=True, slots=True)
class _Estimate:
    """What a fleet answers, and what follows for targets that may be skipped and from the run's priority class."""

    answer: EstimateRunResponse
    skips: Skips
    preemption: Preemption | None


def _document(found: _Estimate) -> dict[str, Any]:
    """Keys beside the estimate are there where there is something to say."""
    made = documents.envelope("estimate", documents.plain(found.answer))
    if found.preemption is not None:
        made["preemption"] = found.preemption.document()
    if found.skips:
        made["skipped_if_unchanged"] = {name: list(needs) for name, needs in found.skips.items()}
    return made


def _asked(options: RunOptions, *, collect: bool) -> _Estimate:
    plan, sharding = plan_run(options), Sharding.of(options)
    cases = _collected(plan, sharding) if collect else []
    ask = partial(_estimate, options=options, plan=plan, sharding=sharding, cases=cases)
    endpoint = endpoint_elsewhere(options.data)
    if endpoint is not None:
        return asyncio.run(ask(endpoint, 0))
    size = plan_for(options, plan.command)
    fleet = HeldFleet(size)
    try:
        workers = 0 if fleet.joined else len(size.workers)
        return asyncio.run(ask(Endpoint(fleet.wait()), workers))
    finally:
        fleet.close()


def _collected(plan: RunPlan, sharding: Sharding) -> list[str]:
    if sharding.count > 1:
        raise UsageError("--collect: a shard is cut by the fleet from the whole suite: leave out --collect or --shard")
    if plan.own:
        raise UsageError(
            "--collect: a run whose cases are named has one suite: leave it out, some targets have their own"
        )
    return collected(plan.command, plan.targets[0].python)


async def _estimate(
    endpoint: Endpoint, workers: int, *, options: RunOptions, plan: RunPlan, sharding: Sharding, cases: Sequence[str]
) -> _Estimate:
    """`workers`: so many are on their way, and are waited for."""
    async with Client.open(endpoint) as client:
        await until_there(client.fleet, workers)
        spec = _spec(options, plan, await sharding.as_message(client))
        spec.suite.cases.extend(cases)
        answer = await client.runs.estimate(spec)
        classed = spec.policy.priority_class or not spec.policy.priority
        classes = await _classes(client) if classed else ()
        return _Estimate(answer, may_skip(answer, spec), preemption(classes, spec))


async def _classes(client: Client) -> Sequence[PriorityClass]:
    """All priority classes; a fleet of an earlier version knows none."""
    try:
        return await client.admin.priority_classes()
    except Unimplemented:
        return ()


def _spec(options: RunOptions, plan: RunPlan, shard: suite_pb2.Shard | None) -> run_pb2.RunSpec:
    """As `run` would submit it, without files, interpreters and variables: none of them is looked at."""
    folder = Path.cwd()
    root = git_root(folder) or folder
    suite = suite_of(plan.command, options, folder, root, {})
    targets = targets_of(plan, options, folder, root, {}, "")
    for target in targets:
        target.ClearField("environment")
    return spec_of(plan.command, options, suite, suite_pb2.Workspace(none=True), targets, shard)

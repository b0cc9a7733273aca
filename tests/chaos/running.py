"""One whole run of chaos: a cluster, an undisturbed run, faults while others go on, a report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossfleet.client import Client, Endpoint
from crossfleet.foundation.wait import eventually
from tests.chaos.faults import Fault, drawn
from tests.chaos.history import Finding, Kind
from tests.chaos.inflicting import Inflictor
from tests.chaos.report import Report
from tests.chaos.suite import Suite
from tests.chaos.watching import Driver, Ended
from tests.faults.leftovers import processes_of, runners_of
from tests.real.cluster import Cluster, cluster

OUTAGE_SECONDS = 120.0
CALM_SECONDS = 0.01
"""The longest case of the undisturbed run: its verdicts do not depend on it."""


@dataclass(frozen=True)
class Plan:
    """How long and with what. It ends after so many kills or seconds, whichever is given and comes first.

    `overlapping`: a fault does not wait for the end of the one before, where that struck another area.
    """

    seed: int = 0
    kills: int | None = None
    seconds: float | None = None
    kinds: Sequence[str] = ()
    cases: int = 3000
    case_seconds: float = 0.01
    pause: tuple[float, float] = (0.5, 3.0)
    overlapping: bool = False


async def chaos(folder: Path, plan: Plan, report: Report, tell: Callable[[str], None] = print) -> None:
    """Carry a plan out below `folder`, and report. Raises only where the cluster cannot be started, or answers no more."""
    suite = Suite(folder / "suite", plan.cases).write()
    async with cluster(folder, plan.seed) as whole, Client.open(_patient(whole.addresses)) as client:
        driver = Driver(client, whole.addresses, suite, plan.seed)
        report.undisturbed = await driver.carried_out(min(plan.case_seconds, CALM_SECONDS), {})
        tell(
            f"an undisturbed run of {len(report.undisturbed.outcomes)} results took {report.undisturbed.seconds:.1f} s"
        )
        striking = asyncio.ensure_future(_strike(whole, plan, driver, report, tell))
        try:
            while not striking.done():
                ended = await driver.carried_out(plan.case_seconds, report.undisturbed.outcomes)
                report.runs.append(ended)
                wrong = f", {len(ended.findings)} WRONG" if ended.findings else ""
                tell(f"run {ended.run_id} ended after {ended.seconds:.1f} s, {ended.again} cases executed again{wrong}")
            await striking
        finally:
            striking.cancel()
        report.findings += await _healed(whole, report.runs)
    report.orphans = await _orphans(folder)


def _patient(addresses: str) -> Endpoint:
    return Endpoint(addresses, outage_seconds=OUTAGE_SECONDS)


async def _strike(whole: Cluster, plan: Plan, driver: Driver, report: Report, tell: Callable[[str], None]) -> None:
    inflictor, began = Inflictor(whole), time.monotonic()

    async def followed(fault: Fault, number: int, since: float, at: float) -> None:
        seconds = await driver.placements.next(since)
        if seconds is not None:
            report.recoveries[fault.kind].append(seconds)
        shown = "nothing was left to place" if seconds is None else f"placed again after {seconds:.2f} s"
        tell(f"{at:7.1f} s {number:>5} killed  {fault.kind:<34} {shown}")

    async with asyncio.TaskGroup() as tasks:
        for fault in drawn(plan.seed, plan.kinds, plan.pause):
            elapsed = time.monotonic() - began
            if (plan.kills is not None and report.kills >= plan.kills) or (plan.seconds and elapsed >= plan.seconds):
                break
            report.faults.append(fault)
            tasks.create_task(followed(fault, report.kills, time.time(), elapsed))
            inflicting = tasks.create_task(inflictor.inflict(fault))
            if not plan.overlapping:
                await inflicting
            await asyncio.sleep(fault.pause)


async def _healed(whole: Cluster, runs: Sequence[Ended]) -> list[Finding]:
    """Everything works again, nothing runs any more, and the gateway tells of the runs what the coordinators did."""
    try:
        await whole.settled()
        await eventually(lambda: not runners_of(whole.folder), deadline=40, what="no runner is left after the last run")
        await eventually(lambda: asyncio.to_thread(_asked, whole, "/readyz"), deadline=40, what="the gateway is ready")
        told = [(run, await asyncio.to_thread(_asked, whole, f"/api/v1/runs/{run.run_id}")) for run in runs]
    except (TimeoutError, AssertionError) as error:
        return [Finding(Kind.NO_EFFECT, f"not whole again: {error}")]
    return [
        Finding(Kind.LOST, f"the gateway has other counts of {run.run_id}: {body['counts']}")
        for run, body in told
        if body["counts"]["total"] != len(run.outcomes) or body["counts"]["pending"]
    ]


def _asked(whole: Cluster, path: str) -> dict[str, Any]:
    """What the gateway answers; raises AssertionError where it does not yet."""
    try:
        return whole.gateway(path)
    except (OSError, ValueError) as error:
        raise AssertionError(f"{path}: {error}") from error


async def _orphans(folder: Path) -> dict[int, str]:
    """What still lives of a cluster that was ended."""
    try:
        await eventually(lambda: not processes_of(folder), deadline=10, what="nothing is left")
    except TimeoutError:
        return processes_of(folder)
    return {}

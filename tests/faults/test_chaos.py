"""A whole cluster of which one part after the other is killed while runs go on. `make chaos` does so for as long as wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.faults import KINDS
from tests.chaos.report import Report
from tests.chaos.running import Plan, chaos

pytestmark = pytest.mark.needs_etcd

SIX = (
    "kill the leader",
    "kill a worker with its tests",
    "kill a scheduler",
    "kill the gateway",
    "kill a member of etcd",
    "kill PostgreSQL",
)


@pytest.mark.timeout(120)
async def test_nothing_is_lost_doubled_or_changed_while_one_of_each_is_killed(folder: Path) -> None:
    report = Report()
    await chaos(folder, Plan(seed=1, kills=6, kinds=SIX, cases=400, pause=(0.2, 1.0)), report)

    assert report.passed, "\n".join(report.lines())
    assert {fault.kind for fault in report.faults} == set(SIX)
    assert sum(len(run.outcomes) for run in report.runs) == 800 * len(report.runs)


@pytest.mark.soak
@pytest.mark.timeout(400)
async def test_nothing_is_lost_doubled_or_changed_under_every_kind_of_fault(folder: Path) -> None:
    report = Report()
    await chaos(folder, Plan(seed=2, kinds=list(KINDS), kills=15, cases=1000), report)

    assert report.passed, "\n".join(report.lines())
    assert {fault.kind for fault in report.faults} <= set(KINDS)

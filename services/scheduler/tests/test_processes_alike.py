"""A recorded queue is planned alike in every process."""

import os
import subprocess
import sys

_PLANS = """
from crossfleet.matching.model import WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Allocation, Delta, Group, Policy
from crossfleet.scheduler.core.planner import Planner
from crossfleet.scheduler.core.snapshot import Snapshot

groups = tuple(Group(f"g{n}", f"r{n}", project=f"p{n % 7}", submitted_at=float(n), wanted_slots=2) for n in range(100))
snapshot = Snapshot.of(Delta(workers=tuple(WorkerView(f"w{n}") for n in range(5)), groups=groups), 1)
planner = Planner(Policy(), Selectors())
for revision in range(2, 8):
    plan = planner.plan(snapshot, 0.0)
    print(plan)
    made = tuple(Allocation(f"{revision}-{n}", one.group_id, one.worker_id, 1) for n, one in enumerate(plan.allocate))
    ended = tuple(snapshot.allocations.values())[:2]
    gone = {"removed_allocations": tuple(one.id for one in ended), "removed_groups": tuple(one.group_id for one in ended)}
    snapshot.apply(Delta(allocations=made, **gone), revision)
"""


def test_plans_and_the_turns_in_which_reasons_are_told_do_not_depend_on_the_hash_seed():
    seeds = ("1", "2", "3")
    told = [
        subprocess.run(
            [sys.executable, "-c", _PLANS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout
        for seed in seeds
    ]
    assert told[0].count("Waiting(") > 100
    assert told == [told[0]] * len(seeds)

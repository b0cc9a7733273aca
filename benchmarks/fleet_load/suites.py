"""Runs whose cases pass at once on the simulated workers."""

from __future__ import annotations

from benchmarks.fleet_load.workers import BUSY, LABEL
from crossfleet.api.types.v1 import run_pb2, suite_pb2


def noop(name: str, tasks: int, slots: int, *, priority: int = 0, anywhere: bool = False) -> run_pb2.RunSpec:
    """So many tasks of one case each, on at most so many slots: of the workers that are to be busy, or `anywhere`."""
    selector = f'"{LABEL}" in worker.labels' if anywhere else f'worker.labels["{LABEL}"] == "{BUSY}"'
    return run_pb2.RunSpec(
        title=name,
        suite=suite_pb2.Suite(name=name, runner="noop", cases=[f"case-{number}" for number in range(tasks)]),
        workspace=suite_pb2.Workspace(none=True),
        targets=[suite_pb2.Target(name="any", selector=selector, request=suite_pb2.Request(slots_max=slots))],
        policy=suite_pb2.Policy(max_cases_per_task=1, priority=priority),
    )

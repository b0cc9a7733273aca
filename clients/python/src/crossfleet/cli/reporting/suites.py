"""Which suite a target of a run tests."""

from __future__ import annotations

from crossfleet.api.types.v1 import run_pb2, suite_pb2


def suite_on(run: run_pb2.Run, target: str) -> suite_pb2.Suite:
    """The target's own suite, else the run's."""
    own = (one.suite for one in run.spec.targets if one.name == target and one.HasField("suite"))
    return next(own, run.spec.suite)


def tests_pytest(run: run_pb2.Run) -> bool:
    """Whether one of its suites is pytest's."""
    names = [target.name for target in run.spec.targets] or [""]
    return any(suite_on(run, name).runner == "pytest" for name in names)

"""What a run wishes that makes no difference with the workers that there are."""

from __future__ import annotations

from crossfleet.api.types.v1 import device_pb2, run_pb2
from crossfleet.cli.running.wishes import unheeded


def worker(name: str, host: str, **labels: str) -> device_pb2.Worker:
    made = device_pb2.Worker(worker_id=name, host=host, labels=labels)
    made.devices.add(device_id=f"{name}-gpu", capacities={"memory": 1}).attributes["watts"].double_value = 300.0
    return made


def wishing(least: str = "", speculate: int = 0) -> run_pb2.RunSpec:
    spec = run_pb2.RunSpec()
    spec.policy.speculate_percent = speculate
    for name in ("a", "b"):
        spec.targets.add(name=name).request.prefer_least = least
    return spec


ONE_HOST = [worker("w1", "h1", cost_per_hour="2"), worker("w2", "h1")]
TWO_HOSTS = [*ONE_HOST, worker("w3", "h2")]


def test_a_name_that_no_worker_has_is_told_once_with_the_nearest_that_exists() -> None:
    (told,) = unheeded(wishing("cost_per_hours"), TWO_HOSTS)
    assert told.startswith("--prefer-least cost_per_hours: no worker has such a label, and no device such an attribute")
    assert told.endswith("did you mean 'cost_per_hour'?")
    for known in ("cost_per_hour", "watts", "memory"):
        assert not list(unheeded(wishing(known), TWO_HOSTS))


def test_a_second_execution_needs_a_second_host() -> None:
    assert list(unheeded(wishing(speculate=5), ONE_HOST)) == [
        "--speculate: a case is executed a second time on another host, and all workers are on h1"
    ]
    assert not list(unheeded(wishing(speculate=5), TWO_HOSTS))
    assert not list(unheeded(wishing(), ONE_HOST))

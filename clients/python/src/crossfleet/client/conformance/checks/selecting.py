"""What selectors mean, where another implementation of CEL may differ."""

from __future__ import annotations

from collections.abc import Iterable

from crossfleet.api.types.v1.device_pb2 import Device, Worker
from crossfleet.client.conformance.check import Check, Step
from crossfleet.client.conformance.expecting import Holds, Only
from crossfleet.client.conformance.rows import GIB, device, group, request, version, wants, worker

_WRONG = "work goes where its target does not want it, or nowhere"


def _of_workers(word: str, sentence: str, selector: str, workers: Iterable[Worker], why: str = _WRONG) -> Check:
    """Of the workers w1 and w2, of one slot each, the selector takes the second."""
    return Check(
        f"selector.{word}",
        sentence,
        why,
        steps=(
            Step(
                tuple(workers),
                (group("g1", 2, selector=selector, workers=("w2",)),),
                expect=(Holds("g1", 1), Only("g1", ("w2",))),
            ),
        ),
    )


def _of_devices(word: str, sentence: str, selector: str, bad: Device, good: Device) -> Check:
    """Of two devices of one worker the selector takes the second."""
    return Check(
        f"selector.{word}",
        sentence,
        _WRONG,
        steps=(
            Step(
                (worker("w1", 2, devices=(bad, good)),),
                (group("g1", 2, selector=selector, devices=(good.device_id,)),),
                expect=(Holds("g1", 1),),
            ),
        ),
    )


def _sized(name: str, memory: int) -> Device:
    made = device(name)
    made.capacities["memory"] = memory
    return made


def _versioned(name: str, text: str) -> Worker:
    made = worker(name, 1)
    made.version = text
    return made


CHECKS = (
    _of_workers(
        "cores",
        "Cores, a number with fractions, are compared with whole numbers",
        "worker.cpu_cores >= 4",
        (worker("w1", 1, cores=3.5), worker("w2", 1, cores=4.0)),
    ),
    _of_workers(
        "memory",
        "A worker's memory is compared with a quantity",
        'worker.memory >= quantity("16Gi")',
        (worker("w1", 1, memory=16 * GIB - 1), worker("w2", 1, memory=16 * GIB)),
    ),
    _of_workers(
        "worker-version",
        "A worker's version is compared part by part",
        'version(worker.version) >= version("0.10")',
        (_versioned("w1", "0.9.2"), _versioned("w2", "0.10.0")),
    ),
    _of_workers(
        "pattern",
        "A pattern is searched for in a text",
        'worker.name.matches("[2-9]$")',
        (worker("w1", 1), worker("w2", 1)),
    ),
    _of_workers(
        "absent",
        "Whether there is a label can be asked",
        "!has(worker.labels.zone)",
        (worker("w1", 1, labels={"zone": "eu"}), worker("w2", 1)),
    ),
    _of_workers(
        "missing-either",
        "One side of || is enough, also where the other one speaks of a label that is missing",
        'worker.labels.zone == "eu" || worker.labels.disk == "fast"',
        (worker("w1", 1), worker("w2", 1, labels={"disk": "fast"})),
        "a worker that would do stays idle",
    ),
    _of_workers(
        "loop",
        "A selector that looks through all devices is about the worker: no device is granted",
        'devices.exists(device, device.class == "gpu")',
        (worker("w1", 1, devices=(device("npu-0", "npu"),)), worker("w2", 1, devices=(device("gpu-0"),))),
        "the proposal is refused, and the device is missing elsewhere",
    ),
    _of_devices(
        "fraction",
        "A quantity may have a fraction",
        'device.memory >= quantity("1.5GiB")',
        device("small-0", memory=3 * GIB // 2 - 1),
        device("large-0", memory=3 * GIB // 2),
    ),
    _of_devices(
        "capacity",
        "A capacity is named as an attribute is",
        'device.memory >= quantity("1Gi") && device.capacities.memory < quantity("3G")',
        _sized("small-0", GIB - 1),
        _sized("large-0", 2 * GIB),
    ),
    _of_devices(
        "pre-release",
        "A pre-release is older than its release",
        'version(device.driver) >= version("550")',
        device("old-0", driver=version("550.0rc1")),
        device("new-0", driver=version("550.0")),
    ),
    _of_devices(
        "build",
        "A version with another suffix is newer than the plain one",
        'version(device.driver) > version("550.54")',
        device("old-0", driver=version("550.54.0")),
        device("new-0", driver=version("550.54-server")),
    ),
    _of_devices(
        "fact",
        "A condition that is only a fact can be excluded",
        '!("thermal_throttled" in device.conditions)',
        device("hot-0", conditions=("thermal_throttled",)),
        device("cold-0"),
    ),
    _of_devices(
        "named",
        "An attribute can be named as text",
        'device.attributes["model"] == "B"',
        device("a-0", model="A"),
        device("b-0", model="B"),
    ),
    Check(
        "selector.both",
        "A device satisfies the target's selector and the request's own",
        "the wrong device is used",
        steps=(
            Step(
                (
                    worker(
                        "w1",
                        4,
                        devices=(
                            device("a-0", model="A", memory=GIB),
                            device("b-0", model="B", memory=1),
                            device("c-0", model="B", memory=GIB),
                        ),
                    ),
                ),
                (
                    group(
                        "g1",
                        4,
                        selector='device.memory >= quantity("1Gi")',
                        request=request(devices=(wants("gpu", 1, 'device.model == "B"'),)),
                        devices=("c-0",),
                    ),
                ),
                expect=(Holds("g1", 1),),
            ),
        ),
    ),
)

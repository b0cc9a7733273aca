"""Devices: which, how many, and nobody twice."""

from __future__ import annotations

from crossfleet.client.conformance.check import Check, Step
from crossfleet.client.conformance.expecting import Holds, Nothing, Only, Together
from crossfleet.client.conformance.rows import Holding, device, group, request, version, wants, worker

_GPU = request(devices=(wants("gpu"),))
_PAIR = (device("gpu-0"), device("gpu-1"))
_NEW, _OLD = device("new-0", driver=version("550.100")), device("old-0", driver=version("550.9"))

CHECKS = (
    Check(
        "device.granted",
        "A request for a device is proposed with the device's id",
        "the proposal is refused",
        steps=(Step((worker("w1", 4, devices=_PAIR),), (group("g1", 1, request=_GPU),), expect=(Holds("g1", 1),)),),
    ),
    Check(
        "device.each-slot",
        "Each slot gets a device of its own, so that devices limit slots",
        "two slots would share a device that one wants for itself",
        steps=(Step((worker("w1", 4, devices=_PAIR),), (group("g1", 4, request=_GPU),), expect=(Holds("g1", 2),)),),
    ),
    Check(
        "device.two-groups",
        "No device goes to two groups",
        "the later one is refused",
        steps=(
            Step(
                (worker("w1", 4, devices=_PAIR),),
                (group("g1", 2, request=_GPU), group("g2", 2, request=_GPU)),
                expect=(Together(("g1", "g2"), 2),),
            ),
        ),
    ),
    Check(
        "device.held",
        "A device that somebody holds is not given away",
        "two runs would use it at once",
        steps=(
            Step(
                (worker("w1", 4, devices=_PAIR),),
                (group("g1", 0, request=_GPU), group("g2", 2, request=_GPU)),
                (Holding("h1", "g1", "w1", 1, ("gpu-0",)),),
                expect=(Holds("g2", 1),),
            ),
            Step(gone=("h1", "g1"), expect=(Holds("g2", 2),)),
        ),
    ),
    Check(
        "device.count",
        "A slot that asks for two devices gets both, on one worker",
        "half of what is asked for is useless",
        steps=(
            Step(
                (worker("w1", 4, devices=(device("one-0"),)), worker("w2", 4, devices=(*_PAIR, device("gpu-2")))),
                (group("g1", 4, request=request(devices=(wants("gpu", 2),))),),
                expect=(Holds("g1", 1), Only("g1", ("w2",))),
            ),
        ),
    ),
    Check(
        "device.class",
        "A device of another class does not do",
        "an NPU is no GPU",
        steps=(
            Step(
                (worker("w1", 4, devices=(device("npu-0", "npu"),)),),
                (group("g1", 1, request=_GPU),),
                expect=(Nothing(),),
            ),
            Step((worker("w2", 1, devices=(device("gpu-9"),)),), expect=(Holds("g1", 1), Only("g1", ("w2",)))),
        ),
    ),
    Check(
        "device.two-classes",
        "A slot that asks for devices of two classes gets one of each",
        "half of what is asked for is useless",
        steps=(
            Step(
                (worker("w1", 4, devices=(*_PAIR, device("npu-0", "npu"))),),
                (group("g1", 4, request=request(devices=(wants("gpu"), wants("npu")))),),
                expect=(Holds("g1", 1),),
            ),
        ),
    ),
    Check(
        "device.not-asked",
        "Work that asks for no device gets none",
        "the proposal is refused, and the device is missing elsewhere",
        steps=(Step((worker("w1", 2, devices=_PAIR),), (group("g1", 2),), expect=(Holds("g1", 2),)),),
    ),
    Check(
        "device.shared",
        "Processors serve several slots at once",
        "cores are counted as cores, not as devices",
        steps=(
            Step(
                (worker("w1", 3, devices=(device("cpu-0", "cpu"),)),),
                (group("g1", 3, request=request(devices=(wants("cpu"),))),),
                expect=(Holds("g1", 3),),
            ),
        ),
    ),
    Check(
        "device.selector",
        "A request's selector chooses among devices",
        "the wrong device is used",
        steps=(
            Step(
                (worker("w1", 4, devices=(device("a-0", model="A"), device("b-0", model="B"))),),
                (group("g1", 4, request=request(devices=(wants("gpu", 1, 'device.model == "B"'),)), devices=("b-0",)),),
                expect=(Holds("g1", 1),),
            ),
        ),
    ),
    Check(
        "device.implied",
        "A target whose selector speaks of a device gets one for each slot",
        "the proposal without a device is refused",
        steps=(
            Step(
                (worker("w1", 4, devices=(device("a-0", model="A"), device("b-0", model="B"))),),
                (group("g1", 4, selector='device.class == "gpu" && device.model == "B"', devices=("b-0",)),),
                expect=(Holds("g1", 1),),
            ),
        ),
    ),
    Check(
        "device.version",
        "Versions are compared part by part, not as text",
        "550.9 is older than 550.100",
        steps=(
            Step(
                (worker("w1", 4, devices=(_OLD,)), worker("w2", 4, devices=(_NEW,))),
                (
                    group(
                        "g1",
                        2,
                        selector='version(device.driver) >= version("550.54")',
                        devices=("new-0",),
                    ),
                ),
                expect=(Holds("g1", 1), Only("g1", ("w2",))),
            ),
        ),
    ),
    Check(
        "device.quantity",
        "Sizes are compared as numbers of bytes",
        "16Gi is 17179869184",
        steps=(
            Step(
                (
                    worker("w1", 4, devices=(device("small-0", memory=17_000_000_000),)),
                    worker("w2", 4, devices=(device("large-0", memory=2**34),)),
                ),
                (group("g1", 2, selector='device.memory >= quantity("16Gi")', devices=("large-0",)),),
                expect=(Holds("g1", 1), Only("g1", ("w2",))),
            ),
        ),
    ),
    Check(
        "device.missing-attribute",
        "A device that lacks an attribute does not match",
        "what is missing is not larger than anything",
        steps=(
            Step(
                (
                    worker("w1", 4, devices=(device("bare-0"),)),
                    worker("w2", 4, devices=(device("large-0", memory=2**34),)),
                ),
                (group("g1", 2, selector='device.memory >= quantity("1Gi")', devices=("large-0",)),),
                expect=(Holds("g1", 1), Only("g1", ("w2",))),
            ),
        ),
    ),
    Check(
        "device.list",
        "Membership in a list attribute is understood",
        "CPU features are lists",
        steps=(
            Step(
                (
                    worker("w1", 4, devices=(device("a-0", features=("fp16",)),)),
                    worker("w2", 4, devices=(device("b-0", features=("fp16", "fp8")),)),
                ),
                (group("g1", 2, selector='"fp8" in device.features', devices=("b-0",)),),
                expect=(Holds("g1", 1), Only("g1", ("w2",))),
            ),
        ),
    ),
    *(
        Check(
            f"device.{condition}",
            f"A device that is {condition} gets no work",
            "the run would fail there",
            steps=(
                Step(
                    (worker("w1", 4, devices=(device("bad-0", conditions=(condition,)), device("good-0"))),),
                    (group("g1", 2, request=_GPU),),
                    expect=(Holds("g1", 1),),
                ),
            ),
        )
        for condition in ("quarantined", "unhealthy", "lost")
    ),
    Check(
        "device.condition",
        "A condition that is only a fact keeps no work away",
        "a throttled device still works",
        steps=(
            Step(
                (worker("w1", 4, devices=(device("hot-0", conditions=("thermal_throttled",)),)),),
                (group("g1", 1, request=_GPU),),
                expect=(Holds("g1", 1),),
            ),
        ),
    ),
)

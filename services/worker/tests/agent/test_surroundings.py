"""What a case sees around it, and what it leaves: variables, devices, artifacts, live output."""

from __future__ import annotations

import json

from crossfleet.api.types.v1 import device_pb2, result_pb2, suite_pb2
from crossfleet.worker.processenv import amounts, passed_through, visible
from services.worker.tests.agent.stage import staged

TELLS = """
import json, os, pathlib

def test_tells():
    pathlib.Path(os.environ["CROSSFLEET_ARTIFACTS"], "env.json").write_text(json.dumps(dict(os.environ)))
"""


def _gpu(name: str, vendor: str, **attributes: device_pb2.AttributeValue) -> device_pb2.Device:
    vendors = {"vendor": device_pb2.AttributeValue(string_value=vendor), **attributes}
    return device_pb2.Device(device_id=name, device_class="gpu", attributes=vendors)


async def test_a_case_sees_its_place_in_the_fleet_and_what_it_leaves_is_kept() -> None:
    async with staged() as stage:
        stage.suite(test_t=TELLS)
        await stage.ready(stage.start(environment={"SECRET_OF_THE_WORKER": "x", "LC_ALL": "C.UTF-8"}))
        stage.open(
            slots=[3],
            suite=suite_pb2.Suite(name="s", runner="pytest", variables={"FROM_SUITE": "s", "FROM_BOTH": "s"}),
            environment=suite_pb2.Environment(variables={"FROM_BOTH": "t"}),
            seed=4711,
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        await stage.collected()
        stage.assign(1, [0], slot=3)
        await stage.finished(1)
        await stage.until(lambda: "w1/3/env.json" in stage.store.artifacts, "the artifact")
        artifact = stage.store.artifacts["w1/3/env.json"]
        seen = json.loads(stage.store.blobs[artifact.digest])
        expected = {
            "CROSSFLEET_RUN": "run-1",
            "CROSSFLEET_TARGET": "default",
            "CROSSFLEET_WORKER": "w1",
            "CROSSFLEET_SLOT": "3",
            "PYTHONHASHSEED": "4711",
            "TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "FROM_SUITE": "s",
            "FROM_BOTH": "t",
            "CUDA_VISIBLE_DEVICES": "",
            "ROCR_VISIBLE_DEVICES": "",
            "HIP_VISIBLE_DEVICES": "",
            "LC_ALL": "C.UTF-8",
        }
        assert {name: seen.get(name) for name in expected} == expected
        assert "SECRET_OF_THE_WORKER" not in seen
        assert (artifact.run_id, artifact.target, artifact.media_type) == ("run-1", "default", "application/json")


async def test_output_that_no_capture_took_is_pushed_live() -> None:
    async with staged() as stage:
        await stage.ready(stage.start())
        said = "import sys; sys.stdout.write('said live'); sys.stdout.buffer.write(bytes([0xff]))"
        stage.open(
            suite=suite_pb2.Suite(name="c", runner="command", arguments=["python3", "-c", said]),
            workspace=suite_pb2.Workspace(none=True),
        )
        await stage.collected()
        stage.assign(1, [0])
        end = await stage.finished(1)
        await stage.until(lambda: "said live" in stage.store.output(), "the live output")
        chunk = next(chunk for chunk in stage.store.chunks if b"said live" in chunk.content)
        assert end.cause == result_pb2.CAUSE_DONE
        assert (chunk.run_id, chunk.target, chunk.worker_id, chunk.slot) == ("run-1", "default", "w1", 0)
        assert b"\xff" in b"".join(chunk.content for chunk in stage.store.chunks)


def test_only_the_granted_devices_are_visible() -> None:
    uuid = device_pb2.AttributeValue(string_value="GPU-1")
    granted = [_gpu("d0", "nvidia", uuid=uuid), _gpu("d1", "amd", index=device_pb2.AttributeValue(int_value=2))]
    assert visible(granted) == {
        "CUDA_VISIBLE_DEVICES": "GPU-1",
        "ROCR_VISIBLE_DEVICES": "2",
        "HIP_VISIBLE_DEVICES": "0",
        "ONEAPI_DEVICE_SELECTOR": "!*:gpu",
    }


def test_a_slot_is_told_how_much_of_a_shared_device_it_may_use() -> None:
    portions = [device_pb2.DevicePortion(device_id="d0", capacities={"memory": 4 * 2**30, "video-sessions": 1})]
    assert amounts([_gpu("d0", "nvidia"), _gpu("d1", "nvidia")], portions) == {
        "CROSSFLEET_GPU_MEMORY": str(4 * 2**30),
        "CROSSFLEET_GPU_VIDEO_SESSIONS": "1",
    }


def test_only_what_is_listed_is_passed_through() -> None:
    own = {"PATH": "/bin", "LC_TIME": "C", "XDG_CACHE_HOME": "/c", "AWS_SECRET_ACCESS_KEY": "x", "EXTRA": "1"}
    assert passed_through(own, ["EXTRA"]) == {"PATH": "/bin", "LC_TIME": "C", "XDG_CACHE_HOME": "/c", "EXTRA": "1"}

"""How an agent goes: asked, told twice, cut off from its supervisor, refused."""

from __future__ import annotations

import json
import os
import signal

import psutil
import pytest

from crossfleet.api.types.v1 import result_pb2
from crossfleet.foundation.errors import ProtocolVersionUnsupported
from services.worker.tests.agent.stage import staged
from services.worker.tests.agent.test_durability import at_the_gate

ENDLESS = "import time\n\ndef test_endless():\n    time.sleep(600)\n"


async def test_an_idle_agent_that_is_asked_to_stop_leaves_at_once_with_its_shim() -> None:
    async with staged() as stage:
        agent = stage.start()
        await stage.ready(agent)
        agent.send_signal(signal.SIGTERM)
        assert await stage.ended(agent) == 0
        await stage.until(lambda: not stage.shims(), "the end of the shim")
        assert stage.coordinator.leaving


async def test_a_test_that_ends_within_the_grace_counts() -> None:
    async with staged() as stage:
        gate = await at_the_gate(stage)
        (agent,) = stage.agents
        agent.send_signal(signal.SIGTERM)
        await stage.until(lambda: stage.coordinator.draining, "the agent to say that it leaves")
        gate.touch()
        assert await stage.ended(agent) == 0
        assert stage.coordinator.results[1, 1].outcome == result_pb2.OUTCOME_PASSED
        assert stage.coordinator.finished[1].cause == result_pb2.CAUSE_DONE


async def test_a_test_that_outlives_the_grace_is_left_to_other_hosts() -> None:
    async with staged() as stage:
        stage.suite(test_e=ENDLESS)
        agent = stage.start("--drain-seconds", "0.2", "--grace-seconds", "0.5")
        await stage.ready(agent)
        stage.open()
        await stage.collected()
        stage.assign(1, [0])
        await stage.until(lambda: stage.coordinator.progress, "the case to begin")
        agent.send_signal(signal.SIGTERM)
        assert await stage.ended(agent) == 0
        assert stage.coordinator.finished[1].cause == result_pb2.CAUSE_HOST_LOST
        assert list(stage.coordinator.finished[1].left_case_indices) == [0]


async def test_a_host_on_which_every_process_is_told_to_end_fails_no_case() -> None:
    async with staged() as stage:
        stage.suite(test_e=ENDLESS)
        agent = stage.start("--drain-seconds", "0.2", "--grace-seconds", "0.5")
        await stage.ready(agent)
        stage.open()
        await stage.collected()
        stage.assign(1, [0])
        await stage.until(lambda: stage.coordinator.progress, "the case to begin")
        shim, *runners = psutil.Process(agent.pid).children(recursive=True)
        # As systemd and batch systems do it, in the order that is worst: the shim has found the case's own process dead.
        for process in reversed(runners):
            process.terminate()
        await stage.until(lambda: not runners[-1].is_running(), "the end of the case's process")
        shim.terminate()
        agent.terminate()
        assert await stage.ended(agent) == 0
        assert stage.coordinator.results == {}


async def test_the_end_of_the_lifeline_ends_agent_and_shim() -> None:
    async with staged() as stage:
        read, write = os.pipe()
        os.set_inheritable(read, True)
        agent = stage.start("--lifeline-fd", str(read), inherited=(read,))
        os.close(read)
        await stage.ready(agent)
        os.close(write)
        assert await stage.ended(agent) == 0
        await stage.until(lambda: not stage.shims(), "the end of the shim")


async def test_an_agent_whose_protocol_is_unknown_says_so_and_ends() -> None:
    async with staged() as stage:
        stage.coordinator.refusal = ProtocolVersionUnsupported("this coordinator speaks 2 to 3", got=1)
        agent = stage.start()
        answer = await stage.ready(agent)
        assert await stage.ended(agent) == 3
        assert answer["ready"] is False
        assert answer["reason"] == "PROTOCOL_VERSION_UNSUPPORTED"


async def test_a_second_agent_on_one_state_folder_is_refused() -> None:
    async with staged() as stage:
        await stage.ready(stage.start())
        second = stage.start()
        answer = await stage.ready(second)
        assert await stage.ended(second) == 3
        assert answer["reason"] == "DATA_FOLDER_IN_USE"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["--coordinator", "nowhere"], "nowhere"),
        (["--label", "novalue"], "label"),
        (["--name", "no/slash"], "name"),
        (["--slots", "-1"], "slots"),
    ],
)
async def test_a_wrong_setting_is_named(arguments: list[str], field: str) -> None:
    async with staged() as stage:
        agent = stage.start(*arguments)
        answer = json.dumps(await stage.ready(agent))
        assert await stage.ended(agent) in (2, 3)
        assert field in answer


async def test_an_agent_that_may_leaves_once_it_has_held_nothing_for_so_long() -> None:
    async with staged() as stage:
        stage.suite(test_s="def test_short(): pass\n")
        stage.coordinator.lease_seconds = 1.5
        agent = stage.start("--idle-exit-seconds", "1")
        await stage.ready(agent)
        stage.open()
        await stage.collected()
        # Two seconds, by heartbeats, with an allocation and nothing to execute: it may yet be given work.
        beats = stage.coordinator.sitting.heartbeats
        await stage.until(lambda: stage.coordinator.sitting.heartbeats >= beats + 4, "heartbeats")
        stage.assign(1, [0])
        await stage.until(lambda: 1 in stage.coordinator.finished, "the end of the attempt")
        assert agent.poll() is None
        stage.close_allocation()
        assert await stage.ended(agent) == 0
        assert stage.coordinator.leaving
        assert any("idle for 1 s" in reason for reason in stage.coordinator.draining)

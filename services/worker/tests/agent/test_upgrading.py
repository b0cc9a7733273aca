"""An agent gets other code while tests run: it takes its shim over, and replaces it when nothing runs in it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from crossfleet.api.types.v1 import result_pb2
from services.worker.tests.agent.stage import Stage, staged
from services.worker.tests.agent.test_durability import at_the_gate

NEXT_VERSION = """
import importlib.metadata
importlib.metadata.version = lambda name: "99.0"
import sys
from crossfleet.worker.main import main
sys.exit(main())
"""
NEXT_PROTOCOL = """
import sys
from crossfleet.worker.shim import register
register.PROTOCOL = 99
from crossfleet.worker.shim.main import main
sys.exit(main(sys.argv[1:]))
"""
TOLD_TO_GO = """
import os, signal, sys
from crossfleet.worker.main import main
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.kill(os.getpid(), signal.SIGTERM)
sys.exit(main())
"""
NEXT_AGENT = NEXT_VERSION.replace(
    "import sys\n", "import sys\nfrom crossfleet.worker import succession\nsuccession.PROTOCOL = 99\n", 1
)


async def gone(stage: Stage, shim: int) -> None:
    """Wait until another shim is in the place of that one."""
    await stage.until(lambda: stage.shims() and shim not in stage.shims(), "another shim")


async def test_an_agent_told_to_hang_up_starts_anew_in_its_process_while_its_test_goes_on() -> None:
    async with staged() as stage:
        gate = await at_the_gate(stage)
        (agent,), shims = stage.agents, stage.shims()
        began = Path(f"/proc/{agent.pid}/cmdline").read_bytes()

        agent.send_signal(signal.SIGHUP)
        sitting = await stage.coordinator.joined(2)
        await stage.ready(agent)
        gate.touch()
        end = await stage.finished(1)

        assert agent.poll() is None
        assert Path(f"/proc/{agent.pid}/cmdline").read_bytes() == began
        assert [list(held.attempt_ids) for held in sitting.hello.allocations] == [[1]]
        assert (end.cause, stage.shims()) == (result_pb2.CAUSE_DONE, shims)
        # What it had said before may be said again: nobody has told it yet that it was heard.
        assert stage.coordinator.seen[1, 1] == 1


async def test_an_agent_may_hang_up_again_and_again() -> None:
    async with staged() as stage:
        gate = await at_the_gate(stage)
        (agent,) = stage.agents
        for sessions in range(2, 5):
            agent.send_signal(signal.SIGHUP)
            await stage.coordinator.joined(sessions)
        gate.touch()
        assert (await stage.finished(1)).cause == result_pb2.CAUSE_DONE
        stage.close_allocation()
        await stage.allocation_ended()
        agent.send_signal(signal.SIGTERM)
        assert await stage.ended(agent) == 0
        await stage.until(lambda: not stage.shims() and not stage.runners(), "the end of everything")


async def test_an_agent_that_is_told_to_go_while_it_starts_anew_goes_in_good_order() -> None:
    async with staged() as stage:
        gate = await at_the_gate(stage)
        (agent,) = stage.agents
        os.kill(agent.pid, signal.SIGSTOP)
        agent.send_signal(signal.SIGHUP)
        agent.send_signal(signal.SIGTERM)
        os.kill(agent.pid, signal.SIGCONT)
        await stage.until(lambda: stage.coordinator.draining, "the agent to say that it leaves")
        gate.touch()
        assert await stage.ended(agent) == 0
        assert stage.coordinator.results[1, 1].outcome == result_pb2.OUTCOME_PASSED


async def test_an_agent_that_is_told_to_go_before_it_has_met_its_shim_goes_in_good_order() -> None:
    async with staged() as stage:
        gate = await at_the_gate(stage)
        stage.agents[0].kill()
        stage.agents[0].wait()
        agent = stage.start(program=("-c", TOLD_TO_GO))
        await stage.until(lambda: stage.coordinator.draining, "the agent to say that it leaves")
        gate.touch()
        assert await stage.ended(agent) == 0
        assert stage.coordinator.results[1, 1].outcome == result_pb2.OUTCOME_PASSED
        await stage.until(lambda: not stage.shims(), "the end of the shim")


async def test_an_agent_that_was_started_anew_still_ends_with_its_lifeline() -> None:
    async with staged() as stage:
        read, write = os.pipe()
        os.set_inheritable(read, True)
        agent = stage.start("--lifeline-fd", str(read), inherited=(read,))
        os.close(read)
        await stage.ready(agent)
        await stage.coordinator.joined(1)
        agent.send_signal(signal.SIGHUP)
        await stage.coordinator.joined(2)
        os.close(write)
        assert await stage.ended(agent) == 0
        await stage.until(lambda: not stage.shims(), "the end of the shim")


async def test_a_shim_of_another_version_keeps_its_tests_and_is_replaced_when_it_holds_nothing() -> None:
    async with staged() as stage:
        gate = await at_the_gate(stage)
        (shim,) = stage.shims()
        stage.agents[0].kill()
        stage.agents[0].wait()

        await stage.ready(stage.start(program=("-c", NEXT_VERSION)))
        sitting = await stage.coordinator.joined(2)
        assert list(sitting.hello.worker.taints) == ["upgrading"]
        gate.touch()
        assert (await stage.finished(1)).cause == result_pb2.CAUSE_DONE
        assert stage.shims() == [shim]
        stage.close_allocation()
        await stage.allocation_ended()

        await gone(stage, shim)
        sitting = await stage.coordinator.joined(3)
        assert list(sitting.hello.worker.taints) == []
        assert sitting.hello.worker.version == "99.0"
        stage.open("a2")
        await stage.collected("a2")


async def test_an_idle_shim_of_another_version_is_replaced_at_once() -> None:
    async with staged() as stage:
        agent = stage.start()
        await stage.ready(agent)
        (shim,) = stage.shims()
        agent.kill()
        agent.wait()
        await stage.ready(stage.start(program=("-c", NEXT_VERSION)))
        await gone(stage, shim)
        assert shim not in stage.shims()


async def test_a_shim_whose_protocol_is_unknown_is_drained_and_then_replaced() -> None:
    async with staged() as stage:
        gate = await at_the_gate(stage)
        (shim,) = stage.shims()
        stage.agents[0].kill()
        stage.agents[0].wait()

        await stage.ready(stage.start(program=("-c", NEXT_AGENT)))
        await stage.coordinator.joined(2)
        stage.assign(2, [0])
        left = await stage.finished(2)
        assert (left.cause, list(left.left_case_indices)) == (result_pb2.CAUSE_HOST_LOST, [0])
        assert "protocol" in left.message
        stage.open("a2")
        assert "protocol" in (await stage.allocation_ended("a2")).message

        gate.touch()
        assert (await stage.finished(1)).cause == result_pb2.CAUSE_DONE
        assert stage.coordinator.results[1, 1].outcome == result_pb2.OUTCOME_PASSED
        await stage.allocation_ended("a1")
        await gone(stage, shim)

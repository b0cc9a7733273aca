"""Nothing is lost and nothing counts twice: lost sessions, dead agents, dead shims, slow acknowledgements."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from crossfleet.api.types.v1 import result_pb2
from crossfleet.foundation.errors import NotLeader
from services.worker.tests.agent.stage import Stage, staged

GATED = """
import pathlib, time
GATE = pathlib.Path(__file__).with_name("gate")

def test_first():
    pass

def test_waits_at_the_gate():
    GATE.with_name("waits").touch()
    while not GATE.exists():
        time.sleep(0.01)
"""


async def at_the_gate(stage: Stage, *arguments: str, environment: dict[str, str] | None = None) -> Path:
    """One attempt of which the first case is done and the second one waits."""
    root = stage.suite(test_g=GATED)
    await stage.ready(stage.start(*arguments, environment=environment))
    stage.open()
    await stage.collected()
    stage.assign(1, [0, 1])
    await stage.until(lambda: (1, 0) in stage.coordinator.results, "the first result")
    await stage.until((root / "waits").exists, "the second case to wait")
    return root / "gate"


async def test_a_lost_session_is_resumed_and_the_test_goes_on() -> None:
    async with staged() as stage:
        gate = await at_the_gate(stage)
        stage.coordinator.drop()
        sitting = await stage.coordinator.joined(2)
        gate.touch()
        end = await stage.finished(1)
        assert [list(held.attempt_ids) for held in sitting.hello.allocations] == [[1]]
        assert end.cause == result_pb2.CAUSE_DONE
        assert stage.coordinator.seen[1, 1] == 1


async def test_a_killed_agent_leaves_its_test_running_and_its_successor_takes_it_over() -> None:
    async with staged() as stage:
        gate = await at_the_gate(stage)
        shims = stage.shims()
        stage.agents[0].kill()
        stage.agents[0].wait()
        await stage.ready(stage.start())
        sitting = await stage.coordinator.joined(2)
        gate.touch()
        end = await stage.finished(1)
        assert stage.shims() == shims
        assert sitting.hello.worker.incarnation == stage.coordinator.sittings[0].hello.worker.incarnation
        assert [list(held.attempt_ids) for held in sitting.hello.allocations] == [[1]]
        assert end.cause == result_pb2.CAUSE_DONE
        assert stage.coordinator.results[1, 1].outcome == result_pb2.OUTCOME_PASSED


async def test_results_of_an_agent_that_died_before_the_acknowledgement_come_again() -> None:
    async with staged() as stage:
        stage.coordinator.acknowledging = False
        gate = await at_the_gate(stage)
        gate.touch()
        await stage.finished(1)
        stage.agents[0].kill()
        stage.agents[0].wait()
        stage.coordinator.results.clear()
        stage.coordinator.finished.clear()
        await stage.ready(stage.start())
        end = await stage.finished(1)
        assert end.cause == result_pb2.CAUSE_DONE
        assert {(1, 0), (1, 1)} <= set(stage.coordinator.results)


async def test_a_successor_numbers_its_messages_behind_what_is_committed() -> None:
    async with staged() as stage:
        gate = await at_the_gate(stage)
        stage.agents[0].kill()
        stage.agents[0].wait()
        before = max(stage.coordinator.sittings[0].sequences)
        await stage.ready(stage.start())
        await stage.coordinator.joined(2)
        gate.touch()
        await stage.finished(1)
        sequences = stage.coordinator.sitting.sequences
        assert min(sequences) == before + 1
        assert sequences == list(range(before + 1, before + 1 + len(sequences)))


async def test_what_was_not_acknowledged_is_sent_again_under_the_same_numbers() -> None:
    async with staged() as stage:
        stage.coordinator.acknowledging = False
        gate = await at_the_gate(stage)
        first = list(stage.coordinator.sitting.sequences)
        stage.coordinator.drop()
        sitting = await stage.coordinator.joined(2)
        await stage.until(lambda: sitting.sequences[: len(first)] == first, "the same numbers")
        gate.touch()
        await stage.finished(1)
        assert sitting.hello.first_unacknowledged_sequence == first[0]
        assert stage.coordinator.seen[1, 0] == 2


async def test_a_dead_shim_is_a_new_incarnation_and_its_durable_results_still_arrive() -> None:
    async with staged() as stage:
        stage.coordinator.acknowledging = False
        await at_the_gate(stage)
        before = stage.coordinator.sitting.hello.worker.incarnation
        running = stage.runners()
        stage.coordinator.results.clear()
        os.kill(stage.shims()[0], signal.SIGKILL)
        sitting = await stage.coordinator.joined(2)
        await stage.until(lambda: (1, 0) in stage.coordinator.results, "the durable result")
        await stage.until(lambda: not stage.runners(), "the end of what the dead shim left running")
        assert running
        assert sitting.hello.worker.incarnation != before
        assert not sitting.hello.allocations


async def test_attempts_that_the_coordinator_gave_up_are_cancelled_at_the_welcome() -> None:
    async with staged() as stage:
        await at_the_gate(stage)
        stage.coordinator.keep = lambda hello: ([held.allocation_id for held in hello.allocations], [1])
        stage.coordinator.drop()
        await stage.coordinator.joined(2)
        end = await stage.finished(1)
        assert end.cause == result_pb2.CAUSE_CANCELLED
        assert list(end.left_case_indices) == [1]


async def test_an_allocation_that_is_not_kept_is_closed() -> None:
    async with staged() as stage:
        await at_the_gate(stage)
        stage.coordinator.keep = lambda hello: ([], [])
        stage.coordinator.drop()
        await stage.coordinator.joined(2)
        end = await stage.allocation_ended()
        assert end.cause == result_pb2.CAUSE_DONE


async def test_an_agent_that_starts_before_its_coordinator_finds_it() -> None:
    async with staged(serving=False) as stage:
        agent = stage.start()
        await stage.until(stage.shims, "the shim")
        await stage.serve()
        ready = await stage.ready(agent)
        assert ready["ready"] is True


async def test_a_coordinator_that_comes_back_finds_its_workers_again() -> None:
    async with staged() as stage:
        gate = await at_the_gate(stage)
        await stage.vanish()
        await stage.serve()
        sitting = await stage.coordinator.joined(2)
        gate.touch()
        end = await stage.finished(1)
        assert [list(held.attempt_ids) for held in sitting.hello.allocations] == [[1]]
        assert end.cause == result_pb2.CAUSE_DONE


async def test_a_worker_follows_the_leader() -> None:
    async with staged() as stage, staged() as other:
        stage.coordinator.refusal = NotLeader("ask the leader", leader=other.address)
        await stage.ready(stage.start())
        assert other.coordinator.sitting.hello.worker.worker_id == "w1"


async def test_the_first_heartbeat_comes_behind_the_journal() -> None:
    async with staged() as stage:
        stage.coordinator.acknowledging = False
        gate = await at_the_gate(stage)
        gate.touch()
        await stage.finished(1)
        stage.agents[0].kill()
        stage.agents[0].wait()
        await stage.ready(stage.start())
        sitting = await stage.coordinator.joined(2)
        await stage.until(lambda: sitting.heartbeats, "the first heartbeat")
        assert sitting.before_heartbeat == 2

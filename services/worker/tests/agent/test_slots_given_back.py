"""Single slots are given back through the real agent and shim, also while the coordinator is away."""

from __future__ import annotations

import signal

from crossfleet.api.types.v1 import result_pb2, suite_pb2
from services.worker.tests.agent.stage import Stage, staged

SUITE = """
import pathlib, time

HERE = pathlib.Path(__file__).parent

def test_waits():
    while not (HERE / "gate").exists():
        time.sleep(0.01)

def test_quick():
    pass
"""


async def hanging(stage: Stage) -> None:
    """An allocation of three slots; a case waits on the first."""
    stage.suite(test_a=SUITE)
    await stage.ready(stage.start("--slots", "3"))
    stage.open(slots=[0, 1, 2])
    await stage.collected()
    stage.assign(1, [0])
    stage.assign(2, [1], slot=1)
    await stage.finished(2)


async def closed(stage: Stage, *slots: int) -> None:
    told = stage.coordinator.slots_closed
    await stage.until(lambda: {("a1", slot) for slot in slots} <= set(told), f"slots {slots} are free")


async def test_a_worker_says_that_it_can_and_which_slots_are_left() -> None:
    async with staged() as stage:
        await hanging(stage)
        assert stage.coordinator.sitting.hello.worker.gives_back_slots

        stage.close_slots(1, 2)
        await closed(stage, 1, 2)
        stage.coordinator.drop()
        sitting = await stage.coordinator.joined(2)

        assert [list(held.slots) for held in sitting.hello.allocations] == [[0]]
        (stage.folder / "suite" / "gate").touch()
        assert (await stage.finished(1)).cause == result_pb2.CAUSE_DONE


async def test_the_next_agent_knows_which_slots_its_shim_has_left() -> None:
    async with staged() as stage:
        await hanging(stage)
        stage.close_slots(2)
        await closed(stage, 2)
        stage.agents[0].send_signal(signal.SIGKILL)
        await stage.ended(stage.agents[0])
        stage.start("--slots", "3")
        sitting = await stage.coordinator.joined(2)

        assert [list(held.slots) for held in sitting.hello.allocations] == [[0, 1]]
        stage.close_slots(1, 2)
        await closed(stage, 1)
        (stage.folder / "suite" / "gate").touch()
        await stage.finished(1)


async def test_a_task_for_a_slot_that_was_given_back_goes_back_at_no_cost() -> None:
    async with staged() as stage:
        await hanging(stage)
        stage.close_slots(1)
        await closed(stage, 1)

        stage.assign(9, [1], slot=1)

        end = await stage.finished(9)
        assert (end.cause, list(end.left_case_indices)) == (result_pb2.CAUSE_PREEMPTED, [1])
        (stage.folder / "suite" / "gate").touch()
        await stage.finished(1)


async def test_slots_of_what_needs_no_process_are_free_at_once() -> None:
    async with staged() as stage:
        await stage.ready(stage.start())
        stage.open(suite=suite_pb2.Suite(name="n", runner="noop", cases=["a", "b"]), slots=[0, 1])
        await stage.collected()
        stage.close_slots(1)
        await closed(stage, 1)
        assert stage.coordinator.slots_closed == [("a1", 1)]

"""An agent of this version in the place of one of the version before, and the other way round."""

from __future__ import annotations

import pytest

from crossfleet.api.types.v1 import result_pb2
from services.worker.tests.agent.stage import staged
from services.worker.tests.agent.test_durability import at_the_gate
from tests.upgrade import earlier


@pytest.mark.parametrize("first", ["earlier", "this"])
async def test_a_running_test_outlives_the_change_of_its_agents_version(first: str) -> None:
    before, after = ({}, earlier.environment()) if first == "this" else (earlier.environment(), {})
    async with staged() as stage:
        gate = await at_the_gate(stage, environment=before)
        (shim,) = stage.shims()
        stage.agents[0].kill()
        stage.agents[0].wait()

        await stage.ready(stage.start(environment=after))
        gate.touch()
        assert (await stage.finished(1)).cause == result_pb2.CAUSE_DONE
        assert stage.coordinator.seen[1, 1] == 1
        stage.close_allocation()
        await stage.allocation_ended()
        if first == "earlier":
            await stage.until(lambda: stage.shims() and shim not in stage.shims(), "a shim of this version")
            await stage.coordinator.joined(3)
        stage.open("a2")
        await stage.collected("a2")

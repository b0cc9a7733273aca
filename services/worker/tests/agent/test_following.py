"""A worker among several coordinators."""

from __future__ import annotations

from crossfleet.api.types.v1 import result_pb2
from crossfleet.foundation.errors import NoLeader, NotLeader
from crossfleet.foundation.serve import Server, ServerSettings, ServiceDefinition
from services.worker.tests.agent import coordinator as scripted
from services.worker.tests.agent.coordinator import ScriptedCoordinator
from services.worker.tests.agent.stage import staged
from services.worker.tests.agent.test_durability import at_the_gate


async def test_a_worker_passes_over_a_coordinator_that_is_gone() -> None:
    async with staged(serving=False) as gone, staged() as stage:
        await stage.ready(stage.start("--coordinator", f"{gone.address},{stage.address}"))
        assert stage.coordinator.sitting.hello.worker.worker_id == "w1"


async def test_a_running_test_moves_with_its_worker_to_the_next_leader_and_back() -> None:
    async with staged() as stage, staged() as other:
        other.coordinator.refusal = NotLeader("ask the leader", leader=stage.address)
        gate = await at_the_gate(stage, "--coordinator", f"{stage.address},{other.address}")

        other.coordinator.refusal = None
        other.coordinator.committed_sequence = stage.coordinator.committed_sequence
        await stage.vanish()
        sitting = await other.coordinator.joined()
        assert [list(held.attempt_ids) for held in sitting.hello.allocations] == [[1]]

        await stage.serve()
        other.coordinator.refusal = NotLeader("ask the leader", leader=stage.address)
        other.coordinator.drop()
        await stage.coordinator.joined(2)
        gate.touch()
        end = await stage.finished(1)
        assert end.cause == result_pb2.CAUSE_DONE
        assert stage.coordinator.seen[1, 1] == 1


async def test_a_worker_leaves_a_coordinator_that_has_fallen_silent() -> None:
    async with staged() as silent, staged() as other:
        silent.coordinator.promising_answers, silent.coordinator.lease_seconds = True, 0.5
        await silent.ready(silent.start("--coordinator", f"{silent.address},{other.address}"))

        await other.coordinator.joined()
        assert other.coordinator.sitting.hello.worker.worker_id == "w1"


async def test_a_worker_waits_for_an_election() -> None:
    async with staged() as one, staged() as two:
        one.coordinator.refusal = two.coordinator.refusal = NoLeader("nobody leads yet")
        agent = one.start("--coordinator", f"{one.address},{two.address}")
        await one.until(lambda: one.coordinator.refused and two.coordinator.refused, "both to be asked")
        two.coordinator.refusal = None
        one.coordinator.refusal = NotLeader("ask the leader", leader=two.address)
        await one.ready(agent)
        assert two.coordinator.sitting.hello.worker.worker_id == "w1"


async def test_a_socket_named_by_a_coordinator_of_another_machine_is_refused_and_told() -> None:
    follower = ScriptedCoordinator()
    follower.refusal = NotLeader("ask the leader", leader="unix:/run/c.sock")
    settings = ServerSettings(listen=("0.0.0.0:0",), insecure=True)
    server = Server(ServiceDefinition("coordinator", scripted.servicers(follower)), settings)
    (address,) = await server.start()
    try:
        async with staged(serving=False) as stage:
            agent = stage.start("--coordinator", address)
            answer = await stage.ready(agent)
            assert await stage.ended(agent) == 2
            assert answer["reason"] == "ADDRESS_INVALID"
            assert "--advertise" in str(answer["message"])
    finally:
        await server.abandon()


async def test_a_list_of_addresses_with_a_wrong_one_is_refused_at_the_start() -> None:
    async with staged(serving=False) as stage:
        agent = stage.start("--coordinator", "a:1,nowhere")
        answer = await stage.ready(agent)
        assert answer["reason"] == "ADDRESS_INVALID"
        await stage.ended(agent)

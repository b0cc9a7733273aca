"""The agent's own door."""

from __future__ import annotations

from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from crossfleet.api.worker.v1 import agent_service_pb2 as wire
from crossfleet.api.worker.v1.agent_service_pb2_grpc import AgentServiceStub
from services.worker.tests.agent.stage import Stage, staged


async def _door(stage: Stage) -> grpc.aio.Channel:
    address = f"unix:{stage.folder / 'door.sock'}"
    ready = await stage.ready(stage.start("--listen", address))
    assert ready["address"] == address
    return grpc.aio.insecure_channel(address)


async def test_an_agent_says_what_it_is() -> None:
    async with staged() as stage, await _door(stage) as channel:
        answer = await AgentServiceStub(channel).InspectAgent(wire.InspectAgentRequest())
        assert answer.worker.worker_id == "w1"
        assert answer.worker.devices[0].attributes["cores"].int_value >= 1
        assert set(answer.worker.runners) >= {"pytest", "command", "noop"}
        assert answer.connected
        assert answer.shim_pid in stage.shims()


async def test_a_drained_agent_tells_the_coordinator_and_stays() -> None:
    async with staged() as stage, await _door(stage) as channel:
        await AgentServiceStub(channel).DrainAgent(wire.DrainAgentRequest(reason="new disk"))
        await stage.until(lambda: "new disk" in stage.coordinator.draining, "the notice")
        assert stage.agents[0].poll() is None
        assert not stage.coordinator.leaving


async def test_health_is_answered() -> None:
    async with staged() as stage, await _door(stage) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service=""))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

"""The agent's own door, for operators on its host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crossfleet.api.worker.v1 import agent_service_pb2 as wire
from crossfleet.api.worker.v1.agent_service_pb2_grpc import AgentServiceServicer, add_AgentServiceServicer_to_server
from crossfleet.worker.agent import Agent


class AgentServicer(AgentServiceServicer):
    """Answers what the agent is and does, and drains it."""

    def __init__(self, agent: Agent) -> None:
        """Serve this agent."""
        self._agent = agent

    async def InspectAgent(self, request: wire.InspectAgentRequest, context: Any) -> wire.InspectAgentResponse:
        """The agent as it is."""
        agent = self._agent
        busy = {}
        for attempt, (case, _) in agent.lasting.current.items():
            holding = agent.link.holdings.of(attempt)
            if holding is not None and attempt in holding.attempts:
                busy[holding.attempts[attempt]] = f"allocation {holding.allocation}, attempt {attempt}, case {case}"
        return wire.InspectAgentResponse(
            worker=agent.identity.worker(agent.incarnation, agent.inventory),
            connected=agent.link.connected,
            coordinator_address=agent.connection.address,
            shim_pid=agent.shim.pid,
            unacknowledged=agent.link.window.unacknowledged,
            detector_errors=agent.inventory.troubles,
            busy_slots=busy,
        )

    async def DrainAgent(self, request: wire.DrainAgentRequest, context: Any) -> wire.DrainAgentResponse:
        """Answers once the coordinator was told. What runs goes on, and the agent stays."""
        await self._agent.drain(request.reason or "asked by an operator")
        return wire.DrainAgentResponse()


def servicer(agent: Agent) -> tuple[Callable[[Any, Any], None], Any]:
    """As a service definition takes it."""
    return add_AgentServiceServicer_to_server, AgentServicer(agent)

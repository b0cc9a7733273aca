"""The real gateway process against a coordinator's API served in this process."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from crossfleet.api.coordinator.v1 import fleet_service_pb2, run_service_pb2
from crossfleet.api.coordinator.v1.fleet_service_pb2_grpc import (
    FleetServiceServicer,
    add_FleetServiceServicer_to_server,
)
from crossfleet.api.coordinator.v1.run_service_pb2_grpc import RunServiceServicer, add_RunServiceServicer_to_server
from crossfleet.api.integrations.v1.delivery_service_pb2 import ListConnectorsRequest
from crossfleet.api.integrations.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from crossfleet.api.types.v1 import result_pb2, run_pb2, suite_pb2
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.errors import PageTokenInvalid, RunNotFound
from crossfleet.foundation.serve import ServiceDefinition
from crossfleet.foundation.testing import serving

RUN = run_pb2.Run(
    run_id="run-1",
    spec=run_pb2.RunSpec(project="default", title="nightly", suite=suite_pb2.Suite(name="networkx")),
    state=run_pb2.RUN_STATE_FINISHED,
    verdict=run_pb2.RUN_VERDICT_FAILED,
    counts=result_pb2.Counts(total=3, passed=2, failed=1),
    targets=[run_pb2.TargetStatus(name="cpu", state=run_pb2.TARGET_STATE_FINISHED)],
)
RUN.created_at.FromJsonString("2026-11-23T10:00:00Z")


class Runs(RunServiceServicer):
    """One run, and the errors that the coordinator would answer."""

    async def ListRuns(
        self, request: run_service_pb2.ListRunsRequest, context: Any
    ) -> run_service_pb2.ListRunsResponse:
        if request.page_token:
            raise PageTokenInvalid("this page token is not one of ours", field="page_token")
        wanted = not request.states or RUN.state in request.states
        return run_service_pb2.ListRunsResponse(runs=[RUN] if wanted else [], next_page_token="next")

    async def GetRun(self, request: run_service_pb2.GetRunRequest, context: Any) -> run_service_pb2.GetRunResponse:
        if request.run_id != RUN.run_id:
            raise RunNotFound(f"no run {request.run_id}", run=request.run_id)
        return run_service_pb2.GetRunResponse(run=RUN)


class Fleet(FleetServiceServicer):
    """A fleet that answers."""

    async def GetFleet(
        self, request: fleet_service_pb2.GetFleetRequest, context: Any
    ) -> fleet_service_pb2.GetFleetResponse:
        return fleet_service_pb2.GetFleetResponse(epoch=1)


@dataclass
class Gateway:
    """A running gateway: where it is and what lets one in."""

    web: str
    socket: str
    token: str

    async def get(self, path: str, *, token: str | None = None) -> tuple[int, Any]:
        """Status and decoded body of a GET with the fleet's token, or another one ("" for none)."""
        return await asyncio.to_thread(self._get, path, self.token if token is None else token)

    def _get(self, path: str, token: str) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self.web + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, _body(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _body(error.read())


def _body(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    definition = ServiceDefinition(
        "coordinator",
        [
            (add_RunServiceServicer_to_server, Runs()),  # type: ignore[abstract]  # only reads are asked for
            (add_FleetServiceServicer_to_server, Fleet()),  # type: ignore[abstract]  # the same
        ],
    )
    async with serving(definition) as coordinator:
        socket = f"unix:{tmp_path}/g.sock"
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "crossfleet.integrations", "--coordinator", f"unix:/gone,{coordinator.address}"],
            *["--http", "127.0.0.1:0", "--listen", socket, "--token-file", str(tmp_path / "token")],
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
            yield Gateway(ready["addresses"][-1], socket, (tmp_path / "token").read_text().strip())
        finally:
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_runs_are_answered_with_their_counts_and_times(gateway: Gateway) -> None:
    status, body = await gateway.get("/api/v1/runs")
    assert status == 200
    assert body["next_page_token"] == "next"
    run = body["runs"][0]
    assert (run["run_id"], run["state"], run["verdict"]) == ("run-1", "finished", "failed")
    assert run["counts"]["failed"] == 1
    assert run["created_at"] == "2026-11-23T10:00:00Z"
    assert run["started_at"] is None


async def test_states_filter_and_one_run_can_be_asked_for(gateway: Gateway) -> None:
    assert (await gateway.get("/api/v1/runs?state=queued"))[1]["runs"] == []
    assert (await gateway.get("/api/v1/runs/run-1"))[1]["suite"] == "networkx"


async def test_errors_are_problem_details_with_the_reason_of_grpc(gateway: Gateway) -> None:
    status, body = await gateway.get("/api/v1/runs/run-2")
    assert (status, body["reason"], body["metadata"]["run"]) == (404, "RUN_NOT_FOUND", "run-2")
    assert (await gateway.get("/api/v1/runs?page_token=x"))[0] == 400
    status, body = await gateway.get("/api/v1/runs?page_size=0")
    assert (status, list(body["fields"])) == (400, ["query.page_size"])


async def test_runs_need_the_token_and_health_does_not(gateway: Gateway) -> None:
    assert (await gateway.get("/api/v1/runs", token=""))[1]["reason"] == "UNAUTHENTICATED"
    assert (await gateway.get("/api/v1/runs", token="wrong"))[0] == 401
    assert (await gateway.get("/healthz", token=""))[0] == 200
    assert (await gateway.get("/readyz", token=""))[0] == 200


async def test_metrics_and_the_openapi_description_are_served(gateway: Gateway) -> None:
    status, text = await gateway.get("/metrics", token="")
    assert status == 200
    assert "python_info" in text
    assert (await gateway.get("/api/v1/openapi.json", token=""))[1]["openapi"].startswith("3.1")


async def test_what_is_not_served_yet_says_so(gateway: Gateway) -> None:
    async with open_channel(gateway.socket) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await DeliveryServiceStub(channel).ListConnectors(ListConnectorsRequest())
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "no connectors" in (refused.value.details() or "")


async def test_plain_http_off_loopback_is_refused(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "crossfleet.integrations", "--coordinator", "unix:/nowhere"],
        *["--http", "0.0.0.0:0", "--listen", f"unix:{tmp_path}/g.sock"],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode in {2, 3}
    assert json.loads(out)["reason"] == "INSECURE_TRANSPORT"

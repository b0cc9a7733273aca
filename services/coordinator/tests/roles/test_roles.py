"""Several coordinators on one database: who answers what, and how one takes the place of another."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from crossfleet.api.coordinator.v1 import (
    admin_service_pb2,
    artifact_service_pb2,
    event_service_pb2,
    fleet_service_pb2,
    run_service_pb2,
)
from crossfleet.api.coordinator.v1.admin_service_pb2_grpc import AdminServiceStub
from crossfleet.api.coordinator.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from crossfleet.api.coordinator.v1.event_service_pb2_grpc import EventServiceStub
from crossfleet.api.coordinator.v1.fleet_service_pb2_grpc import FleetServiceStub
from crossfleet.api.coordinator.v1.run_service_pb2_grpc import RunServiceStub
from crossfleet.coordinator.election.port import Leader
from crossfleet.coordinator.roles.following import METHODS, READS
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.roles.conftest import Group, Member, refused
from services.coordinator.tests.running import ScriptedWorker, noop


async def submitted(member: Member, request_id: str = "r1") -> str:
    """The id of a run."""
    request = run_service_pb2.SubmitRunRequest(request_id=request_id, spec=noop(3))
    return str((await RunServiceStub(member.channel).SubmitRun(request)).run.run_id)


def watching(member: Member) -> Any:
    """A watch of all events to come."""
    return EventServiceStub(member.channel).WatchEvents(event_service_pb2.WatchEventsRequest(after="0"))


def test_what_followers_answer_exists() -> None:
    named = {f"{service}/{method}" for service, methods in READS.items() for method in methods}
    known = {path.rpartition("/")[0].rpartition(".")[2] + "/" + path.rpartition("/")[2] for path in METHODS}
    assert named <= known


async def test_a_follower_answers_reads_from_what_the_leader_committed(group: Group) -> None:
    leader, follower = await group.add("a"), await group.add("b")
    await leader.leads()
    worker = ScriptedWorker(leader.channel, slots=4)
    await worker.welcomed()
    run_id = await submitted(leader)

    runs, fleet = RunServiceStub(follower.channel), FleetServiceStub(follower.channel)
    found = (await runs.GetRun(run_service_pb2.GetRunRequest(run_id=run_id))).run
    listed = (await runs.ListRuns(run_service_pb2.ListRunsRequest())).runs
    cases = (await runs.ListCases(run_service_pb2.ListCasesRequest(run_id=run_id))).cases
    workers = (await fleet.ListWorkers(fleet_service_pb2.ListWorkersRequest())).workers
    summary = await fleet.GetFleet(fleet_service_pb2.GetFleetRequest())

    assert (found.run_id, [one.run_id for one in listed], len(cases)) == (run_id, [run_id], 3)
    assert [(one.worker.worker_id, one.busy_slots) for one in workers] == [("w1", 0)]
    assert (summary.leads, summary.coordinator, summary.leader, summary.leader_address) == (
        False,
        "b",
        "a",
        leader.terms.me.address,
    )
    assert (summary.open_runs, summary.pending_cases, summary.slots, summary.epoch) == (1, 3, 4, 1)
    artifacts = ArtifactServiceStub(follower.channel)
    assert not (await artifacts.ListArtifacts(artifact_service_pb2.ListArtifactsRequest(run_id=run_id))).artifacts
    listing = await AdminServiceStub(follower.channel).ListSettings(admin_service_pb2.ListSettingsRequest())
    assert any(one.name == "advertise" for one in listing.settings)


async def test_the_leader_says_that_it_leads_and_since_when(group: Group) -> None:
    leader = await group.add("a")
    await leader.leads()

    found = await FleetServiceStub(leader.channel).GetFleet(fleet_service_pb2.GetFleetRequest())

    assert (found.leads, found.coordinator, found.leader, found.epoch) == (True, "a", "a", 1)
    assert found.leads_since.seconds > 0


async def test_a_follower_names_the_leader_to_whoever_needs_it(group: Group) -> None:
    leader, follower = await group.add("a"), await group.add("b")
    await leader.leads()

    submitting = RunServiceStub(follower.channel).SubmitRun(run_service_pb2.SubmitRunRequest())
    fleet = FleetServiceStub(follower.channel)
    errors = [
        await refused(submitting),
        await refused(watching(follower)),
        await refused(fleet.DrainWorker(fleet_service_pb2.DrainWorkerRequest())),
        await refused(RunServiceStub(follower.channel).ExplainRun(run_service_pb2.ExplainRunRequest())),
    ]

    assert {(error.reason, error.metadata["leader"]) for error in errors} == {("NOT_LEADER", leader.terms.me.address)}


async def test_where_nobody_leads_reads_are_answered_and_all_else_may_be_tried_again(group: Group) -> None:
    follower = await group.add("a", stands=False)

    error = await refused(RunServiceStub(follower.channel).SubmitRun(run_service_pb2.SubmitRunRequest()))

    assert (error.reason, error.retry_after) == ("NO_LEADER", 0.2)
    assert not (await RunServiceStub(follower.channel).ListRuns(run_service_pb2.ListRunsRequest())).runs


async def test_a_session_with_a_follower_ends_with_the_address_of_the_leader(group: Group) -> None:
    leader, follower = await group.add("a"), await group.add("b")
    await leader.leads()
    worker = ScriptedWorker(follower.channel)

    ended = await worker.ended()

    assert ended is not None
    assert leader.terms.me.address in str(ended.details())


async def test_a_leader_that_loses_its_term_ends_all_streams_and_follows(group: Group) -> None:
    leader = await group.add("a")
    await leader.leads()
    other = await group.add("b")
    worker = ScriptedWorker(leader.channel)
    await worker.welcomed()
    watch = asyncio.ensure_future(refused(watching(leader)))
    await submitted(leader)

    leader.election.stand(False)
    assert group.urn.term is not None
    group.urn.term.end("its lease is over")
    await other.leads()

    assert (await watch).reason in {"NOT_LEADER", "NO_LEADER"}
    assert await worker.ended() is not None
    error = await refused(RunServiceStub(leader.channel).SubmitRun(run_service_pb2.SubmitRunRequest()))
    assert error.metadata["leader"] == other.terms.me.address
    assert not leader.terms.leads.holds


async def test_the_next_leader_goes_on_with_what_the_last_one_accepted(group: Group) -> None:
    first, second = await group.add("a"), await group.add("b")
    await first.leads()
    run_id = await submitted(first, "once")

    first.election.stand(False)
    assert group.urn.term is not None
    group.urn.term.end("its lease is over")
    await second.leads()

    assert await submitted(second, "once") == run_id
    found = await FleetServiceStub(second.channel).GetFleet(fleet_service_pb2.GetFleetRequest())
    assert (found.epoch, found.open_runs) == (2, 1)


async def test_one_process_leads_again_after_it_has_followed(group: Group) -> None:
    member = await group.add("a")
    for term in (1, 2, 3):
        await member.leads()
        found = await FleetServiceStub(member.channel).GetFleet(fleet_service_pb2.GetFleetRequest())
        assert found.epoch == term
        assert await submitted(member, f"r{term}")
        member.election.stand(False)
        assert group.urn.term is not None
        group.urn.term.end("its lease is over")
        await eventually(lambda: not member.terms.leads.holds, what="it follows")
        member.election.stand()


async def test_a_leader_that_drains_hands_over_and_its_streams_name_the_successor(group: Group) -> None:
    leader, successor = await group.add("a"), await group.add("b")
    await leader.leads()
    await submitted(leader)
    worker = ScriptedWorker(leader.channel)
    await worker.welcomed()
    watch = asyncio.ensure_future(refused(watching(leader)))

    leader.draining.begin("SIGTERM")
    ended = await watch
    await leader.running

    assert (ended.reason, ended.metadata["leader"]) == ("NOT_LEADER", successor.terms.me.address)
    session = await worker.ended()
    assert session is not None
    assert successor.terms.me.address in str(session.details())
    await successor.leads()
    assert group.urn.elected == 2


async def test_whoever_calls_during_a_hand_over_is_answered_or_told_of_the_successor(group: Group) -> None:
    leader, successor = await group.add("a"), await group.add("b")
    await leader.leads()

    leader.draining.begin("SIGTERM")
    calls = [submitted(member, f"{member.name}-{number}") for number in range(20) for member in (leader, successor)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    refusals = [error_from_rpc(one) for one in outcomes if isinstance(one, grpc.RpcError)]
    assert len(refusals) + sum(isinstance(one, str) for one in outcomes) == len(calls)
    told = {(error.reason, error.metadata.get("leader")) for error in refusals}
    assert told <= {("NOT_LEADER", leader.terms.me.address), ("NOT_LEADER", successor.terms.me.address)}


async def test_callers_are_not_sent_to_a_leader_that_takes_no_connections_but_wait_for_the_next_one(
    group: Group, closed_port: int
) -> None:
    gone = group.urn.elect(Leader("gone", f"127.0.0.1:{closed_port}"))
    successor, other = await group.add("a"), await group.add("b", stands=False)

    calls = [asyncio.ensure_future(submitted(member, member.name)) for member in (successor, other)]
    await eventually(lambda: successor.terms.refusal().reason == "NO_LEADER", what="it is found to be silent")
    gone.end("its lease is over")

    assert (await asyncio.gather(*calls, return_exceptions=True))[0]
    told = error_from_rpc(await raised(calls[1]))
    assert (told.reason, told.metadata["leader"]) == ("NOT_LEADER", successor.terms.me.address)


async def test_a_leader_that_takes_connections_again_is_named_again(group: Group, closed_port: int) -> None:
    address = f"127.0.0.1:{closed_port}"
    group.urn.elect(Leader("away", address))
    follower = await group.add("a")

    call = asyncio.ensure_future(refused(watching(follower)))
    await eventually(lambda: follower.terms.refusal().reason == "NO_LEADER", what="it is found to be silent")
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", closed_port):
        error = await call

    assert (error.reason, error.metadata["leader"]) == ("NOT_LEADER", address)


async def test_health_tells_who_leads_and_when_that_changes(group: Group) -> None:
    leader, follower = await group.add("a"), await group.add("b")
    await leader.leads()
    request = health_pb2.HealthCheckRequest(service="crossfleet.leader")
    stub: Any = health_pb2_grpc.HealthStub(follower.channel)
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    watch = stub.Watch(request)

    assert (await watch.read()).status == not_serving
    assert (await stub.Check(health_pb2.HealthCheckRequest())).status == serving
    leader.draining.begin("SIGTERM")
    assert (await watch.read()).status == serving
    follower.draining.begin("SIGTERM")
    assert (await watch.read()).status == not_serving


async def test_a_leader_whose_ledger_was_taken_over_steps_down_although_its_election_says_nothing(
    group: Group,
) -> None:
    leader = await group.add("a")
    await leader.leads()
    epoch = await asyncio.to_thread(taken_over, group)

    error = await refused(
        RunServiceStub(leader.channel).SubmitRun(run_service_pb2.SubmitRunRequest(request_id="r", spec=noop()))
    )

    assert (epoch, error.reason) == (2, "NO_LEADER")


async def raised(call: asyncio.Future[str]) -> grpc.RpcError:
    """What a call ended with."""
    with pytest.raises(grpc.RpcError) as found:
        await call
    return found.value


def taken_over(group: Group) -> int:
    """The epoch of somebody else who has taken the ledger."""
    store = group._database.store()
    try:
        return store.take_over("somebody else", "memory", 1_000).epoch
    finally:
        store.close()


@pytest.mark.parametrize("method", ["/crossfleet.api.coordinator.v1.RunService/Nonsense"])
async def test_a_method_that_nobody_knows_is_unknown_to_followers_as_well(group: Group, method: str) -> None:
    follower = await group.add("a", stands=False)

    call: Any = follower.channel.unary_unary(method)
    error = await refused(call(b""))

    assert error.reason == "UNIMPLEMENTED"

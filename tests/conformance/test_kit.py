"""The conformance kit: our own scheduler passes it, and what is wrong with others is found by the check that is meant."""

import asyncio
import json
from collections.abc import Callable

import pytest

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import WAITING_KIND_NEVER, Allocation, ScheduleRequest
from crossfleet.api.types.v1.device_pb2 import WORKER_STATE_READY
from crossfleet.client.conformance.check import Level
from crossfleet.client.conformance.checks import CHECKS
from crossfleet.client.conformance.judging import demands, unsuited, usable
from crossfleet.client.conformance.kit import Verdict, chosen, examine
from crossfleet.foundation.errors import InvalidArgument
from crossfleet.foundation.serve import ServiceDefinition
from crossfleet.foundation.testing import serving
from crossfleet.matching.fit import Eligible, eligible
from crossfleet.matching.messages import request_from, worker_from
from crossfleet.matching.model import WorkerState
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Policy
from tests.conformance.distorting import Distorted, Plan, heard, rows, said, served


@pytest.mark.timeout(120)
async def test_our_own_scheduler_passes_every_check():
    # Those that wait for silence need not do so one after the other; those that take the time do.
    timed = chosen(["scale"])
    others = [one for one in CHECKS if one not in timed]
    async with served(Distorted()) as running:
        reports = await asyncio.gather(*(examine(running.channel, others[part::4]) for part in range(4)))
        reports.append(await examine(running.channel, timed))
    findings = [one for report in reports for one in report.findings]
    wrong = {one.check.name: (one.wrongs, one.lines) for one in findings if one.verdict is not Verdict.PASSED}
    assert wrong == {}
    assert len(findings) == len(CHECKS) >= 60


def test_each_check_has_a_name_and_a_sentence_of_its_own():
    assert len({one.name for one in CHECKS}) == len({one.sentence for one in CHECKS}) == len(CHECKS)
    assert all(one.family and one.sentence and one.why for one in CHECKS)
    assert all(bool(one.steps) != (one.describes is not None) for one in CHECKS)


def test_a_slip_in_the_name_of_a_check_is_answered_with_the_nearest():
    with pytest.raises(InvalidArgument, match="did you mean capacity"):
        chosen(["capacty"])
    assert {one.family for one in chosen(["capacity"])} == {"capacity"}


def every_pair():
    """Each worker and group that are there together in a step of a check, once."""
    for check in CHECKS:
        workers, groups = {}, {}
        for step in check.steps:
            workers.update({one.worker_id: one for one in step.workers})
            groups.update({one.group_id: one for one in step.groups})
            if len(workers) * len(groups) <= 100:
                yield from ((check.name, one, wish) for one in workers.values() for wish in groups.values())


def test_what_the_kit_takes_for_a_fit_is_one_for_the_coordinator():
    selectors = Selectors()
    judged = 0
    for name, worker, wish in every_pair():
        if worker.state != WORKER_STATE_READY:
            continue
        view = worker_from(worker, WorkerState.READY)
        selectors.learn([view])
        found = eligible(request_from(wish.row.request, wish.row.selector, wish.row.runner), view, selectors)
        unfit = unsuited(wish, worker)
        if isinstance(found, Eligible):
            assert not unfit, name
            mine = tuple(
                tuple(one.device_id for one in worker.devices if usable(one, device_class, wish))
                for device_class, _ in demands(wish)
            )
            assert mine == found.candidates, name
        elif found.code in ("runner", "taint", "selector", "invalid_selector", "gates") and wish.devices is None:
            assert unfit, (name, found)
        judged += 1
    assert judged > 100


def blind_to(field: str, of: str = "groups") -> Distorted:
    """A scheduler to which a field of its rows says nothing."""

    def change(update: ScheduleRequest) -> None:
        for one in getattr(rows(update), of):
            inner, _, name = field.rpartition(".")
            (getattr(one, inner) if inner else one).ClearField(name)

    return heard(change)


def ready_whatever() -> Distorted:
    def change(update):
        for one in rows(update).workers:
            one.state = WORKER_STATE_READY

    return heard(change)


def all_never(plan):
    for one in plan.waiting:
        one.kind = WAITING_KIND_NEVER


def deaf_to(field: str) -> Distorted:
    return heard(lambda update: rows(update).ClearField(field))


def each_proposal(change: Callable) -> Distorted:
    return said(lambda plan: [change(one) for one in plan.allocate])


def deaf_to_gaps() -> Distorted:
    revisions = iter(range(1, 10_000))
    true = {}

    def hears(update):
        number = next(revisions)
        true[number], update.revision = update.revision, number
        yield update

    def says(plan):
        plan.base_revision = true.get(plan.base_revision, plan.base_revision)
        yield plan

    return Distorted(hears, says)


def that_remembers_the_last_stream() -> Distorted:
    held: dict[str, Allocation] = {}

    def change(update):
        for one in held.values() if update.HasField("snapshot") else ():
            rows(update).allocations.add().CopyFrom(one)
        held.update({one.allocation_id: one for one in rows(update).allocations})

    return heard(change)


def that_breaks_off_when_refused() -> Distorted:
    def hears(update):
        if any(one.refused for one in update.outcomes):
            raise RuntimeError("refused")
        yield update

    return Distorted(hears)


def that_repeats_itself() -> Distorted:
    def says(plan):
        yield plan
        for _ in range(20):
            plan.ClearField("allocate")
            yield plan

    return Distorted(says=says)


def that_takes_the_first_back() -> Distorted:
    """Once: what somebody holds when it begins."""
    held: list[str] = []

    def says(plan):
        if held:
            plan.revoke_allocation_ids[:] = [held.pop()]
        yield plan

    return Distorted(lambda update: _noted(update, held), says)


def _noted(update, held):
    if update.HasField("snapshot"):
        held.extend(one.allocation_id for one in update.snapshot.allocations[:1])
    yield update


WRONG: dict[str, tuple[Callable[[], Distorted], Verdict]] = {
    "describe.name": (lambda: Distorted(describes=lambda one: one.ClearField("name")), Verdict.FAILED),
    "describe.fits": (lambda: Distorted(describes=lambda one: setattr(one, "wants_fits", True)), Verdict.FAILED),
    "describe.abilities": (lambda: Distorted(describes=lambda one: one.abilities.append("gnags")), Verdict.WARNED),
    "first.held": (lambda: deaf_to("allocations"), Verdict.FAILED),
    "first.based": (lambda: said(lambda plan: setattr(plan, "base_revision", plan.base_revision + 7)), Verdict.FAILED),
    "first.places": (lambda: said(lambda plan: plan.ClearField("allocate")), Verdict.FAILED),
    "change.group-comes": (lambda: said(lambda plan: setattr(plan, "plan_id", "same")), Verdict.FAILED),
    "change.unanswered": (lambda: Distorted(policy=Policy(pending_seconds=0.01)), Verdict.FAILED),
    "fit.draining": (ready_whatever, Verdict.FAILED),
    "fit.quarantined": (ready_whatever, Verdict.FAILED),
    "fit.taint": (lambda: blind_to("taints", "workers"), Verdict.FAILED),
    "fit.runner": (lambda: blind_to("runner"), Verdict.FAILED),
    "fit.label": (lambda: blind_to("selector"), Verdict.FAILED),
    "capacity.slots": (lambda: each_proposal(lambda one: setattr(one, "slots", one.slots + 1)), Verdict.FAILED),
    "capacity.cores": (lambda: blind_to("request.cpu_cores"), Verdict.FAILED),
    "capacity.memory": (lambda: blind_to("request.memory_bytes"), Verdict.FAILED),
    "capacity.exclusive": (lambda: blind_to("request.exclusive"), Verdict.FAILED),
    "host.exclusive": (lambda: blind_to("host", "workers"), Verdict.FAILED),
    "host.beside-exclusive": (lambda: blind_to("host", "workers"), Verdict.FAILED),
    "host.gates": (lambda: blind_to("request.gates"), Verdict.FAILED),
    "device.granted": (lambda: each_proposal(lambda one: one.ClearField("device_ids")), Verdict.FAILED),
    "device.not-asked": (lambda: each_proposal(lambda one: one.device_ids.append("gpu-1")), Verdict.FAILED),
    "portion.held-whole": (lambda: blind_to("device_ids", "allocations"), Verdict.FAILED),
    "portion.left": (lambda: blind_to("portions", "allocations"), Verdict.FAILED),
    "portion.several-slots": (
        lambda: each_proposal(lambda one: one.device_ids.__setitem__(slice(None), [*dict.fromkeys(one.device_ids)])),
        Verdict.FAILED,
    ),
    "gang.whole": (lambda: each_proposal(lambda one: one.ClearField("gang_id")), Verdict.FAILED),
    "gang.nothing-by-halves": (lambda: blind_to("request.gang"), Verdict.FAILED),
    "order.priority": (lambda: blind_to("priority"), Verdict.WARNED),
    "order.deadline": (lambda: blind_to("deadline_unix_seconds"), Verdict.WARNED),
    "preempt.takes-back": (lambda: blind_to("preempts"), Verdict.WARNED),
    "preempt.protected": (that_takes_the_first_back, Verdict.FAILED),
    "preempt.only-who-may": (that_takes_the_first_back, Verdict.WARNED),
    "preempt.only-downwards": (that_takes_the_first_back, Verdict.WARNED),
    "preempt.least-urgent": (lambda: blind_to("preemption"), Verdict.WARNED),
    "order.age": (lambda: blind_to("submitted_unix_seconds"), Verdict.WARNED),
    "refusal.survived": (that_breaks_off_when_refused, Verdict.FAILED),
    "refusal.seldom": (lambda: Distorted(policy=Policy(refusal_seconds=0.001)), Verdict.WARNED),
    "vanish.worker": (lambda: deaf_to("removed_worker_ids"), Verdict.FAILED),
    "vanish.group": (lambda: deaf_to("removed_group_ids"), Verdict.FAILED),
    "stream.gap": (deaf_to_gaps, Verdict.FAILED),
    "stream.begins-anew": (that_remembers_the_last_stream, Verdict.FAILED),
    "stream.quiet": (that_repeats_itself, Verdict.WARNED),
    "waiting.busy": (lambda: said(lambda plan: plan.ClearField("waiting")), Verdict.WARNED),
    "waiting.kept": (lambda: said(lambda plan: plan.ClearField("waiting")), Verdict.FAILED),
    "waiting.kept-for-a-gang": (lambda: said(lambda plan: plan.ClearField("waiting")), Verdict.FAILED),
    "waiting.never-is-true": (
        lambda: said(all_never),
        Verdict.FAILED,
    ),
}
"""The check that is meant -> a scheduler that is wrong in that, and how bad that is."""


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_wrong_with_a_scheduler_is_found_by_the_check_that_is_meant(name):
    made, verdict = WRONG[name]
    async with served(made()) as running:
        report = await examine(running.channel, chosen([name]), limit=0.4)
    (finding,) = report.findings
    assert finding.verdict is verdict
    assert finding.wrongs
    assert (finding.check.level is Level.MUST) == (verdict is Verdict.FAILED)


async def test_a_scheduler_that_wants_snapshots_only_is_sent_nothing_else():
    kinds = set()

    def hears(update):
        kinds.add(update.WhichOneof("update"))
        yield update

    described = Distorted(hears, describes=lambda one: setattr(one, "snapshots_only", True))
    async with served(described) as running:
        report = await examine(running.channel, chosen(["vanish", "stream.gap", "stream.snapshot-replaces"]))
    verdicts = {one.check.name: one.verdict for one in report.findings}
    assert verdicts.pop("stream.gap") is Verdict.SKIPPED
    assert set(verdicts.values()) == {Verdict.PASSED}
    assert kinds == {"snapshot"}


async def test_a_scheduler_that_wants_fits_is_told_where_each_group_fits_and_what_is_free():
    told = []

    def hears(update):
        told.append(update.snapshot)
        yield update

    def describes(one):
        one.snapshots_only = one.wants_fits = True

    async with served(Distorted(hears, describes=describes)) as running:
        report = await examine(running.channel, chosen(["device.two-classes", "describe.fits"]))
    assert [one.verdict for one in report.findings] == [Verdict.PASSED, Verdict.PASSED]
    fitting = next(one for one in told if any(row.request.devices for row in one.groups))
    (row,) = fitting.groups
    (candidate,) = fitting.fits[row.fit].candidates
    assert candidate.worker_id == "w1"
    assert [(one.count, [*one.device_ids]) for one in candidate.choices] == [(1, ["npu-0"]), (1, ["gpu-0", "gpu-1"])]
    free = fitting.free["w1"]
    assert (free.slots, [*free.device_ids], free.idle) == (4, ["gpu-0", "gpu-1", "npu-0"], True)


async def test_a_scheduler_without_gangs_is_not_asked_for_them():
    async with served(Distorted(describes=lambda one: one.ClearField("abilities"))) as running:
        report = await examine(running.channel, chosen(["gang.whole", "gang.not-on-one"]))
    assert [one.verdict for one in report.findings] == [Verdict.SKIPPED, Verdict.PASSED]


async def test_the_command_says_what_was_wrong_and_what_went_before(crossfleet_at):
    async with served(each_proposal(lambda one: setattr(one, "slots", one.slots + 1))) as running:
        status, text, _ = await crossfleet_at(running.address, "--only", "capacity.slots", "--limit", "0.5")
        both = await crossfleet_at(running.address, "--only", "capacity.slots", "--limit", "0.5", "--output", "json")
    assert status == both[0] == 1
    assert "w1 has 2 slots free, not 3" in text
    assert "sent  snapshot 1: workers w1 (2 slots); groups g1 (wants 9)" in text
    document = json.loads(both[1])
    assert document["counts"]["failed"] == 1
    assert document["checks"][0]["verdict"] == "failed"


async def test_the_command_ends_with_success_where_all_that_must_be_is(crossfleet_at):
    async with served(blind_to("priority")) as running:
        status, text, _ = await crossfleet_at(running.address, "--only", "order.priority", "--limit", "0.5")
    assert status == 0
    assert "warned" in text


async def test_a_scheduler_that_reads_nothing_and_says_nothing_ends_no_check_late():
    class Frozen(Distorted):
        async def Schedule(self, request_iterator, context):
            await asyncio.Event().wait()
            yield Plan()

    async with served(Frozen()) as running:
        report = await examine(running.channel, chosen(["first.places", "scale.workers"]), limit=0.3)
    assert [one.verdict for one in report.findings] == [Verdict.FAILED] * 2
    assert max(one.seconds for one in report.findings) < 5


async def test_the_command_says_that_a_server_is_no_scheduler(crossfleet_at):
    async with serving(ServiceDefinition("nothing", [])) as running:
        status, _, errors = await crossfleet_at(running.address)
    assert (status, "who listens there serves no SchedulerService" in errors) == (3, True), errors


async def test_the_command_says_that_nobody_answers(crossfleet_at):
    status, _, errors = await crossfleet_at("127.0.0.1:1")
    assert (status, "no scheduler answers at 127.0.0.1:1" in errors) == (3, True)
    assert (await crossfleet_at())[0] == 2

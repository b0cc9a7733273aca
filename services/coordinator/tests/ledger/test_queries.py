import threading
from typing import Any

import msgspec
import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.artifact import ArtifactRef, AttachArtifacts
from crossfleet.coordinator.core.outcomes import Cause, Outcome, RunState, RunVerdict
from crossfleet.coordinator.core.override import OverrideDevice
from crossfleet.coordinator.ledger import codec
from crossfleet.coordinator.ledger.engines import sqlite_reader
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.observing import duration_key
from crossfleet.coordinator.ledger.queries import CursorExpired, Queries
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.ledger.store import Observed
from crossfleet.foundation.errors import Unavailable
from crossfleet.matching.model import Request
from crossfleet.matching.version import Version
from services.coordinator.tests.ledger.scenario import finish, start, submit, work_off

ONE: dict[str, Any] = {
    "case_index": 0,
    "outcome": 1,
    "seconds": 0.5,
    "message": "",
    "attempt_id": 1,
    "worker_id": "w1",
    "slot": 0,
    "process": 1,
    "position": 7,
}


@pytest.fixture
def ledger(tmp_path):
    store = SqlStore.sqlite(tmp_path / "ledger.db")
    ledger = Ledger(store)
    ledger.open("leader")
    yield ledger
    store.close()


@pytest.fixture
def queries(ledger, tmp_path):
    queries = Queries.sqlite(tmp_path / "ledger.db")
    yield queries
    queries.close()


def targets(*names):
    return tuple(c.TargetSpec(name, "", Request()) for name in names)


async def test_a_run_can_be_read_while_it_runs_and_after(ledger, queries):
    start(ledger)
    live = await queries.run("run")
    assert (live.state, live.spec, live.cursor_seq) == (RunState.RUNNING, b"the spec", 0)
    work_off(ledger)
    over = await queries.run("run")
    assert (over.state, over.verdict) == (RunState.FINISHED, RunVerdict.PASSED)
    assert (await queries.run_of_request("request-run")).run_id == "run"
    assert await queries.run("nothing") is None


async def test_runs_come_newest_first_in_pages(ledger, queries):
    for number in range(5):
        ledger.commit([submit(f"run-{number}")], float(number))
    first = await queries.runs(limit=2)
    second = await queries.runs(limit=2, before=(first[-1].created_at, first[-1].run_id))

    assert [one.run_id for one in first + second] == ["run-4", "run-3", "run-2", "run-1"]
    assert await queries.runs(project="other") == []
    assert len(await queries.runs(states=(RunState.QUEUED,))) == 5


async def test_every_case_is_listed_with_or_without_a_verdict(ledger, queries):
    start(ledger)
    first = next(iter(ledger.state.attempts.values()))
    ledger.commit([finish(first, Outcome.FAILED)], 2.0)
    rows = await queries.cases("run")

    assert [row.case_id for row in rows] == ["a", "b", "c", "d"]
    failed = [row for row in rows if row.outcome is Outcome.FAILED]
    assert [(row.case_index, row.worker_id, row.seconds) for row in failed] == [(first.cases[0], "w1", 0.25)]
    assert [row.case_index for row in await queries.cases("run", outcomes=(Outcome.FAILED,))] == list(first.cases)
    assert len(await queries.cases("run", outcomes=(Outcome.PENDING,))) == 3


async def test_cases_come_in_pages_over_all_targets(ledger, queries):
    ledger.commit([submit("run", targets=targets("x", "y"))], 1.0)
    found, after = [], None
    while page := await queries.cases("run", after=after, limit=3):
        found += [(row.target, row.case_id) for row in page]
        after = (page[-1].position, page[-1].case_index)

    assert found == [(target, case) for target in "xy" for case in "abcd"]
    assert len(await queries.cases("run", target="y")) == 4


async def test_the_full_result_of_a_case_is_kept(ledger, queries):
    start(ledger)
    work_off(ledger)
    one = await queries.case("run", "default", "c")
    assert (one.outcome, one.payload) == (Outcome.PASSED, b"full 2")
    assert [row.payload for row in await queries.cases("run", payloads=True)] == [
        f"full {index}".encode() for index in range(4)
    ]
    assert await queries.case("run", "default", "nothing") is None
    assert await queries.case("run", "nowhere", "c") is None


async def test_added_cases_are_listed_behind_those_collected(ledger, queries):
    start(ledger, cases=("command",))
    (attempt,) = ledger.state.attempts.values()
    added = c.CaseOutcome(-1, Outcome.FAILED, 0.1, "broken", b"xml", "suite.test_x")
    ledger.commit([c.WorkerReport("w1", "i1", (c.AttemptResults(attempt.attempt_id, (added,)),))], 2.0)

    assert [row.case_id for row in await queries.cases("run")] == ["command", "suite.test_x"]
    assert (await queries.case("run", "", "suite.test_x")).payload == b"xml"


async def test_groups_and_attempts_say_where_things_stand(ledger, queries):
    start(ledger)
    work_off(ledger)
    (group,) = await queries.groups("run")
    assert (group.cases, group.counts[Outcome.PASSED], group.counts[Outcome.PENDING]) == (4, 4, 0)
    attempts = await queries.attempts("run")
    assert [one.cause for one in attempts] == [Cause.DONE] * 4
    assert all(one.ended_at > 0 for one in attempts)
    assert len(await queries.attempts("run", after=attempts[1].attempt_id)) == 2


async def test_artifacts_are_listed_by_name_also_for_runs_that_are_over(ledger, queries):
    start(ledger)
    work_off(ledger)
    refs = tuple(ArtifactRef("default", name, f"digest-{name}", 3) for name in ("b.txt", "a.txt"))
    ledger.commit([AttachArtifacts("run", refs)], 5.0)
    ledger.commit([AttachArtifacts("run", refs)], 6.0)

    assert [one.name for one in await queries.artifacts("run")] == ["a.txt", "b.txt"]
    assert [one.name for one in await queries.artifacts("run", after=("default", "a.txt"))] == ["b.txt"]


async def test_a_watcher_that_comes_back_with_its_cursor_misses_and_repeats_nothing(ledger, queries):
    start(ledger)
    work_off(ledger)
    ledger.commit([submit("other")], 9.0)
    found, after = [], (0, -1)
    while page := await queries.events(after, limit=2):
        found += page
        after = (page[-1].seq, page[-1].index)

    cursors = [(one.seq, one.index) for one in found]
    assert cursors == sorted(set(cursors))
    whole = await queries.events((0, -1), limit=10_000)
    assert cursors == [(one.seq, one.index) for one in whole]
    kinds = [type(one.event) for one in await queries.events((0, -1), "run", limit=10_000)]
    assert kinds[0] is e.RunSubmitted
    assert e.WorkerJoined not in kinds
    assert kinds[-1] is e.AllocationClosed


async def test_a_cursor_that_is_older_than_what_is_kept_is_refused_with_the_first_that_works(ledger, queries):
    start(ledger)
    work_off(ledger)
    ledger.commit([submit("other")], 9.0)
    ledger.store.prune(ledger.seq, ledger.epoch, 1000)

    with pytest.raises(CursorExpired) as caught:
        await queries.events((1, 0))
    assert [one.run_id for one in await queries.events(caught.value.first)] == ["other", "other"]
    assert await queries.events((0, -1)), "from the first that is kept"


async def test_estimates_come_from_history_by_suite_and_device_class(ledger, queries):
    key = duration_key("p", "s", "noop", "cpu")
    ledger.store.observe(Observed(key, [("a", 2.0)], 1.0), ledger.epoch)
    ledger.store.observe(Observed(key, [("a", 2.0), ("b", 0.5)], 2.0), ledger.epoch)

    found = await queries.estimates(key, (), ("a", "x", "b"))
    assert [round(one, 6) for one in found] == [2.0, 0.0, 0.5]
    assert await queries.estimates(duration_key("p", "s", "noop", "gpu"), (), ("a",)) == ()


async def test_what_one_class_lacks_is_borrowed_from_another_at_the_speed_that_both_have_shown(ledger, queries):
    gpu, cpu = duration_key("p", "s", "noop", "gpu"), duration_key("p", "s", "noop", "cpu")
    names = [f"case-{number}" for number in range(40)]
    ledger.store.observe(Observed(cpu, [(name, 8.0) for name in names], 1.0), ledger.epoch)
    ledger.store.observe(Observed(gpu, [(name, 2.0) for name in names[1:]], 1.0), ledger.epoch)

    (borrowed, own, unknown) = await queries.estimates(gpu, (cpu,), (names[0], names[1], "unseen"))

    assert borrowed == pytest.approx(2.0, rel=0.1)
    assert own == pytest.approx(2.0)
    assert unknown == 0.0


async def test_workers_and_head_can_be_read(ledger, queries):
    start(ledger)

    assert [(one.worker_id, one.runners) for one in await queries.workers()] == [("w1", ("noop",))]
    assert (await queries.head()).seq == ledger.seq


def test_facts_from_before_processes_were_counted_are_still_read():
    old = {name: value for name, value in ONE.items() if name not in ("process", "position")}
    body = b"\x00" + msgspec.msgpack.encode([(0, 11, ("run", "run/default", [old], 1.0))])

    ((_, fact),) = codec.decode_events(body)
    assert fact == e.CasesFinished("run", "run/default", (e.FinishedCase(**old),), (), 1.0)
    assert codec.decode_events(codec.encode_events([(0, fact)])) == [(0, fact)]


async def test_a_database_that_falls_silent_is_not_waited_for_without_end(tmp_path, ledger):
    silent, path = threading.Event(), str(tmp_path / "ledger.db")
    queries = Queries(sqlite_reader(path), sqlite_reader(path), lambda: sqlite_reader(path), limits=(None, 0.2))
    try:
        with pytest.raises(Unavailable, match="has not answered"):
            await queries.ask(lambda connection: silent.wait(30))
    finally:
        silent.set()
        queries.close()


async def test_what_people_say_of_devices_can_be_read_by_those_who_do_not_lead(ledger, queries):
    start(ledger)
    said: dict[str, Any] = {"memory": 5, "driver": Version("1.2"), "tags": ("a",)}
    ledger.commit([OverrideDevice("w1", "g0", said, author="anna")], 5.0)

    (worker,) = await queries.workers()
    assert worker.overrides["g0"].attributes == said
    assert (worker.overrides["g0"].author, worker.overrides["g0"].hidden) == ("anna", False)

import asyncio
import itertools
import threading

import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core import machine
from crossfleet.coordinator.core.answers import RunAnswer
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.memory import MemoryStore
from crossfleet.coordinator.ledger.store import StoreFailed
from crossfleet.coordinator.ledger.writer import Committed, LedgerRejected, LedgerWriter
from services.coordinator.tests.ledger.scenario import hello, plan, submit


@pytest.fixture
async def store():
    return MemoryStore()


@pytest.fixture
async def writer(store):
    ledger = Ledger(store)
    ledger.open("leader")
    writer = LedgerWriter(ledger, lambda: 100.0, limit=8)
    await writer.start()
    yield writer
    await writer.stop()


class Gate:
    """Holds commits back until it is opened; says when one has begun."""

    def __init__(self, store):
        self.open = threading.Event()
        self.begun = threading.Event()
        self.batches = []
        store.on_commit = self

    def __call__(self, stage, batch):
        if stage == "before":
            self.batches.append(batch)
            self.begun.set()
            assert self.open.wait(5)


async def reasons(*commands):
    """The reason of each command that was refused, None for the others."""
    found = await asyncio.gather(*commands, return_exceptions=True)
    return [one.rejection.reason if isinstance(one, LedgerRejected) else None for one in found]


async def test_a_command_is_answered_after_its_commit(writer, store):
    answer = await writer.submit(submit("run"))

    assert answer.run_id == "run"
    assert store.head().seq == 1
    assert writer.cursor == (1, 1)


async def test_what_queues_during_a_commit_is_the_next_batch(writer, store):
    gate = Gate(store)
    first = asyncio.create_task(writer.submit(submit("first")))
    await asyncio.to_thread(gate.begun.wait, 5)
    more = [asyncio.create_task(writer.submit(submit(f"run-{n}"))) for n in range(5)]
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(first, *more)

    assert len(gate.batches) == 2
    assert store.head().seq == 2


async def test_subscribers_see_every_commit_in_order_before_it_is_answered(writer):
    seen = []
    writer.subscribe(lambda committed: seen.append((committed.seq, [type(one) for one in committed.events])))
    await writer.submit(submit("run"))
    assert seen == [(1, [e.RunSubmitted, e.CasesCollected])]

    await writer.submit(hello())
    await writer.submit(plan())
    assert [seq for seq, _ in seen] == [1, 2, 3]


async def test_a_batch_is_foreseen_while_the_disk_writes_and_told_when_it_is_durable(writer, store):
    seen: list[str] = []
    writer.foresee(lambda events: seen.extend(f"foreseen {type(one).__name__}" for one in events))
    writer.subscribe(lambda committed: seen.append(f"committed {committed.seq}"))
    gate = Gate(store)
    submitted = asyncio.create_task(writer.submit(submit("run")))
    await asyncio.to_thread(gate.begun.wait, 5)
    before = list(seen)
    gate.open.set()
    await submitted

    assert before == ["foreseen RunSubmitted", "foreseen CasesCollected"]
    assert seen == [*before, "committed 1"]


async def test_whoever_foresaw_a_batch_hears_that_it_was_taken_back(writer, store):
    seen: list[tuple[list[str], bool]] = []
    writer.foresee(lambda events: seen.append(([type(one).__name__ for one in events], "run" in writer.state.runs)))

    def fail(stage, batch):
        if stage == "before":
            raise StoreFailed("the disk is broken")

    store.on_commit = fail
    assert await reasons(writer.submit(submit("run"))) == ["INTERNAL"]
    assert seen == [(["RunSubmitted", "CasesCollected"], True), ([], False)]


async def test_a_subscriber_that_fails_is_dropped_and_others_go_on(writer):
    seen: list[Committed] = []

    def broken(committed):
        raise RuntimeError("a defect")

    writer.subscribe(broken)
    end = writer.subscribe(seen.append)
    await writer.submit(submit("one"))
    await writer.submit(submit("two"))
    end()
    await writer.submit(submit("three"))

    assert [one.seq for one in seen] == [1, 2]


async def test_a_full_queue_refuses_by_name_instead_of_growing(writer, store):
    gate = Gate(store)
    first = asyncio.create_task(writer.submit(submit("first")))
    await asyncio.to_thread(gate.begun.wait, 5)
    waiting = [asyncio.create_task(writer.submit(submit(f"run-{n}"))) for n in range(9)]
    await asyncio.sleep(0)
    gate.open.set()

    assert await reasons(first, *waiting) == [None] * 9 + ["QUEUE_FULL"]


async def test_a_refused_command_does_not_touch_its_neighbours(writer):
    found = await reasons(writer.submit(submit("a")), writer.submit(c.StopRun("no", "x")), writer.submit(submit("b")))

    assert found == [None, "RUN_NOT_FOUND", None]


async def test_a_poison_command_is_refused_alone(writer, monkeypatch):
    def broken(emit, command):
        raise ZeroDivisionError("a defect")

    monkeypatch.setitem(machine._HANDLERS, c.StopRun, broken)
    found = await reasons(writer.submit(submit("a")), writer.submit(c.StopRun("a", "x")), writer.submit(submit("b")))

    assert found == [None, "INTERNAL", None]
    assert set(writer.state.runs) == {"a", "b"}


async def test_a_deposed_writer_refuses_everything_and_says_so(writer, store):
    Ledger(store).open("another")
    found = await reasons(writer.submit(submit("a")))

    assert found == ["NOT_LEADER"]
    assert "another coordinator leads" in await asyncio.wait_for(writer.wait_failed(), 5)
    assert await reasons(writer.submit(submit("b"))) == ["NOT_LEADER"]


async def test_stopping_commits_what_is_queued_and_refuses_later_commands(store):
    ledger = Ledger(store)
    ledger.open("leader")
    writer = LedgerWriter(ledger, lambda: 100.0)
    await writer.start()
    queued = asyncio.create_task(writer.submit(submit("run")))
    await asyncio.sleep(0)
    await writer.stop()

    assert await queued == RunAnswer("run", changed=True)
    assert await reasons(writer.submit(submit("late"))) == ["DRAINING"]


async def test_durations_are_learned_from_finished_groups(writer, store):
    from services.coordinator.tests.ledger.scenario import finish

    await writer.submit(submit("run", ("a", "b")))
    await writer.submit(hello())
    await writer.submit(plan())
    for attempt in list(writer.state.attempts.values()):
        await writer.submit(finish(attempt, seconds=2.0))
    await writer.stop()

    known = {case_id: row["weight"] for (_, case_id), row in store.rows["durations"].items()}
    assert known == {"a": 1.0, "b": 1.0}


async def test_a_finished_run_is_forgotten_on_the_loop_and_not_under_its_readers(writer, monkeypatch):
    """Readers iterate over the state on the loop: what a commit removes must not vanish while it is being written."""
    changed_by = set()
    forget = State.forget

    def watched(state, run_id):
        changed_by.add(threading.current_thread())
        forget(state, run_id)

    monkeypatch.setattr(State, "forget", watched)
    await writer.submit(submit("run"))
    await writer.submit(c.StopRun("run", "enough"))

    assert "run" not in writer.state.runs
    assert changed_by == {threading.main_thread()}


async def test_readers_keep_a_state_that_nobody_changes_while_a_broken_batch_is_carried_out_again(
    writer, store, monkeypatch
):
    def broken(emit, command):
        raise ZeroDivisionError("a defect")

    monkeypatch.setitem(machine._HANDLERS, c.StopRun, broken)
    gate = Gate(store)
    shown = writer.state
    waiting = asyncio.gather(reasons(writer.submit(c.StopRun("run", "x")), writer.submit(submit("sound"))))
    await asyncio.to_thread(gate.begun.wait, 5)
    during = writer.state
    gate.open.set()

    assert list(await waiting) == [["INTERNAL", None]]
    assert during is shown
    assert "sound" in writer.state.runs


class TimedStore(MemoryStore):
    """On this machine's disk, as it says; each commit takes `seconds`, and the thread that it ran in is noted."""

    on_local_disk = True

    def __init__(self):
        super().__init__()
        self.seconds = 0.0
        self.threads = []
        self.at_work = threading.Lock()
        self.on_commit = self._spend

    def _spend(self, stage, batch):
        if stage == "before":
            self.threads.append(threading.current_thread())
            assert self.at_work.acquire(blocking=False), "the store is used by two threads at a time"
            threading.Event().wait(self.seconds)
        elif stage == "after":
            self.at_work.release()

    def prune(self, before_seq, epoch, rows):
        with self.at_work:
            threading.Event().wait(0.1)
        return 0


async def test_a_slow_disk_holds_up_the_loop_once_and_a_fast_one_is_written_to_on_the_loop():
    store = TimedStore()
    ledger = Ledger(store)
    ledger.open("leader")
    writer = LedgerWriter(ledger, lambda: 100.0)
    await writer.start()
    here = threading.current_thread()
    store.seconds = 0.05
    for number in range(3):
        await writer.submit(submit(f"slow-{number}"))
    store.seconds = 0.0
    for number in range(200):
        await writer.submit(submit(f"fast-{number}"))
        if store.threads[-1] is here:
            break
    await writer.stop()

    assert here not in store.threads[1:3]
    assert store.threads[-1] is here


async def test_commands_and_the_pruning_of_old_events_do_not_use_the_store_at_once():
    store = TimedStore()
    ledger = Ledger(store)
    ledger.open("leader")
    writer = LedgerWriter(ledger, lambda: 100.0)
    await writer.start()
    pruning = asyncio.create_task(writer.prune(1, 10))
    await asyncio.sleep(0)
    answers = [await writer.submit(submit(f"run-{number}")) for number in range(3)]
    await pruning
    await writer.stop()

    assert answers == [RunAnswer(f"run-{number}", changed=True) for number in range(3)]


async def test_between_two_batches_others_have_turns_of_the_loop_while_there_is_anything_else_to_do():
    store = TimedStore()
    ledger = Ledger(store)
    ledger.open("leader")
    times = itertools.count()
    writer = LedgerWriter(ledger, lambda: 100.0, limit=1_000, stopwatch=lambda: float(next(times)))
    turns, commits = 0, []

    def note(stage, batch):
        if stage == "before":
            commits.append(turns)

    store.on_commit = note

    async def call():
        nonlocal turns
        while len(commits) < 2:
            turns += 1
            await asyncio.sleep(0)

    calling = asyncio.ensure_future(call())
    commands = [writer.submit(hello(f"w{number}")) for number in range(200)]
    await writer.start()
    await asyncio.gather(*commands)
    await calling
    await writer.stop()

    # Two of them are those in which what was foreseen leaves.
    assert commits[1] - commits[0] >= 8

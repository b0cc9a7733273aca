"""What a worker says while the ledger is busy goes into it together, in the order in which it was said."""

import asyncio

from crossfleet.api.types.v1 import device_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.core.commands import AttemptFinished, Command, WantTasks, WorkerReport
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import Cause
from crossfleet.coordinator.executing.inquiries import Inquiries
from crossfleet.coordinator.executing.lasting import Lasting
from crossfleet.coordinator.sessions.session import Session
from crossfleet.coordinator.sessions.turns import Turns
from crossfleet.coordinator.sessions.unsettled import Reported, Unsettled
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.errors import Unavailable


def finished(attempt):
    return AttemptFinished(attempt, Cause.DONE, "", ())


def sequence(unsettled):
    """That of the report which is next."""
    taken = unsettled.next()
    assert isinstance(taken, Reported)
    return taken.sequence


async def nothing():
    return None


def test_reports_that_gather_are_one_and_acknowledged_up_to_the_last():
    unsettled = Unsettled(8)
    unsettled.report([finished(1)], [WantTasks("w", "a1", (0,))], 1)
    unsettled.report([finished(2)], [WantTasks("w", "a1", (1, 0)), WantTasks("w", "a2", (3,))], 3)
    taken = unsettled.next()

    assert isinstance(taken, Reported)
    assert list(taken.items) == [finished(1), finished(2)]
    assert taken.wants("w") == (WantTasks("w", "a1", (0, 1)), WantTasks("w", "a2", (3,)))
    assert taken.sequence == 3
    assert not unsettled


def test_what_is_no_report_keeps_its_place_between_reports():
    unsettled = Unsettled(8)
    unsettled.report([finished(1)], (), 1)
    unsettled.other(nothing)
    unsettled.report([finished(2)], (), 2)

    assert unsettled.first_report is not None
    assert sequence(unsettled) == 1
    assert unsettled.first_report is None
    assert unsettled.next() is nothing
    assert sequence(unsettled) == 2


def test_what_comes_after_a_report_was_taken_is_for_the_next_one():
    unsettled = Unsettled(8)
    unsettled.report([finished(1)], (), 1)
    taken = unsettled.next()
    unsettled.report([finished(2)], (), 2)

    assert isinstance(taken, Reported)
    assert (taken.sequence, sequence(unsettled)) == (1, 2)


async def test_reading_waits_while_too_much_is_unsettled():
    unsettled = Unsettled(2)
    unsettled.report([finished(1)], (), 1)
    unsettled.report([finished(2)], (), 2)
    reading = asyncio.ensure_future(unsettled.room())
    await asyncio.sleep(0)
    assert not reading.done()

    unsettled.next()
    async with asyncio.timeout(10):
        await reading


async def test_nothing_is_committed_in_front_of_a_report_that_could_not_be():
    committed: list[Command] = []

    async def commit(command: Command) -> None:
        committed.append(command)
        if len(committed) == 1:
            raise Unavailable("the ledger is away", address="")

    hello = worker_pb2.Hello(worker=device_pb2.Worker(worker_id="w", incarnation="i"))
    lasting = Lasting(State, ManualClock())
    session = Session("s", hello, commit, commit, lasting, Inquiries(lambda *_: True), Turns(1), State)
    for number in (1, 2):
        ended = worker_pb2.WorkerMessage(sequence=number)
        ended.attempt_finished.attempt_id = number
        await session.take([ended])
        for _ in range(5):
            await asyncio.sleep(0)

    assert [one.items for one in committed if isinstance(one, WorkerReport)] == [
        (AttemptFinished(1, Cause.UNSPECIFIED),)
    ]

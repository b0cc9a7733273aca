from __future__ import annotations

import pytest

from crossfleet.coordinator.convert import orders
from crossfleet.coordinator.sessions.outbox import Outbox
from crossfleet.foundation.errors import QueueFull, SessionReplaced


async def test_what_gathered_goes_out_together_with_the_highest_acknowledgement() -> None:
    outbox = Outbox()
    outbox.put([orders.close("a1"), orders.close("a2")])
    outbox.acknowledge(3)
    outbox.acknowledge(7)
    outbox.acknowledge(5)
    outbox.close()

    batches = [batch async for batch in outbox.batches()]

    assert [message.WhichOneof("kind") for message in batches[0].messages] == [
        "close_allocation",
        "close_allocation",
        "acknowledge",
    ]
    assert batches[0].messages[2].acknowledge.sequence == 7
    assert len(batches) == 1


async def test_a_worker_that_does_not_read_is_let_go() -> None:
    outbox = Outbox(most=10)
    outbox.put([orders.close(f"a{number}") for number in range(11)])

    with pytest.raises(QueueFull):
        assert not [batch async for batch in outbox.batches()]


async def test_the_cause_of_a_close_reaches_the_worker_after_what_was_queued() -> None:
    outbox = Outbox()
    outbox.put([orders.close("a1")])
    outbox.close(SessionReplaced("another one"))
    seen: list[orders.Message] = []

    with pytest.raises(SessionReplaced):
        async for batch in outbox.batches():
            seen += batch.messages

    assert len(seen) == 1


async def test_nothing_is_acknowledged_after_an_earlier_report_failed() -> None:
    outbox = Outbox()
    outbox.close(QueueFull("no room"))
    outbox.acknowledge(9)
    seen: list[orders.Message] = []

    with pytest.raises(QueueFull):
        async for batch in outbox.batches():
            seen += batch.messages

    assert seen == []

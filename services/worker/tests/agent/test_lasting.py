"""Which cases last is told when it changes, and not otherwise."""

from __future__ import annotations

from crossfleet.worker.core.link import Link
from crossfleet.worker.lasting import Lasting
from services.worker.tests.agent.stage import staged


def test_only_changes_among_cases_that_last_are_told() -> None:
    link, now = Link(), [100.0]
    link.welcomed(0, (), ())
    lasting = Lasting(link, lambda: None, lambda: now[0])

    def told() -> list[list[tuple[int, int, float]]]:
        lasting.tell()
        batches = [message.payload.progress for message in link.window.take()]  # type: ignore[attr-defined]
        return [[(slot.attempt_id, slot.case_index, slot.seconds) for slot in each.slots] for each in batches]

    lasting.started(1, 5, 99.5)
    assert told() == []
    now[0] = 101.0
    assert told() == [[(1, 5, 1.5)]]
    now[0] = 102.0
    assert told() == []
    lasting.welcomed()
    assert told() == [[(1, 5, 2.5)]]
    lasting.ended(1, 4)
    assert told() == []
    lasting.ended(1, 5)
    assert told() == [[]]
    link.lost()
    lasting.started(1, 6, 100.0)
    assert told() == []


async def test_an_agent_that_comes_back_tells_what_has_been_running_meanwhile() -> None:
    async with staged() as stage:
        stage.suite(test_e="import time\n\ndef test_e():\n    time.sleep(600)\n")
        agent = stage.start()
        await stage.ready(agent)
        stage.open()
        await stage.collected()
        stage.assign(1, [0])
        await stage.until(lambda: stage.coordinator.progress, "the case to be told")
        since = stage.coordinator.progress[-1].slots[0].since_unix_seconds
        stage.coordinator.progress.clear()
        agent.kill()
        agent.wait()
        await stage.ready(stage.start())
        await stage.until(
            lambda: any(progress.slots for progress in stage.coordinator.progress), "the case to be told again"
        )
        slot = next(progress.slots[0] for progress in stage.coordinator.progress if progress.slots)
        # A case that had begun anew would have done so later: an agent takes longer to start.
        assert abs(slot.since_unix_seconds - since) < 0.5

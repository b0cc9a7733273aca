from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.sessions.leases import LeaseChange, Leases


def test_half_a_lease_of_silence_makes_suspect_and_a_whole_one_loses() -> None:
    leases = Leases(10.0)
    leases.begin("w", "s", 0.0)

    assert leases.due(4.9) == []
    assert leases.due(5.0) == [("w", "s", LeaseChange.SILENT)]
    assert leases.due(9.9) == []
    assert leases.due(10.0) == [("w", "s", LeaseChange.LOST)]
    assert leases.due(99.0) == []


def test_a_message_renews_and_says_that_the_worker_was_suspect() -> None:
    leases = Leases(10.0)
    leases.begin("w", "s", 0.0)
    leases.due(6.0)

    assert leases.heard("w", "s", 7.0)
    assert not leases.heard("w", "s", 8.0)
    assert leases.due(12.9) == []
    assert leases.due(13.0) == [("w", "s", LeaseChange.SILENT)]


def test_a_message_of_an_earlier_session_renews_nothing() -> None:
    leases = Leases(10.0)
    leases.begin("w", "new", 0.0)

    assert not leases.heard("w", "old", 9.0)
    assert leases.due(10.0) == [("w", "new", LeaseChange.LOST)]


# Whole sixty-fourths of a second: sums of these are exact.
@given(st.lists(st.integers(1, 30 * 64).map(lambda ticks: ticks / 64), min_size=1, max_size=30))
def test_a_worker_is_lost_exactly_when_a_silence_lasts_a_whole_lease(pauses: list[float]) -> None:
    leases = Leases(10.0)
    leases.begin("w", "s", 0.0)
    now = 0.0
    for pause in pauses:
        now += pause
        lost = any(change is LeaseChange.LOST for _, _, change in leases.due(now))
        assert lost == (pause >= 10.0)
        if lost:
            break
        leases.heard("w", "s", now)


@given(st.floats(0.0, 20.0))
def test_nothing_is_due_before_the_next_check(start: float) -> None:
    leases = Leases(10.0)
    leases.begin("w", "s", start)
    wait = leases.next_check(start)

    assert leases.due(start + wait * 0.99) == []
    assert leases.due(start + wait + 1e-6)

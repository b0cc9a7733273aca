"""How often a worker dials."""

from __future__ import annotations

from crossfleet.worker.core.backoff import Backoff


def test_a_coordinator_that_is_not_there_yet_is_dialled_quickly_and_then_ever_more_slowly() -> None:
    backoff = Backoff(lambda: 0.0, first=0.02, quick=50, most=2.0)
    waits = [backoff.next() for _ in range(100)]
    assert waits[:50] == [0.02] * 50
    assert waits[-1] == 2.0


def test_one_that_refuses_is_not_stormed() -> None:
    backoff = Backoff(lambda: 0.0, first=0.02, quick=50, most=2.0)
    dials, spent = 0, 0.0
    while spent < 10.0:
        backoff.answered()
        spent += backoff.next()
        dials += 1
    assert dials < 20
    assert backoff.patient


def test_a_long_session_pays_the_quick_dials_back() -> None:
    backoff = Backoff(lambda: 0.0, first=0.02, calm=5.0)
    backoff.answered()
    backoff.lived(6.0)
    assert (backoff.patient, backoff.next()) == (False, 0.02)

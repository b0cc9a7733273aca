"""A lease as its holder judges it."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core.tenure import MARGIN, Tenure

TTL = 10.0


@dataclass(frozen=True)
class Renewal:
    """One renewal: sent so long after the last step, on its way, and answered so much later; None: lost on the way."""

    pause: float
    way: float
    back: float | None


seconds = st.floats(0, 15, allow_nan=False)
renewals = st.lists(st.builds(Renewal, seconds, seconds, st.none() | seconds), max_size=30)
pace = st.floats(1 - MARGIN, 1.2)


@given(renewals, pace)
def test_whoever_may_act_still_has_the_lease_whatever_is_lost_or_late(history: list[Renewal], rate: float) -> None:
    """Times are of the one who granted it; the holder's clock runs at `rate` of that."""
    held, expires, now, tenure = True, TTL, 0.0, Tenure(0.0, TTL)
    for renewal in history:
        sent = now + renewal.pause
        arrived = sent + renewal.way
        held = held and arrived < expires
        if held:
            expires = arrived + TTL
        now = sent
        if renewal.back is None:
            continue
        now = arrived + renewal.back
        if held:
            tenure = tenure.renewed(sent * rate, TTL, now * rate)
        if tenure.remaining(now * rate) > 1e-6:
            assert now < expires


@given(renewals)
def test_what_is_over_stays_over(history: list[Renewal]) -> None:
    now, tenure, over = 0.0, Tenure(0.0, TTL), False
    for renewal in history:
        sent = now + renewal.pause
        now = sent + renewal.way + (renewal.back or 0.0)
        over = over or tenure.remaining(now) == 0
        tenure = tenure.renewed(sent, TTL, now)
        if over:
            assert tenure.remaining(now) == 0


@given(seconds, seconds)
def test_an_answer_to_an_older_renewal_shortens_nothing(first: float, second: float) -> None:
    early, late = sorted((first, second))
    if late - early >= TTL * (1 - MARGIN):
        return
    tenure = Tenure(early, TTL).renewed(late, TTL, late).renewed(early, TTL, late)
    assert tenure.safe_until == late + TTL * (1 - MARGIN)


def test_it_is_renewed_early_enough_to_try_again() -> None:
    tenure = Tenure(100.0, TTL)
    assert tenure.renewal_due - tenure.sent < (tenure.safe_until - tenure.sent) / 2
    assert tenure.remaining(100.0) == 8.0
    assert tenure.remaining(108.0) == 0
    assert tenure.over().remaining(100.0) == 0

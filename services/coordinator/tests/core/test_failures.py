"""The table of failures: whole, and the same in code and docs."""

from __future__ import annotations

from pathlib import Path

from crossfleet.coordinator import failures_page
from crossfleet.coordinator.core import retry
from crossfleet.coordinator.core.failures import BY_CAUSE, RETRIED, TABLE, Charge, Strategy
from crossfleet.coordinator.core.outcomes import Cause

ROOT = Path(__file__).parents[4]
# How work ends as it was meant to, or as somebody wanted.
MEANT = {Cause.UNSPECIFIED, Cause.DONE, Cause.CANCELLED}


def test_every_cause_that_is_not_meant_has_one_row():
    assert set(BY_CAUSE) == set(Cause) - MEANT
    assert len(BY_CAUSE) == sum(row.cause is not None for row in TABLE)


def test_the_page_is_what_the_table_says():
    assert (ROOT / failures_page.PAGE).read_text() == failures_page.page()


def test_whatever_quarantines_or_suspects_says_so_and_weighs_something():
    for row in TABLE:
        quarantines = {Strategy.QUARANTINE_HOST, Strategy.QUARANTINE_DEVICE} & set(row.strategies)
        assert bool(quarantines) == bool(row.weight), row.name
        assert (Strategy.SUSPECT_CASE in row.strategies) == bool(row.suspect_hosts), row.name
        assert not row.weight or row.retried, f"{row.name} is held against hosts, and not tried on another"


def test_what_is_tried_again_for_ever_costs_nothing_and_nothing_else_does():
    assert {cause for cause in RETRIED if BY_CAUSE[cause].charge is Charge.NONE} == {Cause.PREEMPTED}
    assert not retry.charges(Cause.PREEMPTED, 0)
    assert all(retry.charges(cause, 0) for cause in Cause if cause is not Cause.PREEMPTED)

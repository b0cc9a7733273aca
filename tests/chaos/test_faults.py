from __future__ import annotations

from itertools import islice

from tests.chaos.faults import KINDS, drawn


def test_one_seed_draws_the_same_faults_again() -> None:
    assert list(islice(drawn(7), 100)) == list(islice(drawn(7), 100)) != list(islice(drawn(8), 100))


def test_every_kind_comes_in_every_round() -> None:
    round_of_all = sum(row.weight for row in KINDS.values())

    assert {fault.kind for fault in islice(drawn(1), round_of_all)} == set(KINDS)


def test_chosen_kinds_come_once_each_before_any_comes_again() -> None:
    chosen = ["kill the leader", "kill a scheduler", "kill PostgreSQL"]

    assert sorted(fault.kind for fault in islice(drawn(1, chosen), 3)) == sorted(chosen)

"""The search for the shortest order, with replays that take manual time."""

from __future__ import annotations

import json

import pytest

from crossfleet.cli.exits import UsageError
from crossfleet.cli.reproduction.order import Order, read_order
from crossfleet.cli.reproduction.replaying import Replayed
from crossfleet.cli.reproduction.sameness import Observed, Report
from crossfleet.cli.reproduction.search import Search, conclusion

ORDER = Order(
    run="run-1",
    target="default",
    cases=(*(f"t.py::a{number}" for number in range(16)), "t.py::bad"),
    outcome="failed",
    message="assert 1 == 0",
    seeds={"PYTHONHASHSEED": "1"},
    case_seconds=2.0,
)
FAILS = Observed("failed", [Report("call", "assert 1 == 0")])


class Suite:
    """Fails after all of the culprits, from the `first` time on; each replay takes a second."""

    def __init__(self, *culprits: str, first: int = 1, interrupt_at: int = 0) -> None:
        self.culprits = set(culprits)
        self.first = first
        self.interrupt_at = interrupt_at
        self.now = 0.0
        self.replays: list[Order] = []
        self.notes: list[str] = []

    def __call__(self, order: Order, *, seconds: float, loud: bool = False) -> Replayed:
        self.replays.append(order)
        self.now += 1
        if len(self.replays) == self.interrupt_at:
            raise KeyboardInterrupt
        fails = self.culprits <= set(order.before) and len(self.replays) >= self.first
        return Replayed(FAILS if fails else Observed("passed"), 1.0)

    def search(self, budget: float = 1000.0) -> Search:
        return Search(self, budget=budget, note=self.notes.append, progress=lambda _: None, now=lambda: self.now)


def test_the_one_case_that_matters_is_named():
    suite = Suite("t.py::a7")
    search = suite.search()
    found, took = search.attempt(ORDER, 3)
    found = search.shorten(found, took)

    assert found.order.cases == ("t.py::a7", "t.py::bad")
    assert (found.order.shortest, found.reproduced, found.tries) == (True, True, len(suite.replays) - 1)
    assert conclusion(found) == "fails after t.py::a7 only"


def test_a_case_that_fails_alone_takes_one_try():
    suite = Suite()
    search = suite.search()
    found = search.shorten(*search.attempt(ORDER, 3))

    assert (conclusion(found), found.tries) == ("fails alone", 1)


def test_a_case_that_does_not_fail_again_is_said_to_be_flaky_by_something_else():
    suite = Suite(first=9)
    found, _ = suite.search().attempt(ORDER, 3)

    assert (found.reproduced, len(suite.replays)) == (False, 3)
    assert conclusion(found).startswith("did not fail in 3 tries: flaky by something else than order")


def test_it_is_replayed_until_it_fails_as_recorded():
    suite = Suite("t.py::a1", first=2)
    found, _ = suite.search().attempt(ORDER, 3)

    assert (found.reproduced, found.attempts) == (True, 2)
    assert suite.notes == ["attempt 1 of 3: not the recorded failure, but: passed"]


@pytest.mark.parametrize(("budget", "interrupt", "why"), [(4.0, 0, "out of time"), (1000.0, 4, "interrupted")])
def test_the_best_order_so_far_is_kept_when_the_search_ends_early(budget, interrupt, why):
    suite = Suite("t.py::a1", "t.py::a2", interrupt_at=interrupt)
    search = suite.search(budget)
    found = search.shorten(*search.attempt(ORDER, 1))

    assert found.stopped == why
    assert {"t.py::a1", "t.py::a2"} <= set(found.order.before) < set(ORDER.before)
    assert not found.order.shortest
    assert conclusion(found) == f"fails after {len(found.order.before)} others"


def test_an_order_comes_back_from_its_file_as_it_was(tmp_path):
    ORDER.write(tmp_path / "new" / "order.json")

    assert read_order(str(tmp_path / "new" / "order.json")) == ORDER


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"cases": []}, "order.cases"),
        ({"cases": "t.py::a"}, "order.cases"),
        ({"slot": "1"}, "order.slot"),
        ({"colour": "red"}, "order.colour"),
        ({"seeds": {"a": 1}}, "order.seeds"),
    ],
)
def test_a_wrong_field_of_an_order_file_is_named(tmp_path, change, named):
    path = tmp_path / "order.json"
    ORDER.write(path)
    content = json.loads(path.read_text())
    content["order"] |= change
    path.write_text(json.dumps(content))

    with pytest.raises(UsageError, match=named):
        read_order(str(path))


def test_a_file_that_is_no_order_is_refused(tmp_path):
    path = tmp_path / "order.json"
    for text in ("", "[]", "[" * 200_000, '{"schema": 9, "order": {}}', '{"schema": 1, "order": {"run": "r"}}'):
        path.write_text(text)
        with pytest.raises(UsageError, match="--order"):
            read_order(str(path))
    with pytest.raises(UsageError, match="No such file"):
        read_order(str(tmp_path / "nothing"))

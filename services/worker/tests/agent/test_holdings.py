"""What is held, and what a Welcome ends of it."""

from __future__ import annotations

from crossfleet.worker.core.holdings import Holdings, Phase, Task
from crossfleet.worker.core.link import Link


def _held(*attempts: int) -> tuple[Holdings, list[Task]]:
    holdings = Holdings()
    holding = holdings.open("a", [0, 1])
    assert holding is not None
    return holdings, holdings.assign(holding, [Task(attempt, 0, (attempt,)) for attempt in attempts])


def test_an_allocation_is_opened_once() -> None:
    holdings, _ = _held()
    assert holdings.open("a", [0]) is None


def test_an_attempt_is_accepted_once() -> None:
    holdings, first = _held(1, 2)
    holding = holdings.get("a")
    assert holding is not None
    again = holdings.assign(holding, [Task(2, 0, (2,)), Task(3, 1, (3,))])
    assert ([task.attempt for task in first], [task.attempt for task in again]) == ([1, 2], [3])


def test_an_assignment_answers_a_want() -> None:
    holdings, _ = _held()
    holding = holdings.get("a")
    assert holding is not None
    holding.wanting = {0, 1}
    holdings.assign(holding, [Task(1, 0, (0,))])
    assert holding.wanting == {1}


def test_an_attempt_is_held_until_its_end_is_committed() -> None:
    link = Link()
    holding = link.holdings.open("a", [0])
    assert holding is not None
    link.welcomed(0, [], [])
    link.holdings.assign(holding, [Task(1, 0, (0,))])
    link.finished(1, "end")
    link.window.take()
    before = list(holding.attempts), holding.running
    link.acknowledged(1)
    assert (before, list(holding.attempts)) == (([1], []), [])


def test_a_welcome_ends_what_is_not_kept_and_what_is_given_up() -> None:
    holdings, _ = _held(1, 2)
    other = holdings.open("b", [1])
    assert other is not None
    holdings.assign(other, [Task(7, 1, (0,))])
    assert holdings.sort(keep=["a"], cancel=[2, 99]) == (["b"], [2, 7])


def test_a_welcome_does_not_end_what_has_ended() -> None:
    holdings, _ = _held(1)
    holding = holdings.get("a")
    assert holding is not None
    holdings.finish(1)
    holding.advance(Phase.ENDED)
    assert holdings.sort(keep=[], cancel=[1]) == ([], [])


def test_a_phase_moves_only_forward() -> None:
    holdings, _ = _held()
    holding = holdings.get("a")
    assert holding is not None
    holding.advance(Phase.CLOSING)
    holding.advance(Phase.READY)
    assert holding.phase is Phase.CLOSING

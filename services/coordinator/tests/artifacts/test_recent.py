from __future__ import annotations

from crossfleet.coordinator.artifacts.recent import Recent


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_what_was_named_lately_is_known_once_it_can_be() -> None:
    clock = Clock()
    recent = Recent(clock)
    recent.add(["a"])
    assert not recent.certain(60)
    clock.at += 50
    recent.add(["b"])
    clock.at += 20

    assert recent.certain(60)
    assert (recent.has("b", 60), recent.has("b", 10), recent.has("a", 60)) == (True, False, False)


def test_where_more_is_named_than_is_kept_nothing_is_certain_for_a_while() -> None:
    clock = Clock()
    recent = Recent(clock, most=2)
    clock.at += 1000
    recent.add(["a", "b", "c"])
    assert not recent.certain(60)
    clock.at += 61

    assert recent.certain(60)

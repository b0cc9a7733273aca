"""What whoever supervises a coordinator hears of its schedulers."""

from __future__ import annotations

from collections.abc import Mapping

from crossfleet.coordinator.core.breaker import Stage
from crossfleet.coordinator.scheduling.bulletin import Bulletin


def test_each_change_is_told_once_and_neither_what_is_tried_nor_that_all_is_well_from_the_start() -> None:
    heard: list[Mapping[str, object]] = []
    tell = Bulletin(lambda service, event, content: heard.append(content))
    tell("well", Stage.CLOSED, "")
    for stage in (Stage.OPEN, Stage.OPEN, Stage.HALF_OPEN, Stage.OPEN, Stage.HALF_OPEN, Stage.CLOSED, Stage.CLOSED):
        tell("ill", stage, "it is slow" if stage is Stage.OPEN else "")
    assert heard == [
        {"scheduler": "ill", "decides": False, "cause": "it is slow"},
        {"scheduler": "ill", "decides": True, "cause": ""},
    ]

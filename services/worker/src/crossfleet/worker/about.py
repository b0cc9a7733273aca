"""What is known of an allocation beyond what the shim knows, written down for the agent's successor."""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import asdict, dataclass
from pathlib import Path

_FILE = "about.json"


@dataclass(frozen=True, slots=True)
class About:
    """Run and target of an allocation, its slots, and the collection's digest where the coordinator knew it before.

    `max_failures` is how many failures stop the run; zero: none do. `devices` are those of all its slots, `of_slots` the same by
    slot, in their order.
    """

    run: str
    target: str
    slots: tuple[int, ...]
    known_digest: str = ""
    max_failures: int = 0
    devices: tuple[str, ...] = ()
    of_slots: tuple[tuple[str, ...], ...] = ()

    def devices_without(self, given_back: Container[int]) -> tuple[str, ...]:
        """The devices that it holds when these slots have been given back, each once."""
        if not self.of_slots:
            return self.devices
        left = (ids for slot, ids in zip(self.slots, self.of_slots, strict=False) if slot not in given_back)
        return tuple(dict.fromkeys(one for ids in left for one in ids))

    def write_to(self, place: Path) -> None:
        """Keep it in the allocation's folder."""
        place.mkdir(parents=True, exist_ok=True)
        (place / _FILE).write_text(json.dumps(asdict(self)))


def known(place: Path) -> bool:
    """Whether something is kept in an allocation's folder."""
    return (place / _FILE).is_file()


def forget(place: Path) -> None:
    """Keep it no longer: what the folder has left has been looked after."""
    (place / _FILE).unlink(missing_ok=True)


def about_from(place: Path) -> About | None:
    """What was kept in an allocation's folder; None where it cannot be read."""
    try:
        content = json.loads((place / _FILE).read_text())
        slots, most = tuple(content["slots"]), int(content["max_failures"])
        devices = tuple(content.get("devices", ()))
        of_slots = tuple(tuple(ids) for ids in content.get("of_slots", ()))
        return About(content["run"], content["target"], slots, content["known_digest"], most, devices, of_slots)
    except (OSError, ValueError, KeyError, TypeError):
        return None

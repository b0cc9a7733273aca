"""What is known of an allocation beyond what the shim knows, written down for the agent's successor."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

_FILE = "about.json"


@dataclass(frozen=True, slots=True)
class About:
    """Run and target of an allocation, its slots, and the collection's digest where the coordinator knew it before.

    `max_failures` is how many failures stop the run; zero: none do. `devices` are those of all its slots.
    """

    run: str
    target: str
    slots: tuple[int, ...]
    known_digest: str = ""
    max_failures: int = 0
    devices: tuple[str, ...] = ()

    def write_to(self, place: Path) -> None:
        """Keep it in the allocation's folder."""
        place.mkdir(parents=True, exist_ok=True)
        (place / _FILE).write_text(json.dumps(asdict(self)))


def about_from(place: Path) -> About | None:
    """What was kept in an allocation's folder; None where it cannot be read."""
    try:
        content = json.loads((place / _FILE).read_text())
        slots, most = tuple(content["slots"]), int(content["max_failures"])
        devices = tuple(content.get("devices", ()))
        return About(content["run"], content["target"], slots, content["known_digest"], most, devices)
    except (OSError, ValueError, KeyError, TypeError):
        return None

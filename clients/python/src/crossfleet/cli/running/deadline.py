"""When a run should have ended, as people write it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

MOST = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment, or so many seconds from the submission."""

    at: datetime | None = None
    seconds: float = 0.0

    def left(self, now: datetime) -> float:
        """How many seconds a run has that is submitted now."""
        return self.seconds if self.at is None else (self.at - now).total_seconds()


def moment(text: str, now: datetime) -> Deadline:
    """The moment of `18:00`, `2026-11-27 18:00`, `2026-11-27T18:00+01:00`, `2026-11-27 18:00 Europe/Berlin`.

    Without a zone it is in that of this machine; a time of day is the next one. Raises ArgumentTypeError, as argparse wants it.
    """
    words, _, name = text.strip().rpartition(" ")
    zone = _zone(name) if words and name[:1].isalpha() else None
    clock = words if zone else text.strip()
    at = _next(clock, now, zone) or _at(clock, zone)
    if at is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no deadline: give a time to go such as 90m or 2h, a time of day such as 18:00, or day and time such as "
            "'2026-11-27 18:00', '2026-11-27T18:00+01:00' or '2026-11-27 18:00 Europe/Berlin'"
        )
    if at <= now:
        raise argparse.ArgumentTypeError(f"{text!r} has passed: it is {now.isoformat(' ', 'seconds')} now")
    if at > now + MOST:
        raise argparse.ArgumentTypeError(too_far(text))
    return Deadline(at)


def too_far(text: str) -> str:
    """What to say of a deadline that is later than MOST from now."""
    return f"{text!r} is too far: name a time within the next {MOST.days} days"


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        text = f"there is no time zone {name!r} here: name one such as Europe/Berlin, or write an offset such as +01:00"
        raise argparse.ArgumentTypeError(text) from None


def _next(text: str, now: datetime, zone: tzinfo | None) -> datetime | None:
    """The next moment at which clocks show a time of day; None where the text is none."""
    try:
        shown = time.fromisoformat(text)
    except ValueError:
        return None
    if ":" not in text or shown.tzinfo is not None:
        return None
    today = now.astimezone(zone).date()
    days = (_settled(datetime.combine(day, shown), zone) for day in (today, today + timedelta(days=1)))
    return next(one for one in days if one > now)


def _at(text: str, zone: tzinfo | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if ":" not in text or (zone is not None and found.tzinfo is not None):
        return None
    try:
        return found if found.tzinfo is not None else _settled(found, zone)
    except (ValueError, OverflowError):  # in the first year, or the last
        return None


def _settled(shown: datetime, zone: tzinfo | None) -> datetime:
    """The moment at which clocks of a zone show that; without a zone, those of this machine."""
    return shown.astimezone() if zone is None else shown.replace(tzinfo=zone)

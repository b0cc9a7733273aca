"""The times of a cron expression in a time zone.

As Debian's cron has it: what falls into an hour that clocks leave out happens as soon as that hour would have begun, and
of an hour that comes twice the first one counts, but for expressions that say every hour or every so many minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from crossfleet.coordinator.core.schedule import Missed

GRACE_SECONDS = 60.0
"""A time that is kept within so long is not missed: another leader may have had to be elected."""
MOST_MISSED = 100
# A minute's schedule goes back two months so; what is older is not made up for.
_MOST_STEPS = 100_000
_FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31 as the months have it, L for the last",
    "month": "1 to 12, JAN to DEC",
    "day-of-week": "0 to 7, SUN to SAT",
}


class CronError(ValueError):
    """An expression or a zone that cannot be read; ``field`` says which (``cron``, ``timezone``)."""

    def __init__(self, field: str, message: str) -> None:
        """Keep the parts, for BadRequest details."""
        super().__init__(message)
        self.field = field


def times(cron: str, timezone: str, after: float) -> Iterator[float]:
    """Unix seconds of all times after a moment, in order; ends where there is none for decades. Raises CronError."""
    if len(cron.split()) != len(_FIELDS):
        fields = " ".join(_FIELDS)
        raise CronError("cron", f"{cron!r} has not five fields: {fields}, such as '0 3 * * *' for each day at three")
    begin = datetime.fromtimestamp(after, UTC).astimezone(zone(timezone))
    try:
        found = CronSim(cron, begin)
    except CronSimError as error:
        text = str(error).lower()
        allowed = next((f": {values}" for name, values in _FIELDS.items() if text.endswith(f" {name}")), "")
        raise CronError("cron", f"{cron!r}: {text or 'it cannot be read'}{allowed}") from None
    return (moment.timestamp() for moment in found)


def zone(name: str) -> ZoneInfo:
    """A time zone by its name; the empty one is UTC. Raises CronError."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = _near(name)
        raise CronError("timezone", f"no time zone {name!r}: {near or 'names are such as Europe/Berlin'}") from None


@lru_cache(maxsize=64)
def _near(name: str) -> str:
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    close = get_close_matches(name, sorted(available_timezones()), 1)
    return f"did you mean {close[0]!r}?" if close else ""


def next_time(cron: str, timezone: str, after: float) -> float:
    """The first time after a moment, 0.0 where there is none. Raises CronError."""
    return next(times(cron, timezone, after), 0.0)


def due(cron: str, timezone: str, first: float, now: float, missed: Missed) -> tuple[tuple[float, ...], float, str]:
    """Of the times from `first` on that have come: those that are to become runs. Then the next one, and a note on others.

    Raises CronError.
    """
    came, following = [first], 0.0
    for steps, at in enumerate(times(cron, timezone, first)):
        if at > now:
            following = at
            break
        came = [*came[1 - MOST_MISSED :], at]
        if steps >= _MOST_STEPS:
            following = next_time(cron, timezone, now)
            break
    kept = _kept(came, now, missed)
    lost = len(came) - len(kept)
    return kept, following, f"{lost} times were missed" if lost > 1 else "a time was missed" if lost else ""


def _kept(came: list[float], now: float, missed: Missed) -> tuple[float, ...]:
    if missed is Missed.ALL:
        return tuple(came)
    last = came[-1]
    return (last,) if missed is Missed.ONCE or now - last <= GRACE_SECONDS else ()

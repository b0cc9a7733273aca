"""What is told to those who wait for Slurm."""

from crossfleet.slurm.core.piloting import Wait
from crossfleet.slurm.core.pool import Pilot, Stage

_MOST_CHARACTERS = 400
_STEP_SECONDS = 300
_DAY_SECONDS = 86_400


def text_of(wait: Wait, now_unix: float) -> str:
    """One line for people, in Slurm's own words where it has any; empty when there is nothing to tell."""
    queued = [one for one in wait.pilots if one.stage is Stage.QUEUED]
    starting = [one for one in wait.pilots if one.stage is Stage.RUNNING]
    parts = []
    if queued:
        parts.append(_queued(queued, now_unix))
    if starting:
        parts.append(f"{_counted(starting)} starting")
    if wait.hindrance:
        parts.append(wait.hindrance)
    return f"Slurm: {', '.join(parts)}"[:_MOST_CHARACTERS] if parts else ""


def _queued(pilots: list[Pilot], now_unix: float) -> str:
    reasons = ", ".join(dict.fromkeys(one.reason for one in pilots if one.reason))
    text = f"{_counted(pilots)} queued" + (f" ({reasons})" if reasons else "")
    starts = [one.starts_at for one in pilots if one.starts_at is not None and one.starts_at > now_unix]
    return f"{text}, starts about {_clock(min(starts), now_unix)}" if starts else text


def _counted(pilots: list[Pilot]) -> str:
    return "1 pilot" if len(pilots) == 1 else f"{len(pilots)} pilots"


def _clock(at: float, now_unix: float) -> str:
    """Rounded up to five minutes: an estimate that moves by seconds is not told again each time."""
    rounded = int(-(-at // _STEP_SECONDS) * _STEP_SECONDS)
    minutes = rounded % _DAY_SECONDS // 60
    days = rounded // _DAY_SECONDS - int(now_unix) // _DAY_SECONDS
    later = f" in {days} day{'s' if days > 1 else ''}" if days > 0 else ""
    return f"{minutes // 60:02}:{minutes % 60:02} UTC{later}"

"""What is recorded of a case of a program: as its reader says, or as its process's end says."""

from __future__ import annotations

import time

from crossfleet.worker.shim.host import Message
from crossfleet.worker.shim.programs.program import Ended
from crossfleet.worker.shim.reaper import described

OUTCOMES = frozenset(("passed", "failed", "error", "skipped", "xfailed", "xpassed", "flaky", "crashed", "timed_out"))
GOOD = frozenset(("passed", "skipped", "xfailed", "flaky"))


def result_line(attempt: int, index: int | None, ended: Ended, seconds: float, output_bytes: int) -> Message:
    """The `result` of a listed case, or of one that showed during execution (`index` None).

    Raises ValueError for an outcome that there is not.
    """
    if ended.outcome not in OUTCOMES:
        raise ValueError(f"{ended.id}: there is no outcome {ended.outcome!r}")
    line: Message = {
        "op": "result",
        "attempt": attempt,
        "case": index if index is not None else 0,
        "outcome": ended.outcome,
        "start": round(time.time() - max(seconds, 0.0), 6),
        "durations": [0.0, round(seconds, 6), 0.0],
        "message": ended.message,
        "details": ended.details,
        "sections": [[title, _end_of(text, output_bytes)] for title, text in ended.sections if text],
    }
    if ended.signal:
        line["signal"] = ended.signal
    if index is None:
        line["id"] = ended.id
    return line


def death(
    case: str, code: int, *, known: bool, limit: float, notes: list[str], sections: list[tuple[str, str]]
) -> Ended:
    """The verdict of a case whose process ended before it did.

    `known`: it had said that it began. `limit`: the seconds that were exceeded, 0 for none. `notes`: what tells why,
    such as stacks.
    """
    end, outcome = f"the process {described(code)}", "crashed"
    if limit:
        end, outcome = f"exceeded the time limit of {limit:g} s", "timed_out"
    elif code >= 0 and not known:
        end, outcome = f"no result for this case: {end}", "error"
    details = "\n".join(text for text in (end, *notes) if text)
    return Ended(case, outcome, None if known else limit, end, details, sections, signal=max(-code, 0))


def bad_end(program: str, code: int, first: str, sections: list[tuple[str, str]]) -> Ended:
    """A case of its own for a process that failed though none of its cases did; `first` was the first of them."""
    text = f"the process {described(code)}, although no case of it failed"
    details = f"{text}\nthe first of its cases: {first}"
    return Ended(f"{program} (exit)", "error", 0.0, text, details, sections, signal=max(-code, 0))


def _end_of(text: str, limit: int) -> str:
    left = len(text) - limit
    return text if left <= 0 else f"[crossfleet: {left} characters cut here]\n{text[left:]}"

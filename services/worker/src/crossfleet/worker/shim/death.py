"""What is said of a case whose process died under it."""

from __future__ import annotations

import time

from crossfleet.worker.shim.host import Message
from crossfleet.worker.shim.life import Life


def result(
    life: Life,
    case: tuple[int, int],
    outcome: str,
    reason: str,
    seconds: float,
    *,
    code: int,
    output_bytes: int,
    hint: str,
) -> Message:
    """Return the result of ``case`` (attempt, index), which ran for ``seconds`` until its process ended with ``code``.

    Its details are ``reason``, ``hint`` (a command for people, or nothing) and the stacks; its sections the last output.
    """
    made: Message = {"op": "result", "attempt": case[0], "case": case[1], "outcome": outcome}
    made["start"] = round(time.time() - seconds, 6)
    made["durations"] = [0.0, round(seconds, 6), 0.0]
    made["cpu"] = 0.0
    made["process"] = life.number
    made["position"] = life.results + 1
    made["message"] = reason
    backtrace = f"backtrace of the core: {hint}" if hint else ""
    made["details"] = "\n".join(part for part in (reason, backtrace, life.stacks()) if part)
    sections = life.last_output(output_bytes)
    if sections:
        made["sections"] = sections
    if code < 0:
        made["signal"] = -code
    return made


def out_of_memory(limit: int, seen: int) -> str:
    """Say how much memory was allowed and how much was seen, both in bytes."""
    return f"out of memory: {limit >> 20} MiB limit, {seen >> 20} MiB seen"

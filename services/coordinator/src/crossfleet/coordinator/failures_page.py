"""Writes docs/failures.md from the table of failures: `python -m crossfleet.coordinator.failures_page`.

With `--check` it writes nothing and exits 1 when the page is not current.
"""

from __future__ import annotations

import sys
from pathlib import Path

from crossfleet.coordinator.core.failures import TABLE, FailureClass
from crossfleet.coordinator.core.health import CarePolicy
from crossfleet.foundation.pages import keep

PAGE = Path("docs/failures.md")
_INTRODUCTION = """\
# Failures

<!-- Made by `python -m crossfleet.coordinator.failures_page` from core/failures.py: change that. -->

What can fail, how it is recognised, and what is done. The coordinator decides by the same table.

| what failed | cause | how it is recognised | what is done | budget |
|---|---|---|---|---|
"""
_WEIGHTS = """
## What speaks against whom

| cause | costs a try | against the host | against a case, after as many hosts |
|---|---|---|---|
"""
_LOOP = """
A failure speaks against a host only where others do not fail the same way: when the same case is executing as another host
is lost, or the same target cannot begin on another host, it speaks against neither. A case that was executing as so many
hosts were lost, ran out of memory or lost a device, has `crashed`, and is tried on no further one. What happens at once for
one cause is one failure; each counts half after `quarantine_memory_seconds` ({half_life:g}).

## Quarantine

About `quarantine_failures` ({failures:g}) recent failures, and a host is out: what runs there ends, nothing new is placed.

```mermaid
stateDiagram-v2
    well --> testing: too many failures, or by hand
    well --> capped: too many, but too many others are out
    capped --> testing: there is room
    capped --> well: they are long past
    testing --> testing: failed, repair command, again
    testing --> canary: passed
    testing --> resting: failed after the repair as well
    canary --> well: its one task ended
    canary --> testing: no task waits
    canary --> resting: failed by infrastructure
    resting --> testing: the next round
    testing --> held: the last round failed
    canary --> held: the last round failed
    held --> well: crossfleet undrain
```

- **test**: the worker writes to its disks and reads back, looks at free memory, and starts a process; of a device it asks the
  detector again. No answer within {test_seconds:g} s is a failure. Time stands still while a host is not heard.
- **repair**: the operator's command of that worker, `--repair PROGRAM --repair ARGUMENT ...`: no shell, at most
  `--repair-seconds`, its output is kept. It finds `CROSSFLEET_CAUSE` and `CROSSFLEET_DEVICE` in its environment.
- **canary**: one case of a run whose cases are known. What infrastructure does to it costs the run nothing. Where none waits,
  and for devices, one more test stands for it.
- **rounds**: after `quarantine_rounds` ({rounds}) a person must say `crossfleet undrain WORKER`. Rounds of before count until the
  host was well for {forgive_minutes:g} minutes, so that one that always comes back soon is held too.
- **cap**: of a pool - the workers with one label `pool`, or without it - at most `quarantine_share` (a third) are out at once, one at
  least, never the last that serves. Beyond it a host stays in service and `crossfleet workers` says so.

`crossfleet workers` shows who is out, why and since when; `crossfleet workers --quarantined` them alone; events say each step
(`worker_changed` with `health`), and `crossfleet_health_changes` and `crossfleet_workers_quarantined` are in /metrics.
`crossfleet quarantine WORKER` doubts a host by hand, whatever the cap. `quarantine_share` 0 takes nobody out but by hand.
"""


def page() -> str:
    """The page as Markdown."""
    policy = CarePolicy()
    rows = [_row(row) for row in TABLE]
    weights = [_weight(row) for row in TABLE if row.weight]
    loop = _LOOP.format(
        half_life=policy.half_life,
        failures=policy.failures,
        test_seconds=policy.test_seconds,
        rounds=policy.rounds,
        forgive_minutes=policy.forgive_seconds / 60,
    )
    return "".join([_INTRODUCTION, *rows, _WEIGHTS, *weights, loop])


def _row(row: FailureClass) -> str:
    cause = f"`{row.cause.name.lower()}`" if row.cause is not None else ""
    what = "; ".join(strategy.value for strategy in row.strategies)
    return f"| {row.name} | {cause} | {row.recognised} | **{what}**: {row.done} | {row.budget} |\n"


def _weight(row: FailureClass) -> str:
    cause = row.cause.name.lower() if row.cause is not None else ""
    against = f"{row.weight:g}, of its device" if row.of_device else f"{row.weight:g}"
    return f"| `{cause}` | {row.charge.value} | {against} | {row.suspect_hosts or 'never'} |\n"


def main(argv: list[str] | None = None) -> int:
    """Writes or checks the page."""
    return keep(PAGE, page, "python -m crossfleet.coordinator.failures_page", argv)


if __name__ == "__main__":
    sys.exit(main())

"""What a run of chaos found, as a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.chaos.faults import KINDS, Fault
from tests.chaos.history import Finding, Kind, by_kind
from tests.chaos.watching import Ended


@dataclass
class Report:
    """Filled while it goes on. `recoveries`: seconds to the next placement, where the run had something left to place."""

    faults: list[Fault] = field(default_factory=list)
    recoveries: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    undisturbed: Ended | None = None
    runs: list[Ended] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    orphans: dict[int, str] = field(default_factory=dict)

    @property
    def all_findings(self) -> list[Finding]:
        """Those of the runs too."""
        return [*self.findings, *(finding for run in self._all_runs for finding in run.findings)]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return bool(self.runs) and not self.all_findings and not self.orphans

    @property
    def kills(self) -> int:
        """Processes ended by SIGKILL."""
        return sum(fault.kills for fault in self.faults)

    @property
    def _all_runs(self) -> list[Ended]:
        return [*([self.undisturbed] if self.undisturbed else []), *self.runs]

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{'fault':<36}{'times':>6}{'kills':>6}   recovery: median     max"
        for kind in KINDS:
            times = sum(fault.kind == kind for fault in self.faults)
            if times:
                found = self.recoveries[kind]
                shown = f"{median(found):>12.2f} s{max(found):>6.2f} s" if found else f"{'-':>14}{'-':>8}"
                yield f"{kind:<36}{times:>6}{KINDS[kind].kills * times:>6}   {shown:>24}"
        every = [seconds for found in self.recoveries.values() for seconds in found]
        shown = f"{median(every):>12.2f} s{max(every):>6.2f} s" if every else ""
        yield f"{'all':<36}{len(self.faults):>6}{self.kills:>6}   {shown:>24}"
        yield from self._verdict()

    def _verdict(self) -> Iterator[str]:
        count = by_kind(self.all_findings)
        results = sum(len(run.outcomes) for run in self.runs)
        again = sum(run.again for run in self.runs)
        calm = f"{self.undisturbed.seconds:.1f} s" if self.undisturbed else "-"
        seconds = [run.seconds for run in self.runs] or [0.0]
        yield f"runs {len(self.runs)}, of {median(seconds):.1f} s (undisturbed {calm}), results {results}"
        yield f"results lost {count[Kind.LOST]}, duplicated {count[Kind.DUPLICATED]}"
        yield f"reordered {count[Kind.REORDERED]}, cursors missed {count[Kind.GAP]}, twice {count[Kind.TWIN]}"
        yield f"verdicts {'equal' if not count[Kind.CHANGED] else f'CHANGED: {count[Kind.CHANGED]}'}"
        yield f"executed again although settled {count[Kind.AGAIN]}; again after lost attempts {again}"
        yield f"acknowledged commands without effect {count[Kind.NO_EFFECT]}, orphan processes {len(self.orphans)}"
        yield from _shown([f"{finding.kind}: {finding.text}" for finding in self.all_findings])
        yield from _shown([f"orphan {process}: {command}" for process, command in self.orphans.items()])


def _shown(lines: Sequence[str], most: int = 20) -> Iterator[str]:
    yield from lines[:most]
    if len(lines) > most:
        yield f"... and {len(lines) - most} more"

"""A request makes one run, its groups begin when what they need is over, and each ends once, with all its cases."""

from __future__ import annotations

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.outcomes import BAD, Outcome, RunVerdict
from tests.simulation.audits.books import Audit, AuditedGroup


class Runs(Audit):
    """Runs and their groups, from submission to verdict."""

    def finish(self) -> None:
        """At the very end: every run has its verdict, which follows from those of its cases."""
        for run_id, finished in self._books.runs.items():
            if finished is None:
                self._wrong(f"{run_id} did not finish")
                continue
            groups = [group for group in self._books.groups.values() if group.run_id == run_id]
            for group in groups:
                forgotten = [index for index in group.failures if group.verdicts[index] not in {*BAD, Outcome.FLAKY}]
                if forgotten:
                    self._wrong(f"cases {forgotten} of {run_id} failed first, and nothing says so")
            bad = sum(verdict in BAD for group in groups for verdict in group.verdicts.values())
            if finished.verdict == RunVerdict.PASSED and bad:
                self._wrong(f"{run_id} passed with {bad} bad cases")

    def _RunSubmitted(self, event: e.RunSubmitted) -> None:
        if event.request_id in self._books.requests:
            self._wrong(f"{event.request_id} made a second run {event.run_id}")
        self._books.requests[event.request_id] = event.run_id
        self._books.runs[event.run_id] = None
        for target in event.targets:
            group = AuditedGroup(
                event.run_id,
                most_reruns=event.policy.max_reruns,
                speculate=event.policy.speculate,
                needs=target.needs,
                semaphores=dict(target.request.semaphores),
                near=target.template.near if target.template else (),
                apart=target.template.apart if target.template else (),
                exclusive=target.request.exclusive,
            )
            self._books.groups[f"{event.run_id}/{target.name}"] = group

    def _RunStopping(self, event: e.RunStopping) -> None:
        self._books.stopping.add(event.run_id)

    def _CasesCollected(self, event: e.CasesCollected) -> None:
        group = self._books.groups[event.group_id]
        if group.cases:
            self._wrong(f"{event.group_id} was collected twice")
        group.cases = list(self._books.collections[event.digest])

    def _AllocationOpened(self, event: e.AllocationOpened) -> None:
        """A group has got slots: what it needs is over."""
        group = self._books.groups[event.group_id]
        if not group.begun and (unmet := self._unmet(group)):
            self._wrong(f"{event.group_id} was begun before {unmet}")
        group.begun = True

    def _GroupSkipped(self, event: e.GroupSkipped) -> None:
        group = self._books.groups[event.group_id]
        group.skipped = True
        if group.begun or bool(self._unmet(group)) is group.unchanged:
            self._wrong(f"{event.group_id} was skipped for no reason")

    def _unmet(self, group: AuditedGroup) -> list[str]:
        """Needs of a group that are not over as they must be."""
        needed = {need.target: (need, self._books.groups[f"{group.run_id}/{need.target}"]) for need in group.needs}
        return [name for name, (need, one) in needed.items() if not one.over or (need.passed and not one.passed)]

    def _GroupFinished(self, event: e.GroupFinished) -> None:
        group = self._books.groups[event.group_id]
        missing = [index for index in range(len(group.cases)) if index not in group.verdicts]
        if missing or group.over:
            self._wrong(f"{event.group_id} ends with {len(missing)} cases open, or twice")
        group.over = True
        lost = {*BAD, Outcome.NOT_RUN, Outcome.PREEMPTED, Outcome.CANCELLED}
        group.passed = group.unchanged or not (
            group.skipped or event.failed or lost.intersection(group.verdicts.values())
        )

    def _RunFinished(self, event: e.RunFinished) -> None:
        groups = self._books.groups
        open_groups = [name for name, group in groups.items() if group.run_id == event.run_id and not group.over]
        if self._books.runs[event.run_id] is not None or open_groups:
            self._wrong(f"{event.run_id} ends twice, or before {open_groups}")
        self._books.runs[event.run_id] = event

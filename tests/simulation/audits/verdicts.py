"""Each case gets one verdict, which is what an attempt of its own has shown."""

from __future__ import annotations

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.outcomes import BAD, Outcome
from tests.simulation.audits.books import Audit


class Verdicts(Audit):
    """Results of cases. It is asked before their attempts leave the books."""

    def _CasesFinished(self, event: e.CasesFinished) -> None:
        group = self._books.groups[event.group_id]
        if group.over:
            self._wrong(f"{event.group_id} is over and gets verdicts")
        for case in event.cases:
            index = case.case_index
            if index in group.verdicts:
                self._wrong(f"case {index} of {event.group_id} got a second verdict")
            group.verdicts[index] = case.outcome
            failures = group.failures.get(index, [])
            if failures and not case.attempt_id:
                if case.outcome != failures[-1]:
                    self._wrong(f"case {index} of {event.group_id} was to be run again and ends as {case.outcome}")
            elif case.outcome == Outcome.CRASHED and "suspected" in case.message:
                if len(group.struck.get(index, ())) < 2:
                    self._wrong(f"case {index} of {event.group_id} is suspected after {group.struck.get(index)}")
            elif case.outcome not in {Outcome.NOT_RUN, Outcome.CANCELLED} and not group.skipped:
                self._check_truth(event.group_id, case, Outcome.FLAKY if failures else None)

    def _CasesRerun(self, event: e.CasesRerun) -> None:
        group = self._books.groups[event.group_id]
        for case in event.cases:
            index = case.case_index
            if index in group.verdicts or group.over:
                self._wrong(f"case {index} of {event.group_id} is to be run again and has its verdict")
            self._check_truth(event.group_id, case)
            failures = group.failures.setdefault(index, [])
            failures.append(case.outcome)
            if case.outcome not in BAD or len(failures) > group.most_reruns:
                self._wrong(f"case {index} of {event.group_id} is run again after {failures}")
            attempt = self._books.attempts[case.attempt_id]
            attempt.cases = tuple(one for one in attempt.cases if one != index)

    def _CaseStruck(self, event: e.CaseStruck) -> None:
        self._books.groups[event.group_id].struck.setdefault(event.case_index, set()).add(event.worker_id)

    def _check_truth(self, group_id: str, case: e.FinishedCase, if_good: Outcome | None = None) -> None:
        """What is stored of a case is what its own attempt showed; `if_good` stands for anything but a failure."""
        group, index = self._books.groups[group_id], case.case_index
        attempt = self._books.attempts.get(case.attempt_id)
        if attempt is not None and attempt.copy:
            group.by_copy.add(index)
            if case.outcome in BAD:
                self._wrong(f"case {index} of {group_id} fails by its copy {case.attempt_id}")
        if attempt is None or index not in attempt.cases or attempt.worker_id != case.worker_id:
            self._wrong(f"case {index} of {group_id} counts from attempt {case.attempt_id}, which is not its own")
            return
        truth = self._world.truth_of(group.run_id, case.attempt_id, group.cases[index])
        expected = Outcome[truth.upper()]
        if if_good is not None and expected not in BAD:
            expected = if_good
        if case.outcome != expected:
            text = f"{truth} and counts as {Outcome(case.outcome).name}"
            self._wrong(f"case {index} of {group_id} showed {text} in attempt {case.attempt_id}")

"""Cases that pass at once: for measuring everything around the execution."""

from __future__ import annotations

import time
from collections.abc import Sequence

from crossfleet.api.types.v1.result_pb2 import OUTCOME_PASSED, CaseResult
from crossfleet.api.types.v1.suite_pb2 import Suite
from crossfleet.foundation.errors import FieldViolation, InvalidArgument


class NoopRunner:
    """The cases are those that the suite names; each passes in no time."""

    def collect(self, suite: Suite) -> Sequence[str]:
        """The cases named. Raises InvalidArgument when there are none."""
        if not suite.cases:
            raise InvalidArgument("no cases", fields=[FieldViolation("suite.cases", "name at least one case")])
        return suite.cases

    def execute(self, suite: Suite, case_index: int) -> CaseResult:
        """Passed."""
        return CaseResult(case_index=case_index, outcome=OUTCOME_PASSED, start_unix_seconds=time.time())

"""Any command: one case whose verdict is the exit status, and the cases of the JUnit files that it leaves."""

from __future__ import annotations

from crossfleet.api.types.v1.suite_pb2 import Suite
from crossfleet.foundation.errors import FieldViolation, InvalidArgument
from crossfleet.worker.runners.runner import Launch


class CommandRunner:
    """Executes `suite.arguments` without a shell."""

    def launch(self, suite: Suite) -> Launch:
        """The command itself. Raises InvalidArgument when there is none."""
        if not suite.arguments:
            raise InvalidArgument(
                "no command", fields=[FieldViolation("suite.arguments", "name the command to execute")]
            )
        return Launch("command", tuple(suite.arguments), needs_python=False)

"""Suites of pytest: collected once for each allocation, forked for each slot."""

from __future__ import annotations

from crossfleet.api.types.v1.suite_pb2 import Suite
from crossfleet.worker.runners.runner import Launch


class PytestRunner:
    """Hands pytest its arguments as they are."""

    def launch(self, suite: Suite) -> Launch:
        """As pytest would be started."""
        return Launch("pytest", tuple(suite.arguments), needs_python=True)

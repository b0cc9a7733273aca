"""What a kind of suite has to say about itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from crossfleet.api.types.v1.result_pb2 import CaseResult
from crossfleet.api.types.v1.suite_pb2 import Suite


@dataclass(frozen=True, slots=True)
class Launch:
    """How the shim executes a suite: `shim_runner` is `pytest`, `command` or `program`, `arguments` are its own.

    `program` names the class of a program that lists its cases, as `package.module:Class`.
    """

    shim_runner: str
    arguments: Sequence[str]
    needs_python: bool
    program: str = ""


@runtime_checkable
class ProcessRunner(Protocol):
    """A kind that the shim executes in processes of its own."""

    def launch(self, suite: Suite) -> Launch:
        """How to execute this suite. Raises InvalidArgument where it says nothing that can be executed."""


@runtime_checkable
class AgentRunner(Protocol):
    """A kind that needs no process: the agent answers at once. It must not wait for anything."""

    def collect(self, suite: Suite) -> Sequence[str]:
        """The ids of the cases. Raises InvalidArgument."""

    def execute(self, suite: Suite, case_index: int) -> CaseResult:
        """The result of one case."""

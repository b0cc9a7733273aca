"""Programs that list their cases and execute those that they are told: one class a kind, one line each."""

from __future__ import annotations

from crossfleet.api.types.v1.suite_pb2 import Suite
from crossfleet.foundation.errors import FieldViolation, InvalidArgument
from crossfleet.worker.runners.runner import Launch

_HERE = "crossfleet.worker.shim.programs"


class ProgramRunner:
    """Subclass it, name the class that the shim makes (see `crossfleet.worker.shim.programs.program`), register it."""

    program: str
    """`package.module:Class`, importable beside the worker, of the standard library only."""
    needs_python = False
    """Whether the words are those of a Python module: the target's interpreter is put before them."""

    def launch(self, suite: Suite) -> Launch:
        """The words as they are. Raises InvalidArgument where there are none."""
        if not suite.arguments and not self.needs_python:
            raise InvalidArgument(
                "no command", fields=[FieldViolation("suite.arguments", "name the program to execute")]
            )
        return Launch("program", tuple(suite.arguments), needs_python=self.needs_python, program=self.program)


class GoogleTestRunner(ProgramRunner):
    """GoogleTest binaries."""

    program = f"{_HERE}.googletest:GoogleTest"


class Catch2Runner(ProgramRunner):
    """Catch2 binaries, version 2 or 3."""

    program = f"{_HERE}.catch2:Catch2"


class GoRunner(ProgramRunner):
    """`go test`: packages, with the tests that they show."""

    program = f"{_HERE}.gotest:GoTest"


class UnittestRunner(ProgramRunner):
    """`python -m unittest`."""

    program = f"{_HERE}.unittests:Unittest"
    needs_python = True


class NodeRunner(ProgramRunner):
    """`node --test`: files, with the tests that they show."""

    program = f"{_HERE}.nodetest:NodeTest"


class VitestRunner(ProgramRunner):
    """`vitest run`: files, with the tests that they show."""

    program = f"{_HERE}.vitest:Vitest"


class TapRunner(ProgramRunner):
    """A command whose output is TAP."""

    program = f"{_HERE}.tap:Tap"


class LibtestRunner(ProgramRunner):
    """A command whose output is that of Rust's libtest, as text or as JSON."""

    program = f"{_HERE}.libtest:Libtest"

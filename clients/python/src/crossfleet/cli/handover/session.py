"""A session of pytest whose collection and cases are a fleet's: header, hooks, summary and exit status are pytest's own."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from typing import Any

import pytest
from _pytest.main import wrap_session

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.exits import UsageError
from crossfleet.cli.fleet import folders
from crossfleet.cli.fleet.link import FleetFault
from crossfleet.cli.fleet.options import embedded_plan
from crossfleet.cli.fleet.waiting import HeldFleet
from crossfleet.cli.handover.arguments import for_fleet
from crossfleet.cli.quiet import quiet_grpc
from crossfleet.cli.running import options as command_line
from crossfleet.cli.running.command import Command, recognise
from crossfleet.cli.running.options import RunOptions

_FLEETS_FAULT = 3
"""Pytest's status for an internal error: not the suite's fault."""
_LOCAL_SPREADING: dict[str, Any] = {"numprocesses": None, "dist": "no", "tx": [], "distload": False}


def hand_over(config: Any) -> int:
    """Runs the session on a fleet and answers pytest's exit status. Raises pytest.UsageError."""
    quiet_grpc()
    address = os.environ.get("CROSSFLEET_ADDRESS", "")
    try:
        words = [sys.executable, "-m", "pytest", *for_fleet(config.invocation_params.args)]
        command = recognise(words, os.environ.get("PYTEST_ADDOPTS", ""))
        size = ["--slots", str(config.option.fleet_slots)] if config.option.fleet_slots else []
        options = command_line.parse([*size, "--", "pytest"])
        plan = None if address else embedded_plan(folders.data_folder(""), 0, (), options.slots)
        fleet = HeldFleet(plan) if plan is not None else None
    except (UsageError, FleetFault) as error:
        raise pytest.UsageError(str(error)) from None
    for name, value in _LOCAL_SPREADING.items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)
    options = dataclasses.replace(options, max_failures=config.option.maxfail or None)
    as_module = os.path.basename(sys.argv[0]) == "__main__.py"
    command = dataclasses.replace(command, as_module=as_module)
    try:
        return int(wrap_session(config, lambda _, session: _main(session, options, command, fleet)))
    finally:
        if fleet is not None:
            fleet.close()


def _main(session: Any, options: RunOptions, command: Command, fleet: HeldFleet | None) -> int | None:
    """The run loop alone, as a hook: what other plugins put around it has its place."""

    class Loop:
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session: Any) -> bool:
            finished.append(_run(session, options, command, fleet))
            return True

    finished: list[tuple[run_pb2.Run, int]] = []
    session.config.pluginmanager.register(Loop(), "crossfleet-loop")
    session.config.hook.pytest_runtestloop(session=session)
    return _concluded(session, *finished[0])


def _run(session: Any, options: RunOptions, command: Command, fleet: HeldFleet | None) -> tuple[run_pb2.Run, int]:
    """The finished run, and how many files could not be collected."""
    # Imported while the services start.
    from crossfleet.cli.advice import explain_error
    from crossfleet.cli.handover.following import follow_run
    from crossfleet.cli.handover.telling import Telling
    from crossfleet.client import Endpoint
    from crossfleet.foundation.errors import CrossfleetError

    telling = Telling(session)
    _expect_no_data(session.config)
    for note in command.pytest.notes if command.pytest else ():
        telling.line(note)
    if session.config.option.fleet_slots and (fleet is None or fleet.joined):
        telling.line("--fleet-slots: the fleet that is there stays as large as it is")
    seed = getattr(session.config.option, "randomly_seed", None)
    if isinstance(seed, int):  # the one that the header shows
        command = dataclasses.replace(command, arguments=(*command.arguments, f"--randomly-seed={seed}"))
    try:
        endpoint = Endpoint(fleet.wait()) if fleet else Endpoint.from_environment()
        if endpoint is None:
            raise pytest.UsageError("CROSSFLEET_ADDRESS is not set")
        here = fleet is not None or endpoint.on_unix_socket
        run = asyncio.run(follow_run(options, command, sys.executable if here else "", endpoint, fleet, telling))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    except CrossfleetError as error:
        raise pytest.exit.Exception(explain_error(error), _FLEETS_FAULT) from None
    except FleetFault as error:
        raise pytest.exit.Exception(str(error), _FLEETS_FAULT) from None
    return run, telling.collection_errors


def _expect_no_data(config: Any) -> None:
    """Let pytest-cov not wonder that nothing is measured here: the slots' data is there when it reports."""
    controller = getattr(config.pluginmanager.getplugin("_cov"), "cov_controller", None)
    if controller is not None and hasattr(controller, "cov"):
        controller.cov._warn_no_data = False  # noqa: SLF001 - there is no public name


def _concluded(session: Any, run: run_pb2.Run, collection_errors: int) -> int | None:
    """Pytest's status of what a run came to; raises what pytest itself would have raised."""
    (target,) = run.targets
    said = f"{target.cause or run.cause}\n{target.cause_details}".strip()
    if target.ending == result_pb2.SUITE_ENDING_USAGE:
        raise pytest.UsageError(said)
    if target.ending == result_pb2.SUITE_ENDING_COLLECTION_ERRORS:
        raise session.Interrupted(f"{collection_errors} error{'s' * (collection_errors != 1)} during collection")
    if target.ending == result_pb2.SUITE_ENDING_RUNNER_ENDED:
        raise pytest.exit.Exception(said, int(pytest.ExitCode.INTERRUPTED))
    if run.verdict == run_pb2.RUN_VERDICT_INFRASTRUCTURE:
        raise pytest.exit.Exception(said, _FLEETS_FAULT)
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if run.verdict == run_pb2.RUN_VERDICT_CANCELLED:
        raise pytest.exit.Exception(said or "the run was cancelled", int(pytest.ExitCode.INTERRUPTED))
    if session.testsfailed:
        return int(pytest.ExitCode.TESTS_FAILED)
    return None if session.testscollected else int(pytest.ExitCode.NO_TESTS_COLLECTED)

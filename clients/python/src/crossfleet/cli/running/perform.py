"""Submits what a command line asks for, shows it, reports it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.cli import exits
from crossfleet.cli.coverage.combining import combine
from crossfleet.cli.coverage.sessions import MeasuredSessions, fetch_measured
from crossfleet.cli.fleet.link import FleetFault
from crossfleet.cli.fleet.told import told
from crossfleet.cli.fleet.waiting import HeldFleet
from crossfleet.cli.reporting.deadlines import latest, missed, prospect, seconds_left
from crossfleet.cli.reporting.prospects import when
from crossfleet.cli.running.command import Command
from crossfleet.cli.running.conclusion import sessions_failed, status_of
from crossfleet.cli.running.hints import hint_of
from crossfleet.cli.running.options import RunOptions, misplaced
from crossfleet.cli.running.outputs import Outputs
from crossfleet.cli.running.planning import RunPlan
from crossfleet.cli.running.results import RunResults, gather
from crossfleet.cli.running.session import Interrupts, LeaveAtOnce, follow
from crossfleet.cli.running.settled import LAST_WORDS_SECONDS, MOST_SECONDS, sessions_ended
from crossfleet.cli.running.sharding import Sharding
from crossfleet.cli.running.spec import spec_of, suite_of, targets_of, variables_of
from crossfleet.cli.running.view import View
from crossfleet.cli.running.viewing import view_of
from crossfleet.cli.unheard import write_line
from crossfleet.client import Client, Endpoint
from crossfleet.client.listing import commit_of, git_root
from crossfleet.client.workspace import pack_and_upload
from crossfleet.foundation.errors import CrossfleetError


def perform(options: RunOptions, plan: RunPlan, fleet: HeldFleet | None = None) -> int:
    """Runs on `fleet`, or on the one that CROSSFLEET_ADDRESS names. Answers the exit status."""
    command, python = plan.command, plan.python
    sharding = Sharding.of(options)
    outputs = Outputs.of_run(options, command, sharding)
    view = view_of(outputs)  # what it needs is imported while the fleet comes up
    try:
        endpoint = Endpoint(fleet.wait()) if fleet else Endpoint.from_environment()
        if endpoint is None:
            raise exits.UsageError("CROSSFLEET_ADDRESS is not set")
        for note in (
            *(command.pytest.notes if command.pytest else ()),
            *plan.notes,
            *_joining_notes(options, fleet),
            *sharding.notes,
        ):
            view.note(note)
        found, measured, interrupted = asyncio.run(
            _submit_and_follow(options, plan, endpoint, view, outputs, fleet, sharding)
        )
    except LeaveAtOnce:
        view.close()
        write_line("crossfleet run: left; what was not finished is cancelled", sys.stderr)
        return exits.INTERRUPTED
    finally:
        view.close()
    if fleet is not None:
        fleet.let_go()  # it ends while the reports are written
    status = status_of(found.run, interrupted=interrupted)
    if measured is not None:
        stream = sys.stderr if options.json == "-" else sys.stdout
        local = options.python or python or _python_here(command)
        if not combine(measured, local, stream, failed=status != exits.PASSED):
            status = status or exits.FAILED
    outputs.write(found)
    if failed := sessions_failed(found.run):
        why = f"crossfleet logs {found.run.run_id}"
        write_line(f"crossfleet run: pytest failed the session of {', '.join(failed)}, see {why}", sys.stderr)
    if status == exits.USAGE:
        _tell_of_misplaced(command.arguments, found.run)
    return status


def _tell_of_misplaced(words: Sequence[str], run: run_pb2.Run) -> None:
    """Say which options pytest did not know because they are of `crossfleet run`."""
    refused = " ".join(f"{target.cause} {target.cause_details}" for target in run.targets)
    names = [name for name in misplaced(words) if name in refused]
    if names:
        text = f"{', '.join(names)}: of `crossfleet run`; write it before `--`, crossfleet run {names[0]} ... -- pytest"
        write_line(f"crossfleet run: {text}", sys.stderr)


async def _submit_and_follow(
    options: RunOptions,
    plan: RunPlan,
    endpoint: Endpoint,
    view: View,
    outputs: Outputs,
    fleet: HeldFleet | None,
    sharding: Sharding,
) -> tuple[RunResults, MeasuredSessions | None, bool]:
    interrupts = Interrupts()
    own = fleet is not None and not fleet.joined
    try:
        async with Client.open(endpoint) as client:
            command = plan.command
            spec = await make_spec(client, options, plan, endpoint, sharding, own=own)
            for note in _packing_notes(spec, command):
                view.note(note)
            answer = await client.runs.submit(spec)
            for note in await _deadline_notes(client, answer.run):
                view.note(note)
            following = asyncio.ensure_future(
                follow(
                    client,
                    answer.run,
                    answer.event_cursor,
                    view,
                    interrupts,
                    verbose=outputs.style.verbosity > 0,
                    pattern=options.follow,
                )
            )
            run = await unless_fleet_ends(following, fleet, view)
            whole = own or spec.workspace.HasField("local_path") or _measures(command)
            most = 0.0 if interrupts.asked.is_set() else MOST_SECONDS if whole else LAST_WORDS_SECONDS
            ended = sessions_ended(client, run.run_id, most)
            shows = outputs.files.shows_properties
            found = await gather(client, run, outputs.details_of, ended, properties=shows)
            found = replace(found, hint=await hint_of(client, found.run, found.cases))
            return found, await fetch_measured(client, found.artifacts), interrupts.asked.is_set()
    finally:
        interrupts.close()


async def make_spec(
    client: Client,
    options: RunOptions,
    plan: RunPlan,
    endpoint: Endpoint,
    sharding: Sharding,
    *,
    own: bool,
    inherits: bool = True,
) -> run_pb2.RunSpec:
    """What is asked of a fleet; packs and uploads the workspace where the fleet cannot use it in place.

    `inherits`: a suite on this machine gets this process's whole environment.
    """
    folder = Path.cwd()
    root = git_root(folder) or folder
    here = own or (endpoint.on_unix_socket and (await client.fleet.summary()).accepts_local_paths)
    if here and not options.isolated:
        workspace = suite_pb2.Workspace(local_path=str(root), commit=await asyncio.to_thread(commit_of, root))
    else:
        packed = await pack_and_upload(root, client.artifacts)
        workspace = packed.as_message(isolated=options.isolated)
    variables = variables_of(options.env, whole_environment=here and inherits)
    suite = suite_of(plan.command, options, folder, root, variables)
    suite.sees_all_devices = here and not (options.target or options.matrix or options.devices)
    targets = targets_of(plan, options, folder, root, variables, plan.python if here else "")
    return spec_of(plan.command, options, suite, workspace, targets, await sharding.as_message(client))


async def _deadline_notes(client: Client, run: run_pb2.Run) -> list[str]:
    """Says so where a run that was just submitted will probably miss its deadline."""
    if not run.HasField("deadline"):
        return []
    try:
        end = latest(await client.runs.explain(run.run_id))
    except CrossfleetError:
        return []  # it runs all the same
    left = seconds_left(run, time.time())
    return [f"{prospect(left, end)}; it ends {when(end)}"] if end is not None and missed(left, end) else []


def _python_here(command: Command) -> str:
    """The interpreter that would run the suite here; this one where there is none."""
    try:
        return command.default_python()
    except exits.UsageError:
        return sys.executable


def _measures(command: Command) -> bool:
    """Whether coverage of all sessions is wanted: then none may be missing."""
    return command.runner == "pytest" and any(word.startswith("--cov") for word in command.arguments)


def _packing_notes(spec: run_pb2.RunSpec, command: Command) -> list[str]:
    if spec.workspace.HasField("local_path") or not command.in_python:
        return []
    notes = []
    if command.pytest and command.pytest.cache:
        notes.append(
            f"{', '.join(command.pytest.cache)}: a copied workspace has no cache of earlier runs, so all cases run"
        )
    bare = [target.name for target in spec.targets if target.environment.WhichOneof("source") is None]
    if bare:
        notes.append(
            f"{', '.join(bare)}: runs with the workers' own interpreter; --requirements FILE brings the suite's packages"
        )
    return notes


async def unless_fleet_ends(following: asyncio.Future[run_pb2.Run], fleet: HeldFleet | None, view: View) -> run_pb2.Run:
    """What `following` answers. Raises FleetFault as soon as the fleet itself ends."""
    if fleet is None:
        return await following
    loop = asyncio.get_running_loop()
    link, ended = fleet.link, loop.create_future()
    last_words: list[str] = []

    def heed() -> None:
        try:
            for event in link.read():
                if event.get("event") == "gave_up":
                    last_words.append(told(event))
                elif event.get("event") == "died":
                    view.note(f"{event.get('message')}; started again")
        except (FleetFault, OSError, json.JSONDecodeError) as gone:
            loop.remove_reader(link.events)
            if not ended.done():
                ended.set_result(FleetFault(last_words[-1] if last_words else str(gone)))

    loop.add_reader(link.events, heed)
    try:
        await asyncio.wait((following, ended), return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            return following.result()
        raise ended.result()
    finally:
        loop.remove_reader(link.events)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def _joining_notes(options: RunOptions, fleet: HeldFleet | None) -> list[str]:
    sized = [f"--{name}" for name in ("workers", "worker", "slots") if getattr(options, name)]
    if fleet is None:
        told = f"{', '.join(sized)}: the fleet that CROSSFLEET_ADDRESS names stays as large as it is"
        return [told] if sized else []
    if not fleet.joined:
        return []
    return ["joined the fleet that serves this data folder" + ("; its size stays as it is" if sized else "")]

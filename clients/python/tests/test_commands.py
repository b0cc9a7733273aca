"""The command as a person calls it: a process against a scripted fleet on a Unix socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from junitparser import JUnitXml

from clients.python.tests.scripted_fleet import Script, ScriptedFleet
from crossfleet.api.types.v1 import result_pb2
from crossfleet.foundation.testing import serving
from crossfleet.foundation.wait import eventually

PASSED, FAILED = result_pb2.OUTCOME_PASSED, result_pb2.OUTCOME_FAILED
SKIPPED = result_pb2.OUTCOME_SKIPPED


@dataclass
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


class Shell:
    """Starts commands in a folder, with the address of a fleet in their environment."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.environment = {**os.environ, "CROSSFLEET_ADDRESS": address, "SECRET_OF_THE_SHELL": "s3cret"}

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "crossfleet.cli.main", *words]
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *command, cwd=self.folder, env=self.environment, stdout=pipe, stderr=pipe
        )

    async def __call__(self, *words: str) -> Ended:
        process = await self.start(*words)
        out, err = await process.communicate()
        return Ended(process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def fleet_and_shell(folder: Path, script: Script) -> AsyncIterator[tuple[ScriptedFleet, Shell]]:
    fleet = ScriptedFleet(script)
    async with serving(fleet.definition) as running:
        yield fleet, Shell(folder, running.address)


async def test_a_run_that_passes_ends_with_zero_and_its_reports(tmp_path: Path) -> None:
    async with fleet_and_shell(tmp_path, Script({"t.py::a": PASSED, "t.py::b": PASSED})) as (fleet, shell):
        words = ["--junit", "out.xml", "--json", "out.json", "--title", "words", "--label", "a=b"]
        ended = await shell("run", *words, "--", sys.executable, "-m", "pytest", "-q", "-x", "t.py")
    assert (ended.status, "PASSED in 12 s: 2 cases, 2 passed" in ended.out) == (0, True), ended
    assert [suite.tests for suite in JUnitXml.fromfile(str(tmp_path / "out.xml"))] == [2]
    assert json.loads((tmp_path / "out.json").read_text())["run"]["verdict"] == "passed"
    (run,) = fleet.runs.by_request.values()
    assert (run.spec.title, dict(run.spec.labels), run.spec.policy.max_failures) == ("words", {"a": "b"}, 1)
    assert (list(run.spec.suite.arguments), run.spec.suite.as_module) == (["-q", "t.py"], True)
    assert run.spec.workspace.local_path == str(tmp_path)
    assert run.spec.targets[0].environment.local_python == sys.executable


async def test_a_run_that_fails_ends_with_one_and_shows_why(tmp_path: Path) -> None:
    script = Script({"t.py::a": PASSED, "t.py::b": FAILED}, break_stream_after=[1])
    async with fleet_and_shell(tmp_path, script) as (_, shell):
        ended = await shell("run", "--", sys.executable, "-m", "pytest")
    assert ended.status == 1
    assert "FAILED t.py::b - message of t.py::b\n" in ended.err
    assert all(part in ended.out for part in ("Traceback of t.py::b", "printed \\xff bytes", "1 + 1 failed"))


async def test_a_report_that_could_not_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with fleet_and_shell(tmp_path, Script({"t.py::a": PASSED})) as (fleet, shell):
        for path in (".", "file/out.xml"):
            ended = await shell("run", "--junit", path, "--", "true")
            assert (ended.status, f"--junit {path}" in ended.err) == (2, True), ended
        assert not fleet.runs.by_request


async def test_a_way_of_running_again_without_a_number_is_told(tmp_path: Path) -> None:
    pytest_words = ("--", sys.executable, "-m", "pytest")
    async with fleet_and_shell(tmp_path, Script({"t.py::a": PASSED})) as (fleet, shell):
        alone = await shell("run", "-q", "--rerun-on", "host", "--reruns-delay", "2", *pytest_words)
        counted = await shell("run", "-q", "--rerun-on", "host", "--reruns", "2", *pytest_words)
        of_pytest = await shell("run", "-q", "--only-rerun", "Timeout", *pytest_words, "--reruns=2")
        command = await shell("run", "--only-rerun", "Timeout", "--", "make", "check")
    told = "--rerun-on, --reruns-delay: without --reruns N the fleet runs only those cases again that have a mark"
    assert told in alone.err
    assert "without --reruns" not in counted.err + of_pytest.err
    assert (command.status, len(fleet.runs.by_request)) == (2, 3)
    assert "--only-rerun: nothing is run again without --reruns N" in command.err


async def test_unchanged_too_without_a_need_that_it_speaks_of_is_told(tmp_path: Path) -> None:
    words = ("run", "-q", "--target", "a=", "--target", "b=", "--unchanged-too")
    async with fleet_and_shell(tmp_path, Script({"t.py::a": PASSED})) as (_, shell):
        alone = await shell(*words, "--", sys.executable, "-m", "pytest")
        compared = await shell(*words, "--needs", "a=b:changed", "--", sys.executable, "-m", "pytest")
    assert "--unchanged-too: no target here needs another one with :changed" in alone.err
    assert "--unchanged-too" not in compared.err


async def test_cases_that_were_skipped_for_want_of_a_gpu_are_told_of_those_that_the_fleet_has(tmp_path: Path) -> None:
    cases = {"t.py::on_cuda": SKIPPED, "t.py::on_windows": SKIPPED, "t.py::passes": PASSED}
    words = ("--", sys.executable, "-m", "pytest")
    async with fleet_and_shell(tmp_path, Script(cases, gpus=2)) as (fleet, shell):
        told = await shell("run", "--target", "a=", "--target", "b=device.class == 'cpu'", *words)
        asked = await shell("run", "--target", "a=", "--devices", "gpu", *words)
        sees_all = await shell("run", *words)
        fleet.script.gpus = 0
        has_none = await shell("run", "--target", "a=", *words)
    hint = "1 skipped case speaks of GPUs, and the fleet has 2: a slot sees those alone that its run asks for (--devices gpu)"
    assert told.out.count(hint) == 1, told
    assert not any("speaks of GPUs" in ended.out for ended in (asked, sees_all, has_none))


async def test_a_command_that_leaves_no_file_with_cases_is_told_of(tmp_path: Path) -> None:
    words = ("run", "--collect-junit", "out/*.xml", "--", "make", "check")
    async with fleet_and_shell(tmp_path, Script({"make check": PASSED})) as (fleet, shell):
        alone = await shell(*words)
        fleet.script.outcomes["a.b::test_it"] = PASSED
        more = await shell(*words)
    assert "--collect-junit out/*.xml: the command wrote no such file with cases" in alone.out
    assert "--collect-junit" not in more.out


async def test_what_is_not_there_is_told_where_nothing_would_be_printed(tmp_path: Path) -> None:
    async with fleet_and_shell(tmp_path, Script({"t.py::a": PASSED}, end_logs_after=[0])) as (_, shell):
        await shell("run", "-qq", "--", "true")
        silent = await shell("logs", "run-1", "--worker", "w9")
        unknown = await shell("logs", "run-1", "--target", "gpu")
        none = await shell("artifacts", "get", "run-1", "--name", "*.png")
    assert (silent.status, silent.out) == (0, "")
    assert "nothing is kept of what processes wrote on worker w9; --case ID has" in silent.err
    assert (unknown.status, unknown.err) == (2, "crossfleet logs: --target gpu: the run has default\n")
    assert (none.status, "there is none whose name matches *.png" in none.err) == (0, True)


async def test_a_run_without_tests_ends_as_pytest_does(tmp_path: Path) -> None:
    async with fleet_and_shell(tmp_path, Script()) as (_, shell):
        assert (await shell("run", "-qq", "--", sys.executable, "-m", "pytest")).status == 5


async def test_an_interrupt_cancels_the_run_and_keeps_its_report(tmp_path: Path) -> None:
    async with fleet_and_shell(tmp_path, Script({"t.py::a": PASSED}, hold=True)) as (fleet, shell):
        process = await shell.start("run", "--", sys.executable, "-m", "pytest")
        await eventually(lambda: fleet.events.asked_after, deadline=40, what="the run is watched")
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, fleet.runs.cancelled) == (130, ["run-1"])
    assert b"interrupt again to leave at once" in err
    assert b"CANCELLED" in out


async def test_the_end_of_its_terminal_cancels_the_run(tmp_path: Path) -> None:
    async with fleet_and_shell(tmp_path, Script({"t.py::a": PASSED}, hold=True)) as (fleet, shell):
        ours, theirs = os.openpty()
        command = [sys.executable, "-m", "crossfleet.cli.main", "run", "--", sys.executable, "-m", "pytest"]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=shell.folder, env=shell.environment, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        await eventually(lambda: fleet.events.asked_after, deadline=40, what="the run is watched")
        os.close(ours)  # what is written to the terminal fails from now on
        process.send_signal(signal.SIGHUP)
        status = await process.wait()
    assert (status, fleet.runs.cancelled) == (130, ["run-1"])


async def test_a_second_interrupt_leaves_at_once(tmp_path: Path) -> None:
    async with fleet_and_shell(tmp_path, Script(hold=True, cancel_hangs=True)) as (fleet, shell):
        process = await shell.start("run", "--", sys.executable, "-m", "pytest")
        await eventually(lambda: fleet.events.asked_after, deadline=40, what="the run is watched")
        process.send_signal(signal.SIGINT)
        await eventually(lambda: fleet.runs.cancelled, deadline=40, what="a cancel is asked for")
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        fleet.script.hold = fleet.script.cancel_hangs = False
    assert (process.returncode, b"left" in err) == (130, True)


async def test_the_environment_goes_along_over_a_unix_socket_and_is_never_shown(tmp_path: Path) -> None:
    async with fleet_and_shell(tmp_path, Script({"t.py::a": PASSED})) as (fleet, shell):
        ended = await shell("run", "--env", "MINE=1", "--json", "-", "--", "make", "check")
        shown = await shell("show", "run-1", "--output", "json")
        listed = await shell("runs", "--output", "json")
        (run,) = fleet.runs.by_request.values()
    variables = run.spec.suite.variables
    assert (variables["SECRET_OF_THE_SHELL"], variables["MINE"], run.spec.suite.runner) == ("s3cret", "1", "command")
    assert not any("s3cret" in text for text in (ended.out, ended.err, shown.out, listed.out + listed.err))
    assert json.loads(ended.out)["schema"] == 1


async def test_an_isolated_run_uploads_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("x = 1\n")
    async with fleet_and_shell(tmp_path, Script({"t.py::a": PASSED})) as (fleet, shell):
        assert (await shell("run", "-qq", "--isolated", "--", "true")).status == 0
        (run,) = fleet.runs.by_request.values()
    assert run.spec.workspace.isolated
    assert run.spec.workspace.manifest_digest in fleet.blobs.stored
    assert b"x = 1\n" in fleet.blobs.stored.values()


async def test_commands_answer_text_and_json(tmp_path: Path) -> None:
    async with fleet_and_shell(tmp_path, Script({"t.py::a": FAILED})) as (_, shell):
        await shell("run", "-qq", "--", "true")
        workers = await shell("workers", "--output", "json")
        watched = await shell("watch", "run-1", "--output", "json")
        text = await shell("workers")
        missing = await shell("show", "run-9")
    assert [each["worker"]["worker_id"] for each in json.loads(workers.out)["workers"]] == ["w1", "w2"]
    assert [json.loads(line)["kind"] for line in watched.out.splitlines()][-1] == "run_finished"
    assert "zone=eu" in text.out
    assert (watched.status, missing.status, "crossfleet runs" in missing.err) == (1, 2, True)


async def test_workers_that_left_in_good_order_are_shown_where_they_are_asked_for(tmp_path: Path) -> None:
    async with fleet_and_shell(tmp_path, Script()) as (_, shell):
        few, every = await shell("workers"), await shell("workers", "--all")
        doctor = await shell("doctor")
    assert "w3" not in few.out
    assert "1 left in good order, and is not shown: crossfleet workers --all" in few.out
    (line,) = [line for line in every.out.splitlines() if "w3" in line]
    assert "left" in line.split()
    assert "2001-09-" in line
    assert "not shown" not in every.out
    assert "w3" not in doctor.out


@pytest.mark.parametrize("option", ["--slots=99999999999", "--runs=-1", "--devices=gpu=99999999999"])
async def test_a_quota_of_an_amount_that_cannot_be_is_refused_by_its_option(option: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path, f"unix:{tmp_path}/gone.sock")
    ended = await shell("admin", "quota", "set", "ml", option)
    assert ended.status == 2
    assert "is no whole number from 0 to 1000000" in ended.err


async def test_a_fleet_that_is_not_there_is_the_fleets_fault(tmp_path: Path) -> None:
    shell = Shell(tmp_path, f"unix:{tmp_path}/gone.sock")
    ended = await shell("cancel", "run-1")
    assert (ended.status, "crossfleet doctor" in ended.err) == (3, True), ended


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_every_command_and_option(shell: str) -> None:
    command = [sys.executable, "-m", "crossfleet.cli.main", "completion", shell]
    script = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(word in script for word in ("doctor", "target-requirements", "older-than"))
    if shell == "bash":
        asked = f"{script}\nCOMP_WORDS=(crossfleet $@); COMP_CWORD=$#; _crossfleet; echo ${{COMPREPLY[@]}}"
        for typed, meant in (("dra", "drain"), ("admin quo", "quota"), ("admin quota --sl", "--slots")):
            words = ["bash", "-c", asked, "bash", *typed.split()]
            assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == f"{meant}\n"


def test_the_way_to_the_fleets_start_imports_little() -> None:
    code = "import sys; import crossfleet.cli.main, crossfleet.cli.commands.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    heavy = {"grpc", "google.protobuf", "rich", "asyncio", "subprocess", "socket", "typing_extensions", "msgspec"}
    assert not heavy & set(done.stdout.split())


def test_doctor_says_of_each_thing_how_it_is(tmp_path: Path) -> None:
    words = ["doctor", "--output", "json", "--data", str(tmp_path)]
    environment = {key: value for key, value in os.environ.items() if key != "CROSSFLEET_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-m", "crossfleet.cli.main", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    findings = {each["subject"]: each for each in json.loads(done.stdout)["findings"]}
    assert {"python", "parts", "data folder", "runtime folder", "cores", "memory", "fleet"} <= set(findings)
    assert done.returncode == (1 if any(each["status"] == "fail" for each in findings.values()) else 0)
    assert all(each["mend"] for each in findings.values() if each["status"] == "fail")

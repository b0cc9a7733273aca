"""The supervisor, with small services in place of the real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.python.tests.waiting import processes_with, until
from crossfleet.cli.fleet import fleetfile
from crossfleet.cli.fleet.folders import make_private, make_runtime_folder, remove_runtime_folder
from crossfleet.cli.fleet.link import join

SUPERVISED = str(Path(__file__).with_name("supervised.py"))
SERVE = ["one", "serve()", True]


class Fleet:
    """A supervisor process and what it tells."""

    def __init__(self, data: Path, *services: list[object], keep: bool = False) -> None:
        self.data = data
        words = [sys.executable, SUPERVISED, str(data), "keep" if keep else "leave", json.dumps(services)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def event(self, kind: str) -> dict[str, Any]:
        """The next event of a kind; those before it are passed over."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == kind:
                return event
        raise AssertionError(f"the supervisor ended without {kind}")

    def let_go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def services(self) -> list[int]:
        return [pid for pid in processes_with(str(self.data)) if pid != self.process.pid]


@pytest.fixture
def fleets() -> Iterator[list[Fleet]]:
    started: list[Fleet] = []
    yield started
    for fleet in started:
        fleet.process.kill()
        fleet.process.wait(10)
        for stream in (fleet.process.stdin, fleet.process.stdout):
            if stream is not None:
                stream.close()


def start(fleets: list[Fleet], data: Path, *services: list[object], keep: bool = False) -> Fleet:
    fleets.append(Fleet(data, *services, keep=keep))
    return fleets[-1]


def test_the_fleet_ends_when_the_last_command_lets_go(fleets: list[Fleet], tmp_path: Path) -> None:
    fleet = start(fleets, tmp_path, SERVE, ["two", "serve()", False])
    runtime = fleet.event("started")["runtime"]
    fleet.event("serving")
    assert len(fleet.services()) == 2
    fleet.let_go()
    assert fleet.process.wait(10) == 0
    assert (fleet.services(), os.path.exists(runtime), fleetfile.read(str(tmp_path))) == ([], False, None)


def test_services_end_when_their_supervisor_is_killed(fleets: list[Fleet], tmp_path: Path) -> None:
    fleet = start(fleets, tmp_path, SERVE, ["two", "serve()", False])
    fleet.event("serving")
    fleet.process.kill()
    assert until(lambda: not fleet.services(), "services end by their lifeline")


def test_a_service_that_is_killed_is_started_again(fleets: list[Fleet], tmp_path: Path) -> None:
    fleet = start(fleets, tmp_path, SERVE)
    fleet.event("serving")
    (first,) = fleet.services()
    os.kill(first, signal.SIGKILL)
    assert "killed by signal 9" in fleet.event("died")["message"]
    fleet.event("ready")
    (second,) = fleet.services()
    assert first != second


def test_a_vital_service_that_keeps_dying_ends_the_fleet_and_shows_its_log(fleets: list[Fleet], tmp_path: Path) -> None:
    marks = "import pathlib; p = pathlib.Path(sys.argv[2], 'marks'); p.write_text((p.read_text() if p.exists() else '') + 'x')"
    code = f"{marks}\nsys.stderr.write('the reason'); sys.exit(7)"
    fleet = start(fleets, tmp_path, SERVE, ["bad", code, True])
    event = fleet.event("gave_up")
    assert ("exit status 7" in event["message"], "the reason" in event["tail"]) == (True, True)
    assert fleet.process.wait(10) == 3
    assert len((tmp_path / "marks").read_text()) == 6


def test_a_refusal_that_only_other_settings_can_change_is_not_tried_again(fleets: list[Fleet], tmp_path: Path) -> None:
    said = "{'ready': False, 'reason': 'ADDRESS_INVALID', 'message': 'nonsense'}"
    fleet = start(fleets, tmp_path, ["bad", f"print(json.dumps({said}), flush=True); sys.exit(3)", True])
    event = fleet.event("gave_up")
    assert (event["message"], event["wrong_settings"], fleet.process.wait(10)) == ("nonsense", True, 2)


def test_a_service_with_wrong_settings_is_not_tried_again(fleets: list[Fleet], tmp_path: Path) -> None:
    refusal = "print(json.dumps({'ready': False, 'message': 'port in use'}), flush=True); sys.exit(2)"
    fleet = start(fleets, tmp_path, ["bad", refusal, True])
    event = fleet.event("gave_up")
    assert (event["message"], event["wrong_settings"]) == ("port in use", True)
    assert fleet.process.wait(10) == 2


def test_a_second_command_keeps_the_fleet_alive(fleets: list[Fleet], tmp_path: Path) -> None:
    fleet = start(fleets, tmp_path, SERVE)
    fleet.event("serving")
    link = join(str(tmp_path))
    assert link is not None
    until(lambda: any(event["event"] == "serving" for event in link.read()), "a late command is told what happened")
    fleet.let_go()
    with pytest.raises(subprocess.TimeoutExpired):
        fleet.process.wait(0.3)
    link.release()
    assert link.wait_for_end(10)
    assert fleet.process.wait(10) == 0


def test_a_kept_fleet_ends_by_sigterm(fleets: list[Fleet], tmp_path: Path) -> None:
    fleet = start(fleets, tmp_path, SERVE, keep=True)
    until(lambda: fleetfile.read(str(tmp_path)), "the fleet is announced")
    fleet.process.send_signal(signal.SIGTERM)
    assert fleet.process.wait(10) == 0
    assert fleet.services() == []


def test_a_service_that_ignores_sigterm_is_killed(fleets: list[Fleet], tmp_path: Path) -> None:
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN); ready()\nwhile True: time.sleep(60)"
    fleet = start(fleets, tmp_path, ["stubborn", stubborn, True])
    fleet.event("serving")
    fleet.let_go()
    assert fleet.process.wait(10) == 0
    assert fleet.services() == []


def test_a_stale_announcement_is_not_joined_and_its_sockets_are_removed(fleets: list[Fleet], tmp_path: Path) -> None:
    first = start(fleets, tmp_path, SERVE)
    runtime = first.event("started")["runtime"]
    first.process.kill()
    first.process.wait(10)
    assert os.path.exists(runtime)
    assert join(str(tmp_path)) is None
    second = start(fleets, tmp_path, SERVE)
    second.event("serving")
    assert not os.path.exists(runtime)


def test_one_process_holds_the_lock_of_a_data_folder(tmp_path: Path) -> None:
    held = fleetfile.take_lock(str(tmp_path))
    assert held is not None
    assert fleetfile.take_lock(str(tmp_path)) is None
    os.close(held)
    again = fleetfile.take_lock(str(tmp_path))
    assert again is not None
    os.close(again)


def test_a_data_folder_that_others_can_enter_is_closed_if_it_is_ours_and_refused_if_not(tmp_path: Path) -> None:
    fresh, ours, foreign = tmp_path / "fresh", tmp_path / "ours", tmp_path / "foreign"
    for folder in (fresh, ours, foreign):
        folder.mkdir(mode=0o755)
    (ours / fleetfile.LOCK).touch()
    (foreign / "thesis.tex").touch()
    for folder in (fresh, ours):
        make_private(str(folder), fleetfile.LOCK)
        assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(OSError, match="chmod 700"):
        make_private(str(foreign), fleetfile.LOCK)


def test_a_runtime_folder_is_private_and_its_sockets_have_short_paths(tmp_path: Path) -> None:
    made = make_runtime_folder([str(tmp_path / "gone"), str(tmp_path / ("long" * 30)), "/tmp"])
    assert (os.stat(made).st_mode & 0o777, len(made) < 40) == (0o700, True)
    remove_runtime_folder(made)
    assert not os.path.exists(made)
    with pytest.raises(OSError, match="XDG_RUNTIME_DIR"):
        make_runtime_folder([str(tmp_path / "gone")])

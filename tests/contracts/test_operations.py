"""The operator's page: each of its calls, run with the real grpcurl against a real fleet on TCP."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("grpcurl")
]

pytestmark = [pytest.mark.needs_grpcurl, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The page's variables for a fleet on loopback that has carried out the page's own run."""
    data = tmp_path_factory.mktemp("fleet")
    up = subprocess.Popen(
        [sys.executable, "-m", "crossfleet.cli.main", "up", "--data", str(data), "--grpc", "127.0.0.1:0"]
        + ["--http", "127.0.0.1:0", "--worker", "w1", "--output", "json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert up.stdout is not None
    try:
        sockets: dict[str, list[str]] = {}
        for line in up.stdout:
            event = json.loads(line)
            if event["event"] == "ready":
                sockets[event["service"]] = event["addresses"]
            if event["event"] == "serving":
                break
        variables = {
            "ADDRESS": next(a for a in sockets["coordinator"] if not a.startswith("unix:")),
            "TOKEN": (data / "token").read_text().strip(),
            "WORKER": "w1",
            "SCHEDULER": sockets["scheduler"][0].removeprefix("unix:"),
            "AGENT": sockets["w1"][0].removeprefix("unix:"),
            "GATEWAY": sockets["integrations"][0].removeprefix("unix:"),
        }
        submitted = call(next(c for c in COMMANDS if "SubmitRun" in c and "describe" not in c), variables)
        yield variables | {"RUN": json.loads(submitted.stdout)["run"]["run_id"]}
    finally:
        up.terminate()
        assert up.wait(20) == 0
        up.stdout.close()


def call(command: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The command as a shell would take it apart, with the page's variables, run without a shell."""
    for name, value in variables.items():
        command = command.replace(f"${name}", value)
    return subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=30, check=False)


def test_the_page_has_twenty_calls_and_more() -> None:
    assert len(COMMANDS) >= 20


@pytest.mark.parametrize(
    "command", COMMANDS, ids=lambda c: re.findall(r"[\w.]+/\w+|list|describe", c)[-1].split(".")[-1]
)
def test_a_call_of_the_page_works_as_written(fleet: dict[str, str], command: str) -> None:
    done = call(command, fleet)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_following_the_run_ends_with_its_verdict(fleet: dict[str, str]) -> None:
    done = call(next(c for c in COMMANDS if "WatchEvents" in c), fleet)

    assert '"verdict": "RUN_VERDICT_PASSED"' in done.stdout


def test_a_call_without_a_token_is_refused_and_says_what_to_send(fleet: dict[str, str]) -> None:
    done = call("grpcurl -plaintext $ADDRESS list", fleet)

    assert done.returncode != 0
    assert "authorization: Bearer" in done.stderr


def test_what_is_not_served_yet_answers_unimplemented_with_a_reason(fleet: dict[str, str]) -> None:
    done = call(
        "grpcurl -plaintext -H 'authorization: Bearer $TOKEN' -d '{\"name\": \"lease_seconds\"}' $ADDRESS"
        " crossfleet.api.coordinator.v1.AdminService/UpdateSetting",
        fleet,
    )

    assert "Unimplemented" in done.stderr
    assert "changed by a restart" in done.stderr


@pytest.mark.needs_buf
def test_buf_curl_speaks_to_the_fleet_by_reflection(fleet: dict[str, str]) -> None:
    done = call(
        "buf curl --protocol grpc --http2-prior-knowledge -H 'authorization: Bearer $TOKEN' --reflect"
        " --reflect-header 'authorization: Bearer $TOKEN' http://$ADDRESS/crossfleet.api.coordinator.v1.FleetService/GetFleet",
        fleet,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epoch"]

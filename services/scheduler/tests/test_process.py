"""The scheduler as a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT = 20.0


def started(*flags: str, **more) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "crossfleet.scheduler", *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/s"


def test_it_says_when_it_serves_and_ends_when_its_lifeline_does(address):
    ours, theirs = os.pipe()
    process = started("--listen", address, "--lifeline-fd", str(ours), pass_fds=[ours])
    os.close(ours)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert (ready["ready"], ready["service"], ready["address"]) == (True, "scheduler", address)
    os.close(theirs)
    process.communicate(timeout=LIMIT)
    assert process.returncode == 0


def test_a_wrong_setting_is_named(address):
    process = started("--listen", address, "--refusal-seconds", "soon")
    _, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 2
    assert b"refusal" in errors


def test_starting_loads_neither_cel_nor_prometheus():
    heavy = "cel_expr_python", "prometheus_client", "opentelemetry.sdk"
    code = f"import sys, crossfleet.scheduler.main; sys.exit(any(name in sys.modules for name in {heavy!r}))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=LIMIT).returncode == 0

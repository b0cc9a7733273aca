"""One replay: a fresh process of plain pytest that executes an order, and what it showed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossfleet.cli.quiet import callers_environment
from crossfleet.cli.reproduction import inside
from crossfleet.cli.reproduction.order import Order
from crossfleet.cli.reproduction.sameness import Observed, Report

_SCRIPT = Path(inside.__file__).with_name("replay.py")
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay showed of the last case; `missing` are cases that are not collected here, by id."""

    observed: Observed
    seconds: float
    environment: str = ""
    missing: tuple[str, ...] = ()
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where replays run. `loud` streams take what pytest prints (descriptors of standard output, or error)."""

    folder: Path
    python: str
    loud: int = 1


def replay(order: Order, *, place: Place, seconds: float, loud: bool = False) -> Replayed:
    """Executes an order within a time limit, in seconds. Every process that it started is gone when it returns.

    Raises KeyboardInterrupt after Ctrl-C.
    """
    with tempfile.TemporaryDirectory(prefix="crossfleet-replay-") as name:
        plan, journal = Path(name, "plan.json"), Path(name, "journal")
        journal.touch()
        plan.write_text(json.dumps(_plan(order, name)), encoding="utf-8")
        output = place.loud if loud else subprocess.DEVNULL
        began = time.monotonic()
        sys.stdout.flush()
        with subprocess.Popen(
            [place.python, str(_SCRIPT), str(plan), str(journal)],
            cwd=place.folder,
            env=_environment(order),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as child:
            late = _wait(child, seconds)
        took = time.monotonic() - began
        lines = [json.loads(line) for line in journal.read_text(encoding="ascii").splitlines() if line.endswith("}")]
    return _judged(lines, child.returncode, late, took, order)


def _plan(order: Order, folder: str) -> dict[str, Any]:
    artifacts = os.path.join(folder, "artifacts")
    os.mkdir(artifacts)
    worker = f"gw{order.run_number}"
    return {
        "cases": order.cases,
        "arguments": order.arguments,
        "as_module": order.as_module,
        "narrow": order.narrow,
        "seeds": dict(order.seeds),
        "worker": worker,
        "slots": order.run_slots,
        "case_seconds": order.case_seconds,
        "variables": {
            "CROSSFLEET_SLOT": str(order.slot),
            "CROSSFLEET_ARTIFACTS": artifacts,
            "PYTEST_XDIST_WORKER": worker,
            "PYTEST_XDIST_WORKER_COUNT": str(order.run_slots),
            "PYTEST_XDIST_TESTRUNUID": order.run,
        },
    }


def _environment(order: Order) -> Mapping[str, str]:
    said = {"CROSSFLEET_RUN": order.run, "CROSSFLEET_TARGET": order.target, "CROSSFLEET_WORKER": order.worker}
    hash_seed = order.seeds.get("PYTHONHASHSEED")
    return {**callers_environment(), **said, **({"PYTHONHASHSEED": hash_seed} if hash_seed else {})}


def _wait(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Waits for its end, and ends it at its limit or at Ctrl-C. Says whether it came too late."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    except KeyboardInterrupt:
        _signal_group(child.pid, signal.SIGINT)
        try:
            child.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        raise
    finally:
        _signal_group(child.pid, signal.SIGKILL)
    return False


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def _judged(lines: list[dict[str, Any]], code: int, late: bool, took: float, order: Order) -> Replayed:
    environment = next((line["environment"] for line in lines if "environment" in line), "")
    missing = tuple(case for line in lines for case in line.get("missing", ()))
    reached = any(line.get("last") for line in lines)
    ended = any(line.get("ended") for line in lines)
    reports = [Report(line["failed"], line["message"], line["details"]) for line in lines if "failed" in line]
    if reached and ended:
        observed = Observed("failed" if reports else "passed", reports)
    elif late:
        observed = Observed(
            "timed_out" if reached and order.outcome == "timed_out" else "not_run", (), 0, "took too long"
        )
    elif reached and order.case_seconds and code == 1:
        observed = Observed("timed_out")
    elif reached:
        end = f"was killed by {_name(-code)}" if code < 0 else f"exited with status {code}"
        observed = Observed("crashed", (), max(0, -code), f"the process {end}")
    elif not lines:
        observed = Observed("not_run", (), 0, f"pytest ended with status {code} before it had collected")
    else:
        observed = Observed("not_run", (), 0, f"pytest ended with status {code} before the case")
    return Replayed(observed, took, environment, missing, absent=order.case in missing)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

"""Interpreters that are started ahead of a run."""

from __future__ import annotations

import os
import signal
import sysconfig
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crossfleet.worker.shim import processes
from crossfleet.worker.shim.spares import CALM_SECONDS
from services.worker.tests.shim.driver import PATIENCE, Shim, gone, pause, suite

PROBE = """
    import os, sys
    PID = os.getpid()
    def test_probe():
        print(PID)
        for name in ("PYTHONHASHSEED", "CROSSFLEET_RUN", "TRACEPARENT", "SLOT"):
            print(name, os.environ.get(name))
        print("name", open("/proc/self/comm").read().strip())
        print("argv", sys.argv[1:], "path", sys.path[0], "cwd", os.getcwd(), "hash", hash("a"))
"""

FINDER = """
    import importlib.util, os
    PID = os.getpid()
    def test_probe():
        print(PID)
        print("newcomer", importlib.util.find_spec("newcomer") is not None)
"""


@pytest.fixture
def warm(state: Path) -> Iterator[Shim]:
    """A shim that may keep one interpreter."""
    started = Shim(state, "--spares", "1")
    started.attach()
    yield started
    started.end()


def execute(shim: Shim, folder: Path, seed: int, **fields: Any) -> tuple[int, list[str]]:
    """A whole allocation, which says that the next one has the seed after its own.

    Answers the process that has imported the suite, and what the probe has printed besides.
    """
    shim.messages.clear()
    env = {"PYTHONHASHSEED": str(seed), **fields.pop("env", {})}
    fields.setdefault("next_seed", seed + 1)
    collected = shim.open(folder, "-q", env=env, **fields)
    assert collected["op"] == "collected", collected
    results, _ = shim.finish(0, 1, [0])
    assert shim.close()["cause"] == "done"
    zygote, *said = results[0]["sections"][0][1].splitlines()
    return int(zygote), said


def waiting(shim: Shim) -> int:
    """The interpreter that was started ahead, as soon as it is ready."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for pid in shim.attach()["spares"]:
            return int(pid)
        pause()
    raise AssertionError("no interpreter has been started ahead")


def interpreters(shim: Shim) -> list[int]:
    """All that are below a shim."""
    return [pid for pid in processes.tree(shim.process.pid) if pid != shim.process.pid]


def executed_ahead(shim: Shim, folder: Path, first: int, **fields: Any) -> tuple[int, list[str]]:
    """Two runs, of which the second must be executed by the interpreter that waited. Answers its seed, and what it has printed."""
    execute(shim, folder, first, **fields)
    spare = waiting(shim)
    zygote, said = execute(shim, folder, first + 1, **fields)
    assert zygote == spare
    return first + 1, said


def test_a_run_in_an_interpreter_that_waited_sees_what_it_sees_in_a_fresh_one(
    warm: Shim, tmp_path: Path, state: Path
) -> None:
    folder = suite(tmp_path / "suite", test_a=PROBE)
    seed, ahead = executed_ahead(warm, folder, 7, env={"CROSSFLEET_RUN": "one"})
    cold = Shim(state / "cold")
    cold.attach()
    _, fresh = execute(cold, folder, seed, env={"CROSSFLEET_RUN": "one"})
    cold.end()
    assert ahead == fresh
    assert f"PYTHONHASHSEED {seed}" in fresh


def test_variables_of_a_run_do_not_reach_the_next_one(warm: Shim, tmp_path: Path) -> None:
    folder = suite(tmp_path / "suite", test_a=PROBE)
    execute(warm, folder, 7, env={"CROSSFLEET_RUN": "one", "TRACEPARENT": "00-1"})
    spare = waiting(warm)
    zygote, said = execute(warm, folder, 8, env={"CROSSFLEET_RUN": "two"})
    assert zygote == spare
    assert {"CROSSFLEET_RUN two", "TRACEPARENT None"} <= set(said)


@pytest.mark.parametrize(
    "changed", [{"env": {"OTHER": "value"}}, {"env": {"PYTHONHASHSEED": "99"}}, {"as_module": True}], ids=str
)
def test_a_run_with_another_variable_seed_or_form_gets_a_fresh_interpreter(
    warm: Shim, tmp_path: Path, changed: dict[str, Any]
) -> None:
    folder = suite(tmp_path / "suite", test_a=PROBE)
    seed, _ = executed_ahead(warm, folder, 7)
    spare = waiting(warm)
    zygote, _ = execute(warm, folder, seed + 1, **changed)
    assert zygote != spare


def test_after_a_package_was_installed_the_next_run_gets_a_fresh_interpreter(warm: Shim, tmp_path: Path) -> None:
    python = environment_with_pytest(tmp_path / "env")
    folder = suite(tmp_path / "suite", test_a=PROBE)
    seed, _ = executed_ahead(warm, folder, 7, python=str(python))
    spare = waiting(warm)
    packages = next((tmp_path / "env").glob("lib/python*/site-packages"))
    (packages / "newcomer.py").write_text("")
    zygote, _ = execute(warm, folder, seed + 1, python=str(python))
    assert zygote != spare
    assert gone(spare)


def test_a_folder_that_was_replaced_is_executed_as_it_is_now(warm: Shim, tmp_path: Path) -> None:
    folder = suite(tmp_path / "suite", test_a=PROBE)
    execute(warm, folder, 7)
    spare = waiting(warm)
    folder.rename(tmp_path / "before")
    suite(folder, test_a=PROBE + "        print('replaced')\n")
    zygote, said = execute(warm, folder, 8)
    assert zygote != spare
    assert "replaced" in said
    assert gone(spare)


def test_runs_that_lead_one_to_expect_the_same_keep_one_interpreter_between_them(state: Path, tmp_path: Path) -> None:
    shim = Shim(state, "--spares", "2")
    shim.attach()
    folder = suite(tmp_path / "suite", test_a=PROBE)
    execute(shim, folder, 7, next_seed=9)
    first = waiting(shim)
    execute(shim, folder, 8, next_seed=9)
    other = suite(tmp_path / "other", test_a=PROBE)
    execute(shim, other, 7)
    deadline = time.monotonic() + PATIENCE
    while len(shim.attach()["spares"]) < 2:
        assert time.monotonic() < deadline
        pause()
    assert shim.attach()["spares"][0] == first
    assert len(interpreters(shim)) == 2
    shim.end()


def test_after_the_first_package_of_a_user_was_installed_the_next_run_sees_it(warm: Shim, tmp_path: Path) -> None:
    python = environment_with_pytest(tmp_path / "env", system_site_packages=True)
    user = {"PYTHONUSERBASE": str(tmp_path / "user")}
    packages = Path(sysconfig.get_path("purelib", "posix_user", {"userbase": user["PYTHONUSERBASE"]}))
    folder = suite(tmp_path / "suite", test_a=FINDER)
    seed, said = executed_ahead(warm, folder, 7, python=str(python), env=user)
    assert said == ["newcomer False"]
    spare = waiting(warm)
    packages.mkdir(parents=True)
    (packages / "newcomer.py").write_text("")
    zygote, said = execute(warm, folder, seed + 1, python=str(python), env=user)
    assert zygote != spare
    assert said == ["newcomer True"]


def test_an_interpreter_that_dies_while_it_waits_costs_nothing(warm: Shim, tmp_path: Path) -> None:
    folder = suite(tmp_path / "suite", test_a=PROBE)
    seed, _ = executed_ahead(warm, folder, 7)
    spare = waiting(warm)
    os.kill(spare, signal.SIGSTOP)
    os.kill(spare, signal.SIGKILL)
    zygote, _ = execute(warm, folder, seed + 1)
    assert zygote != spare


def test_no_interpreter_outlives_the_shim(warm: Shim, tmp_path: Path) -> None:
    execute(warm, suite(tmp_path / "suite", test_a=PROBE), 7)
    spare = waiting(warm)
    assert Path(f"/proc/{spare}/comm").read_text() == "cf-waiting\n"
    warm.process.kill()
    warm.process.wait()
    assert gone(spare)


def test_without_the_flag_no_interpreter_waits(shim: Shim, tmp_path: Path) -> None:
    folder = suite(tmp_path / "suite", test_a=PROBE)
    execute(shim, folder, 7)
    execute(shim, folder, 8)
    deadline = time.monotonic() + 2 * CALM_SECONDS
    while time.monotonic() < deadline:
        assert shim.attach()["spares"] == []
        pause()


def environment_with_pytest(folder: Path, *, system_site_packages: bool = False) -> Path:
    """A virtual environment that sees the pytest of this one."""
    venv.create(folder, system_site_packages=system_site_packages, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "more.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin" / "python"

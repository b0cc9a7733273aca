from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from crossfleet.foundation.wait import eventually
from tests.commands import crossfleet as started
from tests.end_to_end.standing import PYTEST, Standing, environment, outcomes, up


@pytest.fixture
def suite(project: Path) -> Path:
    (project / "test_where.py").write_text(
        "import os, sys\n"
        "def test_somewhere(): print(os.environ['CROSSFLEET_WORKER'], sys.version_info[:2])\n"
        "def test_side(): assert os.environ['CROSSFLEET_WORKER'] == 'left'\n"
    )
    return project


def test_a_selector_decides_where_a_target_runs(fleet: Standing, suite: Path) -> None:
    options = ("--target", 'left=worker.labels["side"] == "left"', "--target", 'right=worker.labels["side"] == "right"')

    done, report = fleet.report(*PYTEST, cwd=suite, options=options)

    assert {(case["target"], case["worker"]) for case in report["cases"]} == {("left", "left"), ("right", "right")}
    assert outcomes(report, "left")["test_where.py::test_side"] == "passed"
    assert outcomes(report, "right")["test_where.py::test_side"] == "failed"
    assert done.status == 1, done.text


def found_when(gate: Path, folder: Path) -> Path:
    """A folder for PYTHONPATH with a detector that finds the same NPU in every worker, once the gate is there."""
    found = folder / "found"
    (found / "slow-1.0.dist-info").mkdir(parents=True)
    (found / "slow-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    (found / "slow-1.0.dist-info" / "entry_points.txt").write_text("[crossfleet.detectors]\nslow = slow:Detector\n")
    (found / "slow.py").write_text(
        "import os, time\n"
        "class Detector:\n"
        "    def present(self): return True\n"
        "    def detect(self):\n"
        f"        while not os.path.exists({str(gate)!r}): time.sleep(0.02)\n"
        "        return [{'device_id': 'n-0', 'device_class': 'npu', 'attributes': {}}]\n"
    )
    return found


def _knows(fleet: Standing, name: str) -> bool:
    return f'"{name}"' in fleet.ask("workers", "--output", "json").out


@asynccontextmanager
async def joined(fleet: Standing, folder: Path, found: Path, *names: str) -> AsyncIterator[None]:
    """Workers of this host with these devices, from when they are known to the end of the block."""
    workers = []
    try:
        for name in names:
            words = ["--coordinator", fleet.addresses()[0], "--name", name, "--slots", "2", "--embedded"]
            words += ["--state", str(folder / name), "--listen", f"unix:{folder}/{name}.sock"]
            command = [sys.executable, "-P", "-m", "crossfleet.worker", *words]
            env = environment({"PYTHONPATH": str(found)})
            workers.append(subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        for name in names:
            await eventually(partial(_knows, fleet, name), deadline=40)
        yield
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait()


async def test_a_run_waits_for_devices_that_are_slow_to_be_found(folder: Path, project: Path) -> None:
    (project / "test_one.py").write_text("def test_one(): pass\n")
    with up(folder / "fleet", "--slots", "1") as own:
        async with joined(own, folder, found_when(folder / "gate", folder), "slow"):
            words = ("run", "--data", str(own.data), "--target", 'npu=device.class == "npu"', "--", *PYTEST)
            async with started(*words, cwd=project, env=environment()) as run:
                assert run.process.stderr is not None
                line = b""
                while b"waits" not in line:
                    line = await run.process.stderr.readline()
                    assert line, "it ended without waiting"
                (folder / "gate").touch()
                done = await run.finished()
    assert done.status == 0, done.text


async def test_a_device_that_two_workers_of_a_host_offer_is_held_by_one_at_a_time(folder: Path, project: Path) -> None:
    (project / "test_alone.py").write_text(
        "import os, pytest, time\n"
        "@pytest.mark.parametrize('number', range(8))\n"
        "def test_it(number):\n"
        f"    held = os.open({str(project / 'held')!r}, os.O_CREAT | os.O_EXCL)\n"
        "    os.close(held)\n"
        "    time.sleep(0.1)\n"
        f"    os.unlink({str(project / 'held')!r})\n"
    )
    wanted = ("--target", 'first=device.class == "npu"', "--target", 'second=device.class == "npu"')
    with up(folder / "fleet", "--slots", "1") as own:
        async with joined(own, folder, found_when(folder, folder), "left", "right"):
            done, report = own.report(*PYTEST, cwd=project, options=wanted)
    assert done.status == 0, done.text
    assert len(report["cases"]) == 16


def test_a_run_without_targets_sees_the_devices_that_its_shell_sees_and_a_target_what_it_was_given(
    fleet: Standing, project: Path
) -> None:
    (project / "test_sees.py").write_text(
        "import os\n"
        "AT_COLLECTION = os.environ.get('CUDA_VISIBLE_DEVICES')\n"
        "def test_it(): assert os.environ.get('CUDA_VISIBLE_DEVICES') == AT_COLLECTION == os.environ['EXPECTED']\n"
    )
    shell = {"CUDA_VISIBLE_DEVICES": "1,3"}
    as_pytest = fleet.run(*PYTEST, cwd=project, env={**shell, "EXPECTED": "1,3"})
    assert as_pytest.status == 0, as_pytest.text
    for asks in (("--target", "cpu="), ("--devices", "cpu")):
        given = fleet.run(*PYTEST, cwd=project, env={**shell, "EXPECTED": ""}, options=asks)
        assert given.status == 0, given.text


@pytest.mark.parametrize(
    ("selector", "column"), [('device.class === "cpu"', 16), ("device.cores >", 15), ("no_such_name == 1", 1)]
)
def test_a_selector_that_does_not_compile_is_shown_with_its_column(
    fleet: Standing, suite: Path, selector: str, column: int
) -> None:
    done = fleet.run(*PYTEST, cwd=suite, options=("--target", f"wrong={selector}"))

    assert done.status == 2, done.text
    assert selector in done.err
    assert "wrong" in done.err
    lines = done.err.splitlines()
    shown = next(number for number, line in enumerate(lines) if line.strip() == selector)
    at = lines[shown + 1].index("^") - lines[shown].index(selector) + 1
    assert abs(at - column) <= 1, done.err


def test_a_target_that_nobody_can_satisfy_names_the_clause_and_how_many_devices(fleet: Standing, suite: Path) -> None:
    selector = 'device.class == "cpu" && worker.labels["side"] == "middle"'

    done = fleet.run(*PYTEST, cwd=suite, options=("--target", f"never={selector}"))

    assert done.status in (2, 3), done.text
    assert 'worker.labels["side"] == "middle"' in done.out + done.err
    assert "0 of 2" in done.out + done.err, done.text


async def test_a_run_that_waits_starts_when_a_fitting_worker_joins(folder: Path, suite: Path) -> None:
    with up(folder / "data", "--slots", "1") as fleet:
        words = (
            "run",
            "--data",
            str(fleet.data),
            "--wait",
            "--target",
            'late=worker.labels["side"] == "left"',
            "--",
            *PYTEST,
        )
        async with started(*words, cwd=suite, env=environment()) as waiting:
            assert waiting.process.stderr is not None
            while True:
                line = (await waiting.process.stderr.readline()).decode()
                assert line, "it ended without waiting"
                if "waits" in line:
                    break
            address = fleet.addresses()[0]
            options = ("--join", address, "--name", "left", "--label", "side=left", "--slots", "1", "--embedded")
            async with started(
                "worker", "--data", str(folder / "w"), *options, cwd=suite, env=environment()
            ) as joining:
                done = await waiting.finished()
                joining.process.terminate()
                await joining.finished()

    assert done.status == 0, done.text
    assert "2 cases, 2 passed" in done.out


def other_python() -> str:
    """An interpreter of this machine of another version than the one that runs the tests; empty where there is none."""
    installed = sorted(Path.home().glob(".pyenv/versions/3.1[0-9]*/bin/python"), reverse=True)
    known = [Path(found) for minor in (13, 12, 10) if (found := shutil.which(f"python3.{minor}"))]
    mine = f"{sys.version_info.major}.{sys.version_info.minor}."
    for path in (*installed, *known):
        said = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False)
        if said.returncode == 0 and not said.stdout.removeprefix("Python ").startswith(mine):
            return str(path)
    return ""


@pytest.mark.needs_uv
@pytest.mark.timeout(180)
def test_a_matrix_file_gives_each_target_its_own_environment(fleet: Standing, suite: Path) -> None:
    (suite / "test_where.py").unlink()
    (suite / "with.txt").write_text("pytest==8.4.2\niniconfig==2.0.0\n")
    (suite / "test_version.py").write_text(
        "import importlib.metadata as metadata, os\n"
        "def test_version(): assert metadata.version('pytest') == os.environ['EXPECTED']\n"
    )
    (suite / "matrix.toml").write_text(
        textwrap.dedent(
            f"""
            [[target]]
            name = "here"
            python = "{sys.executable}"
            variables = {{ EXPECTED = "{pytest.__version__}" }}

            [[target]]
            name = "built"
            requirements = "with.txt"
            variables = {{ EXPECTED = "8.4.2" }}
            """
        )
    )

    done = fleet.run(*PYTEST, cwd=suite, options=("--matrix", "matrix.toml"), seconds=170)
    again = fleet.run(*PYTEST, cwd=suite, options=("--matrix", "matrix.toml"), seconds=170)

    assert done.status == 0, done.text
    assert "2 cases, 2 passed" in done.out, done.text
    assert again.status == 0, "the cached environment does not work"


@pytest.mark.needs_uv
@pytest.mark.timeout(180)
def test_a_suite_goes_to_the_worker_that_has_built_its_environment_though_another_is_as_free(
    fleet: Standing, suite: Path
) -> None:
    (suite / "test_where.py").unlink()
    (suite / "test_one.py").write_text("def test_one(): pass\n")
    (suite / "with.txt").write_text("pytest==8.4.2\niniconfig==2.0.0\n")
    for side in ("right", "left"):
        (suite / f"{side}.toml").write_text(
            f"[[target]]\nname = '{side}'\nselector = 'worker.labels.side == \"{side}\"'\nrequirements = 'with.txt'\n"
        )
        (suite / f"{side}-free.toml").write_text(
            "[[target]]\nname = 'free'\nrequirements = 'with.txt'\nrequest = { slots_max = 1 }\n"
        )
        for name in (side, f"{side}-free"):
            options = ("--matrix", f"{name}.toml", "--project", "warm")
            done, report = fleet.report(*PYTEST, cwd=suite, options=options, seconds=80)
            assert done.status == 0, done.text
            assert {case["worker"] for case in report["cases"]} == {side}, name


@pytest.mark.needs_uv
@pytest.mark.timeout(180)
def test_a_matrix_compares_two_versions_of_python(fleet: Standing, project: Path, tmp_path: Path) -> None:
    other = other_python()
    if not other:
        pytest.skip("no second version of Python is installed here")
    built = tmp_path / "other" / "bin" / "python"
    subprocess.run(["uv", "venv", "-q", "--python", other, str(tmp_path / "other")], check=True)
    subprocess.run(["uv", "pip", "install", "-q", "--python", str(built), "pytest==8.4.2"], check=True)
    (project / "test_version.py").write_text(
        f"import sys\ndef test_mine(): assert sys.version_info[:2] == {tuple(sys.version_info[:2])}\n"
    )
    (project / "matrix.toml").write_text(
        f'[[target]]\nname = "mine"\npython = "{sys.executable}"\n[[target]]\nname = "other"\npython = "{built}"\n'
    )

    done, report = fleet.report(*PYTEST, cwd=project, options=("--matrix", "matrix.toml"))

    assert (outcomes(report, "mine"), outcomes(report, "other")) == (
        {"test_version.py::test_mine": "passed"},
        {"test_version.py::test_mine": "failed"},
    ), done.text


def test_requirements_that_cannot_be_resolved_say_which(fleet: Standing, suite: Path) -> None:
    (suite / "wrong.txt").write_text("this is no requirement ==\n")

    done = fleet.run(*PYTEST, cwd=suite, options=("--requirements", "wrong.txt"), seconds=60)

    assert done.status in (2, 3), done.text
    assert "this is no requirement" in done.out + done.err, done.text


def test_an_interpreter_without_pytest_is_wrong_usage(fleet: Standing, suite: Path, tmp_path: Path) -> None:
    import venv

    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / "bin" / "python"

    done = fleet.run(*PYTEST, cwd=suite, options=("--python", str(python)))

    assert done.status == 2, done.text
    assert str(python) in done.err
    assert "pytest" in done.err


def test_an_isolated_run_leaves_the_workspace_alone(fleet: Standing, project: Path) -> None:
    (project / "data.txt").write_text("as it was")
    (project / "test_writes.py").write_text(
        "import pathlib\n"
        "def test_writes():\n"
        "    here = pathlib.Path(__file__).parent\n"
        "    assert (here / 'data.txt').read_text() == 'as it was'\n"
        "    (here / 'data.txt').write_text('changed')\n"
        "    (here / 'made.txt').touch()\n"
    )

    done = fleet.run(*PYTEST, cwd=project, options=("--isolated",))

    assert done.status == 0, done.text
    assert (project / "data.txt").read_text() == "as it was"
    assert not (project / "made.txt").exists()


async def test_a_drained_worker_gets_nothing_until_it_is_undrained(folder: Path, suite: Path) -> None:
    with up(folder / "data", "--slots", "1") as fleet:
        drained = fleet.ask("drain", "local", "--reason", "new driver")
        words = ("run", "--data", str(fleet.data), "--wait", "--", *PYTEST, "-k", "somewhere")
        async with started(*words, cwd=suite, env=environment()) as waiting:

            def queued() -> bool:
                return "queued" in fleet.ask("runs").out or "waits" in fleet.ask("explain", newest(fleet)).out

            await eventually(queued, deadline=40, what="the run waits")
            back = fleet.ask("undrain", "local")
            done = await waiting.finished()

    assert "draining" in drained.out, drained.text
    assert "ready" in back.out, back.text
    assert done.status == 0, done.text


def newest(fleet: Standing) -> str:
    runs = json.loads(fleet.ask("runs", "--output", "json").out)["runs"]
    return runs[0]["run_id"] if runs else "none"

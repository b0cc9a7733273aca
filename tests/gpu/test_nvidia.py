"""Real GPUs: what the detector tells of them, who sees them, and that nobody holds one twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.standing import PYTEST, Standing, crossfleet, outcomes, up

EXAMPLE = Path(__file__).parents[2] / "examples" / "gpu"
GPU = ("--target", 'gpu=device.class == "gpu" && device.vendor == "nvidia"')
BOTH = ("--target", "cpu=", *GPU)
# The driver itself, which needs no framework: how many GPUs this process sees (100: CUDA_ERROR_NO_DEVICE).
COUNTING = """
import ctypes

def gpus():
    cuda, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(0)
    if cuda.cuInit(0) == 100:
        return 0
    assert cuda.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value
"""


def _asked(*fields: str) -> list[dict[str, str]]:
    """What nvidia-smi says of each GPU."""
    words = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    lines = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()
    return [dict(zip(fields, (word.strip() for word in line.split(",")), strict=True)) for line in lines]


def _gpus(fleet: Standing) -> dict[str, dict[str, Any]]:
    words = ("devices", "list", "--data", str(fleet.data), "--class", "gpu", "--output", "json")
    listed = json.loads(crossfleet(*words, cwd=fleet.data).out)
    return {one["device_id"]: one for one in listed["devices"]}


def _seen(fleet: Standing) -> dict[str, dict[str, Any]]:
    """The GPUs, when they have been found: a fleet serves before its detectors are done."""
    late = time.monotonic() + 20
    while not (found := _gpus(fleet)):
        assert time.monotonic() < late, "no GPU is found"
    return found


def _assert_apart(lines: list[str]) -> None:
    """Of lines with a device, a beginning and an end: that no two of one device overlap."""
    ends: dict[str, float] = {}
    for device, begun, ended in sorted((line.split() for line in lines), key=lambda words: float(words[1])):
        assert float(begun) >= ends.get(device, 0.0), lines
        ends[device] = float(ended)


def test_the_detector_tells_of_each_gpu_what_nvidia_smi_tells(fleet: Standing) -> None:
    told = _asked("uuid", "name", "driver_version", "memory.total", "compute_cap", "pci.bus_id", "index")
    found = _seen(fleet)
    assert set(found) == {one["uuid"] for one in told}
    for one in told:
        attributes = found[one["uuid"]]["attributes"]
        value = {name: next(iter(kind.values())) for name, kind in attributes.items()}
        assert value["model"] == one["name"]
        assert value["driver"] == one["driver_version"]
        assert value["compute_capability"] == one["compute_cap"]
        assert int(value["memory"]) >> 20 == int(one["memory.total"])
        assert one["pci.bus_id"].lower().endswith(value["pci"])
        assert int(value["index"]) == int(one["index"])


def test_a_slot_sees_the_gpu_that_it_was_given_and_a_slot_without_one_sees_none(fleet: Standing, project: Path) -> None:
    (project / "test_sees.py").write_text(
        f"{COUNTING}\nimport os, pathlib\n\n"
        "def test_it():\n"
        "    pathlib.Path(os.environ['CROSSFLEET_TARGET']).write_text(f\"{gpus()} {os.environ['CUDA_VISIBLE_DEVICES']}\")\n"
    )
    done = fleet.run(*PYTEST, cwd=project, options=BOTH)
    assert done.status == 0, done.text
    assert (project / "cpu").read_text() == "0 "
    count, name = (project / "gpu").read_text().split()
    assert count == "1"
    assert name in _gpus(fleet)


def test_a_run_without_targets_sees_every_gpu_as_under_pytest(fleet: Standing, project: Path) -> None:
    (project / "test_sees.py").write_text(f"{COUNTING}\n\ndef test_it(): assert gpus() == {len(_gpus(fleet))}\n")
    done = fleet.run(*PYTEST, cwd=project)
    assert done.status == 0, done.text


def test_collection_sees_what_the_slots_see(fleet: Standing, project: Path) -> None:
    (project / "test_when.py").write_text(
        f"{COUNTING}\nimport pytest\n\n"
        "@pytest.mark.skipif(gpus() == 0, reason='no GPU')\ndef test_on_gpu(): assert gpus() == 1\n\n"
        "@pytest.mark.parametrize('device', ['cpu'] + ['cuda'] * (gpus() > 0))\ndef test_on(device): pass\n"
    )
    done, report = fleet.report(*PYTEST, cwd=project, options=BOTH)
    assert done.status == 0, done.text
    assert outcomes(report, "cpu") == {"test_when.py::test_on_gpu": "skipped", "test_when.py::test_on[cpu]": "passed"}
    assert set(outcomes(report, "gpu").values()) == {"passed"}
    assert len(outcomes(report, "gpu")) == 3


def test_no_gpu_is_held_by_two_runs_at_once(fleet: Standing, project: Path) -> None:
    spans = project / "spans"
    (project / "test_alone.py").write_text(
        "import os, pathlib, time\n\n"
        "def test_it():\n"
        "    begun = time.monotonic()\n"
        "    time.sleep(0.3)\n"
        f"    with pathlib.Path({str(spans)!r}).open('a') as file:\n"
        "        file.write(f\"{os.environ['CUDA_VISIBLE_DEVICES']} {begun} {time.monotonic()}\\n\")\n"
    )
    words = [sys.executable, "-P", "-m", "crossfleet.cli.main", "run", "--data", str(fleet.data), "--isolated", *GPU]
    runs = [
        subprocess.Popen([*words, "--", *PYTEST], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2 * len(_gpus(fleet)) + 1)
    ]
    for one in runs:
        out, _ = one.communicate(timeout=50)
        assert one.returncode == 0, out.decode()
    lines = spans.read_text().splitlines()
    assert len(lines) == len(runs)
    _assert_apart(lines)


def test_two_workers_of_a_host_do_not_give_one_gpu_away_twice(tmp_path: Path, project: Path) -> None:
    spans = project / "spans"
    (project / "test_alone.py").write_text(
        "import os, pathlib, pytest, time\n\n"
        "@pytest.mark.parametrize('number', range(6))\n"
        "def test_it(number):\n"
        "    begun = time.monotonic()\n"
        "    time.sleep(0.3)\n"
        f"    with pathlib.Path({str(spans)!r}).open('a') as file:\n"
        "        file.write(f\"{os.environ['CUDA_VISIBLE_DEVICES']} {begun} {time.monotonic()}\\n\")\n"
    )
    with up(tmp_path / "fleet", "--workers", "2", "--slots", "4") as own:
        done = own.run(*PYTEST, cwd=project, options=GPU)
    assert done.status == 0, done.text
    _assert_apart(spans.read_text().splitlines())


def test_runs_that_take_portions_of_a_gpu_hold_it_together(tmp_path: Path, project: Path, torch_python: Path) -> None:
    (project / "test_portion.py").write_text(
        "import os, pathlib, time, torch\n\n"
        "def test_it(tmp_path_factory):\n"
        "    half = int(os.environ['CROSSFLEET_GPU_MEMORY'])\n"
        "    torch.cuda.set_per_process_memory_fraction(half / torch.cuda.get_device_properties(0).total_memory)\n"
        "    held = torch.ones(1 << 28, device='cuda')\n"
        "    here = pathlib.Path(os.environ['MEETING'])\n"
        "    (here / os.environ['CROSSFLEET_RUN']).touch()\n"
        "    late = time.monotonic() + 30\n"
        "    while len(list(here.iterdir())) < 2:\n"
        "        assert time.monotonic() < late, 'the other run is not here'\n"
        "    assert held.sum().item() == 1 << 28\n"
    )
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    with up(tmp_path / "fleet", "--slots", "2", env={"CROSSFLEET_WORKER_SHARE": "gpu"}) as own:
        memory = min(int(one["capacities"]["memory"]) for one in _seen(own).values())
        words = [
            sys.executable,
            "-P",
            "-m",
            "crossfleet.cli.main",
            "run",
            "--data",
            str(own.data),
            "--python",
            str(torch_python),
        ]
        words += [
            "--env",
            f"MEETING={meeting}",
            "--devices",
            f"gpu=1,memory={memory // 2}",
            "--",
            "pytest",
            "-p",
            "no:cacheprovider",
        ]
        runs = [
            subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)
        ]
        for one in runs:
            out, _ = one.communicate(timeout=55)
            assert one.returncode == 0, out.decode()


def test_a_gpu_that_somebody_else_keeps_busy_shuts_the_gate(fleet: Standing, project: Path, torch_python: Path) -> None:
    burn = "import torch\na = torch.randn(8192, 8192, device='cuda')\nwhile True:\n    a @ a; torch.cuda.synchronize()"
    (project / "test_quiet.py").write_text("def test_it(): pass\n")
    burning = subprocess.Popen([torch_python, "-c", burn])
    try:
        late = time.monotonic() + 40
        while not any(int(one["utilization.gpu"]) > 50 for one in _asked("utilization.gpu")):
            assert time.monotonic() < late, "the GPU does not get busy"
            assert burning.poll() is None
        gates = ("--gate", "gpu=0.1", "--gate", "wait=1")
        done = fleet.run(*PYTEST, cwd=project, options=("--target", "cpu=", *gates))
    finally:
        burning.kill()
        burning.wait()
    assert done.status == 3, done.text
    assert "gpu " in done.err
    assert "not quiet" in done.err


def test_a_context_that_is_made_at_import_is_not_forked(fleet: Standing, project: Path, torch_python: Path) -> None:
    (project / "test_early.py").write_text(
        "import pytest, torch\n\nONE = torch.ones(1, device='cuda')\n\n"
        "@pytest.mark.parametrize('number', range(4))\ndef test_it(number): assert (ONE + number).item() == 1 + number\n"
    )
    done, report = fleet.report(
        "pytest", "-p", "no:cacheprovider", cwd=project, options=("--python", str(torch_python), *GPU)
    )
    assert done.status == 0, done.text
    assert set(outcomes(report, "gpu").values()) == {"passed"}


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_example_computes_the_same_on_processors_and_gpu(fleet: Standing, torch_python: Path) -> None:
    done = fleet.run(
        *("pytest", "-p", "no:cacheprovider"),
        cwd=EXAMPLE,
        options=("--matrix", "targets.toml", "--python", str(torch_python), "--json", "-"),
        seconds=150,
    )
    assert done.status == 0, done.text
    report = json.loads(done.out)
    assert outcomes(report, "cpu") == outcomes(report, "gpu")
    assert len(outcomes(report, "gpu")) == 14

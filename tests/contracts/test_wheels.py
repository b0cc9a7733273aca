"""Each member's wheel works in a clean environment that holds only what it declares."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.needs_uv, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = {
    "crossfleet-protos": ["crossfleet.api"],
    "crossfleet-foundation": ["crossfleet.foundation"],
    "crossfleet-matching": ["crossfleet.matching"],
    "crossfleet-coordinator": ["crossfleet.coordinator"],
    "crossfleet-scheduler": ["crossfleet.scheduler"],
    "crossfleet-slurm": ["crossfleet.slurm"],
    "crossfleet-worker": ["crossfleet.worker"],
    "crossfleet-integrations": ["crossfleet.integrations"],
    "crossfleet-client": ["crossfleet.client", "crossfleet.simulation", "crossfleet.cli"],
}
KEPT_OUT_OF_THE_WORKER = {"sqlalchemy", "alembic", "fastapi", "pydantic", "cel-expr-python", "opentelemetry-sdk"}
WORKER_MEGABYTES = 80
WORKER_IMPORT_SECONDS = 0.4

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
names = list(sys.argv[1:])
for top in sys.argv[1:]:
    package = importlib.import_module(top)
    names += [found.name for found in pkgutil.walk_packages(package.__path__, top + ".", onerror=lambda name: None)]
missing = []
suites_own = ("crossfleet.cli.handover.", "crossfleet.cli.pytest_fixtures", "crossfleet.cli.pytest_fleet")
for name in names:
    if name.endswith(".__main__") or ".migrations" in name:
        continue
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        # What pytest itself imports meets it there.
        if not (name.startswith(suites_own) and error.name in ("pytest", "_pytest")):
            missing.append(name + ": " + str(error))
print(len(names))
sys.exit("\\n".join(missing) or 0)
"""


def uv(*arguments: str, timeout: float = 280) -> str:
    """Run uv with the site's certificates and without an environment of ours; its words on failure."""
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    if "PIP_CERT" in environment:
        environment.setdefault("SSL_CERT_FILE", environment["PIP_CERT"])
    done = subprocess.run(
        ["uv", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of every member, built by the pinned tools."""
    folder = tmp_path_factory.mktemp("wheels")
    uv(
        "build",
        "--wheel",
        "--all-packages",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "--out-dir",
        str(folder),
    )
    return folder


@pytest.fixture(scope="module")
def pins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The versions of requirements.lock as constraints, hashes left out because our own wheels have none there."""
    lines = re.findall(r"^[A-Za-z0-9_.-]+==[^\\\n]+", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    file = tmp_path_factory.mktemp("pins") / "constraints.txt"
    file.write_text("\n".join(lines))
    return file


def install(distribution: str, into: Path, wheels: Path, pins: Path) -> Path:
    """Make a clean environment with one distribution and what it declares; answers its interpreter."""
    uv("venv", "--quiet", "--python", sys.executable, str(into))
    python = into / "bin" / "python"
    uv(
        "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), "--find-links", str(wheels),
        "--constraints", str(pins), distribution,
    )  # fmt: skip
    return python


@pytest.mark.parametrize("distribution", MEMBERS)
def test_every_module_of_a_wheel_imports_with_what_the_wheel_declares(
    distribution: str, wheels: Path, pins: Path, tmp_path: Path
) -> None:
    python = install(distribution, tmp_path / "environment", wheels, pins)
    done = subprocess.run(
        [python, "-I", "-c", IMPORT_EVERYTHING, *MEMBERS[distribution]],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= len(MEMBERS[distribution])


def test_the_worker_alone_is_light_and_imports_fast(wheels: Path, pins: Path, tmp_path: Path) -> None:
    python = install("crossfleet-worker", tmp_path / "environment", wheels, pins)
    names = {
        package["name"].lower() for package in json.loads(uv("pip", "list", "--format=json", "--python", str(python)))
    }
    assert names & KEPT_OUT_OF_THE_WORKER == set()
    packages = next((tmp_path / "environment").glob("lib/python*/site-packages"))
    size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file() and file.suffix != ".pyc")
    assert size / 2**20 < WORKER_MEGABYTES
    # CPU time, the best of five: what else the machine does must not decide.
    measure = "import time, crossfleet.worker.main; print(time.process_time())"
    done = [
        subprocess.run([python, "-I", "-c", measure], capture_output=True, text=True, check=False, timeout=30)
        for _ in range(5)
    ]
    assert [run.stderr for run in done if run.returncode] == []
    assert min(float(run.stdout) for run in done) < WORKER_IMPORT_SECONDS


def test_the_whole_is_one_installation(wheels: Path, pins: Path, tmp_path: Path) -> None:
    python = install("crossfleet", tmp_path / "environment", wheels, pins)
    names = {package["name"] for package in json.loads(uv("pip", "list", "--format=json", "--python", str(python)))}
    assert set(MEMBERS) <= names

"""The example of a benchmark suite on quiet hosts, with pytest-benchmark."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from services.worker.tests.gauges.trees import PROC, RYZEN, lay_out
from tests.end_to_end.standing import crossfleet

EXAMPLE = Path(__file__).parents[2] / "examples" / "benchmarks"

pytestmark = [pytest.mark.needs_uv, pytest.mark.timeout(300)]


def test_the_example_of_benchmarks_runs_and_its_numbers_say_how_quiet_their_host_was(
    python: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(EXAMPLE, tmp_path / "benchmarks")
    options = ("--data", str(tmp_path / "data"), "--matrix", "quiet.toml", "--python", str(python))
    done = crossfleet(
        "run",
        *options,
        *("--", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider"),
        "--benchmark-json=measured.json",
        "--benchmark-min-rounds=5",
        "--benchmark-max-time=0.1",
        cwd=folder,
        env={"CROSSFLEET_WORKER_HOST_ROOT": str(lay_out(tmp_path / "host", PROC, RYZEN))},
    )
    assert done.status == 0, done.text
    measured = json.loads((folder / "measured.json").read_text())["benchmarks"]
    assert sorted(one["name"] for one in measured) == [
        f"test_counting_words[{name}]" for name in ("by_counter", "by_defaultdict", "by_get")
    ]
    for one in measured:
        assert one["extra_info"]["host_load"] == "0"
        assert one["extra_info"]["host_temperature"] == "47.38"

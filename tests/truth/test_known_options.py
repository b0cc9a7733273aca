"""The table of pytest's options against the parsers of the versions and plugins that it speaks of."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from crossfleet.cli.pytest_options.table import BY_NAME
from tests.truth.subjects import environment

SCRIPT = Path(__file__).parents[2] / "clients" / "python" / "tests" / "options_of_pytest.py"
OLD = ("pytest-xdist==3.0.2", "pytest-rerunfailures==11.1", "pytest-cov==4.0.0", "pytest-timeout==2.1.0") + (
    "pytest-randomly==3.12.0",
    "pytest-instafail==0.5.0",
    "pytest-sugar==0.9.7",
    "pytest-html==3.2.0",
)
NEW = ("pytest-xdist==3.8.0", "pytest-rerunfailures==16.1", "pytest-cov==7.0.0", "pytest-timeout==2.4.0") + (
    "pytest-randomly==4.0.1",
    "pytest-instafail==0.5.0",
    "pytest-sugar==1.1.1",
    "pytest-html==4.1.1",
)


@pytest.mark.truth
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("version", "plugins"), [("7.0.1", OLD), ("7.4.4", OLD), ("8.4.2", NEW), ("9.0.1", NEW)])
def test_every_option_of_a_version_and_its_plugins_is_in_the_table(
    version: str, plugins: tuple[str, ...], tmp_path: Path
) -> None:
    python = environment(f"options-{version}", f"pytest=={version}", *plugins)
    done = subprocess.run([python, SCRIPT], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    found = json.loads(done.stdout)

    assert len(found) > 100
    unknown = [name for option in found for name in option["names"] if name not in BY_NAME]
    differing = [
        (name, option["values"], BY_NAME[name].value.value)
        for option in found
        for name in option["names"]
        if name in BY_NAME and BY_NAME[name].value.value != option["values"]
    ]
    assert (unknown, differing) == ([], [])

"""Standard output that does not have every character."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from clients.python.tests.scripted_fleet import Script
from clients.python.tests.test_commands import FAILED, fleet_and_shell


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
async def test_characters_that_a_terminal_does_not_have_are_escaped_and_json_stays_json(
    encoding: str, tmp_path: Path
) -> None:
    case_id = "test_ü.py::test_名前[😀]"
    async with fleet_and_shell(tmp_path, Script({case_id: FAILED})) as (_, shell):
        shell.environment["PYTHONIOENCODING"] = encoding
        process = await shell.start("run", "--json", "-", "--", sys.executable, "-m", "pytest")
        out, err = await process.communicate()
    assert process.returncode == 1, err.decode("utf-8", "replace")
    document = json.loads(out.decode(encoding))
    assert [case["id"] for case in document["cases"]] == [case_id]
    assert case_id in err.decode() if encoding == "utf-8" else "[\\ud83d\\ude00]" in err.decode(encoding)

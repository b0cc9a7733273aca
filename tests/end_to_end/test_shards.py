"""Shards as machines of a CI run them: each with a data folder of its own, joined by their reports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Finished
from tests.end_to_end.standing import PYTEST, Standing, crossfleet, environment
from tests.truth.subjects import lay_out
from tests.truth.suites import DATEUTIL

FILE = """
import time
import pytest

@pytest.mark.parametrize("number", range(12))
def test_numbers(number): time.sleep(0.002 * number)

@pytest.mark.parametrize("name", {"ada", "grace", "barbara", "frances", "jean"})
def test_of_a_set(name): assert name

class TestKinds:
    def test_fails(self):
        print("printed by the test")
        assert __name__ != "test_c"
    @pytest.mark.skip
    def test_skipped(self): pass
    @pytest.mark.xfail
    def test_xfails(self): assert 0
"""


@pytest.fixture
def suite(project: Path) -> Path:
    for name in "abcde":
        (project / f"test_{name}.py").write_text(FILE)
    (project / "test_skipped_whole.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
    return project


def run(folder: Path, cwd: Path, name: str, *options: str, words: tuple[str, ...] = PYTEST) -> Finished:
    """One machine: a data folder and a report of its own."""
    report = str(folder / "parts" / name / "report.json")
    return crossfleet(
        *(
            "run",
            "--data",
            str(folder / f"data-{name}"),
            "--slots",
            "2",
            "--json",
            report,
            *options,
            "--",
            *words,
        ),
        cwd=cwd,
        env={"XDG_RUNTIME_DIR": str(folder)},
    )


def run_shards(folder: Path, cwd: Path, count: int, *options: str, words: tuple[str, ...] = PYTEST) -> list[Finished]:
    """As many machines, one after the other."""
    return [
        run(folder, cwd, f"s{index}", "--shard", f"{index}/{count}", *options, words=words)
        for index in range(1, count + 1)
    ]


def report_of(path: Path) -> dict[str, Any]:
    """A JSON report."""
    return dict(json.loads(path.read_text()))


def outcomes(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Target, id and outcome of every case, sorted; twice what is there twice."""
    return sorted((case["target"], case["id"], case["outcome"]) for case in report["cases"])


def cases_of_junit(path: Path) -> list[tuple[str | None, ...]]:
    """What a JUnit file says of each case."""
    return sorted(
        (case.get("classname"), case.get("name"), *(child.tag for child in case))
        for case in ET.parse(path).getroot().iter("testcase")
    )


def test_three_machines_merged_say_what_one_run_says(folder: Path, suite: Path) -> None:
    matrix = ("--target", "old=", "--target", "new=")
    whole = run(folder, suite, "whole", *matrix, "--junit", str(folder / "whole.xml"))
    shards = run_shards(folder, suite, 3, *matrix)
    shutil.move(folder / "parts" / "whole", folder / "whole")
    out = ("--json", str(folder / "all.json"), "--junit", str(folder / "all.xml"), "--durations", str(suite / "d.json"))

    merged = crossfleet("merge", str(folder / "parts"), *out, cwd=suite)

    expected, found = report_of(folder / "whole" / "report.json"), report_of(folder / "all.json")
    assert (whole.status, merged.status) == (1, 1), merged.text
    assert sorted(done.status for done in shards) == [0, 0, 1], [done.text for done in shards]
    assert outcomes(found) == outcomes(expected)
    assert len(found["cases"]) == 2 * (5 * 20 + 1)
    assert found["run"]["counts"] == expected["run"]["counts"]
    assert cases_of_junit(folder / "all.xml") == cases_of_junit(folder / "whole.xml")
    assert "printed by the test" in merged.out, merged.text
    sizes = [len(report_of(folder / "parts" / f"s{index}" / "report.json")["cases"]) for index in (1, 2, 3)]
    assert max(sizes) - min(sizes) <= 6, sizes
    cases = json.loads((suite / "d.json").read_text())["cases"]
    assert len(cases) == 5 * 20


def test_parameters_of_a_set_whose_ids_only_count_run_once_each(folder: Path, project: Path) -> None:
    seen = project / "seen"
    (project / "test_set.py").write_text(
        "import pytest\n@pytest.mark.parametrize('thing', {(f'{n}',) for n in range(40)})\n"
        f"def test_it(thing): open({str(seen)!r}, 'a').write(thing[0] + ' ')\n"
    )

    shards = run_shards(folder, project, 3)

    assert [done.status for done in shards] == [0, 0, 0]
    assert sorted(map(int, seen.read_text().split())) == list(range(40))


def test_machines_with_other_durations_are_caught(folder: Path, suite: Path) -> None:
    old = {
        f"test_{name}.py::test_numbers[{n}]": seconds for name, seconds in (("a", 50.0), ("b", 0.1)) for n in range(12)
    }
    (suite / "old.json").write_text(json.dumps(old))
    for index, durations in ((1, "none.json"), (2, "old.json")):
        done = run(folder, suite, f"s{index}", "--shard", f"{index}/2", "--durations", durations)
        assert ", cut " in done.out, done.text

    merged = crossfleet("merge", str(folder / "parts"), cwd=suite)

    assert merged.status == 2, merged.text
    assert "the durations differ" in merged.err, merged.text


def test_shards_on_one_fleet_of_several_workers_are_kept_apart(fleet: Standing, suite: Path, tmp_path: Path) -> None:
    for index in (1, 2, 3):
        report = str(tmp_path / f"{index}.json")
        fleet.run(*PYTEST, cwd=suite, options=("--shard", f"{index}/3", "--isolated", "--json", report))

    merged = crossfleet("merge", *(str(tmp_path / f"{index}.json") for index in (1, 2, 3)), cwd=suite)
    shown = fleet.ask("show", report_of(tmp_path / "2.json")["run"]["run_id"], "--output", "json")

    assert merged.status == 1, merged.text
    assert f"{5 * 20 + 1} cases" in merged.out, merged.text
    assert outcomes(json.loads(shown.out)) == outcomes(report_of(tmp_path / "2.json"))


def test_a_command_is_the_first_shards_and_the_others_say_that_they_have_none(fleet: Standing, project: Path) -> None:
    first, second = (
        fleet.run(sys.executable, "-c", "raise SystemExit(7)", cwd=project, options=("--shard", f"{index}/2"))
        for index in (1, 2)
    )

    assert (first.status, second.status) == (1, 0), (first.text, second.text)
    assert "shard 2/2 is empty: the suite has 1 case" in second.out, second.text


def test_what_a_fleet_has_learnt_goes_to_a_file_and_comes_back(fleet: Standing, suite: Path, tmp_path: Path) -> None:
    # A suite is known by its folder's name, and other tests use this fleet.
    suite = suite.rename(suite.with_name("learns"))
    fleet.run(*PYTEST, cwd=suite)

    exported = fleet.ask("durations", "export", "learnt.json", cwd=suite)
    taught = fleet.ask("durations", "import", "learnt.json", "--suite", "another", cwd=suite)
    again = fleet.ask("durations", "export", "again.json", "--suite", "another", cwd=suite)
    unknown = fleet.ask("durations", "export", "none.json", "--suite", "nobody", cwd=suite)

    assert (exported.status, taught.status, again.status) == (0, 0, 0), exported.text + taught.text + again.text
    learnt = json.loads((suite / "learnt.json").read_text())["cases"]
    assert len(learnt) == 5 * 19
    assert json.loads((suite / "again.json").read_text())["cases"] == learnt
    assert unknown.status == 2
    assert "nobody" in unknown.err


def test_a_durations_file_puts_the_longest_first_on_a_fleet_that_knows_nothing(folder: Path, project: Path) -> None:
    order = project / "order"
    body = f"import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_x(n):\n    open({str(order)!r}, 'a')"
    for name in "abc":
        (project / f"test_{name}.py").write_text(body + f".write('{name}')\n")
    known = {f"test_{name}.py::test_x[{n}]": 20.0 if name == "c" else 0.1 for name in "abc" for n in range(4)}
    (project / "d.json").write_text(json.dumps(known))

    done = run(folder, project, "one", "--durations", "d.json", "--update-durations", "--slots", "1")

    assert done.status == 0, done.text
    assert order.read_text().startswith("cccc"), order.read_text()
    written = json.loads((project / "d.json").read_text())["cases"]
    assert len(written) == 12
    assert all(seconds < 10 for seconds in written.values()), written


@pytest.mark.parametrize("shard", ["0/3", "4/3", "three", "auto"])
def test_a_wrong_shard_is_refused_before_anything_runs(fleet: Standing, project: Path, shard: str) -> None:
    done = fleet.run(*PYTEST, cwd=project, options=("--shard", shard))

    assert done.status == 2, done.text
    assert "--shard" in done.err


def test_shards_of_networkx_merged_say_what_one_run_says(folder: Path) -> None:
    words = (*PYTEST, "-q", "--pyargs", "networkx.algorithms.tree", "networkx.algorithms.shortest_paths")
    whole = run(folder, folder, "whole", words=words)
    shutil.move(folder / "parts" / "whole", folder / "whole")

    shards = run_shards(folder, folder, 3, words=words)
    merged = crossfleet("merge", str(folder / "parts"), "--json", str(folder / "all.json"), cwd=folder)

    assert [done.status for done in (whole, merged, *shards)] == [0] * 5, merged.text
    assert outcomes(report_of(folder / "all.json")) == outcomes(report_of(folder / "whole" / "report.json"))


def test_coverage_of_shards_on_other_paths_is_that_of_one_run(folder: Path) -> None:
    python = str(lay_out(DATEUTIL).python)  # an environment with pytest-cov
    for name in ("here", "machine-1", "machine-2"):
        place = folder / name
        place.mkdir()
        (place / "web.py").write_text(
            "".join(f"def f{n}(x):\n    if x:\n        return {n}\n    return 0\n" for n in range(9))
        )
        for n in range(6):
            (place / f"test_{n}.py").write_text(f"import web\ndef test_it(): web.f{n}({n % 2})\n")
    (folder / "here" / "test_stale.py").write_text("import web\ndef test_it(): web.f8(1)\n")
    words = (python, "-m", "pytest", "-p", "no:cacheprovider", "--cov=web", "--cov-report=")
    whole = (*words, "--ignore=test_stale.py")
    subprocess.run(whole, cwd=folder / "here", env=environment(), check=True, capture_output=True)
    expected = lines_of(python, folder / "here")
    # What was measured before is not part of what is merged.
    subprocess.run((*words, "test_stale.py"), cwd=folder / "here", env=environment(), check=True, capture_output=True)
    for index in (1, 2):
        machine = folder / f"machine-{index}"
        done = run(folder, machine, f"s{index}", "--shard", f"{index}/2", words=words)
        assert done.status == 0, done.text
        shutil.move(machine / ".coverage", folder / "parts" / f"s{index}" / ".coverage")

    merged = crossfleet(
        "merge", str(folder / "parts"), "--coverage", ".coverage", "--python", python, cwd=folder / "here"
    )

    assert merged.status == 0, merged.text
    assert lines_of(python, folder / "here") == expected


def lines_of(python: str, folder: Path) -> Any:
    """Executed lines by file, of the .coverage in a folder."""
    command = [python, "-m", "coverage", "json", "-q", "-o", "coverage.json"]
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": ""}, check=True)
    files = json.loads((folder / "coverage.json").read_text())["files"]
    return {name: content["executed_lines"] for name, content in files.items()}

"""`pytest --fleet`: what a user, a reporter or a Makefile sees is what pytest alone would have shown."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from crossfleet.foundation.wait import eventually
from tests.commands import Finished
from tests.end_to_end.standing import Standing, environment
from tests.truth.subjects import environment as environment_of

SUITE = """
import sys, warnings, pytest
@pytest.fixture
def broken(): raise ValueError("no")
@pytest.fixture
def breaks():
    yield
    raise ValueError("late")
def test_passes(): pass
@pytest.mark.parametrize("n", [1, 2])
def test_fails(n): print("out", n); sys.stderr.write("err"); assert n == 3
def test_setup(broken): pass
def test_teardown(breaks): print("hello")
@pytest.mark.skip(reason="marked")
def test_skipped(): pass
def test_skips(): pytest.skip("called")
@pytest.mark.xfail(reason="known")
def test_xfails(): assert 0
@pytest.mark.xfail
def test_xpasses(): pass
class TestClass:
    def test_method(self): raise KeyError("x")
"""
BARE = ("-p", "no:cacheprovider")
OLDER = {"8": "pytest==8.4.2", "7": "pytest==7.4.4"}


def call(python: Path | str, *words: str, cwd: Path, data: Path, **env: str) -> Finished:
    done = subprocess.run(
        [str(python), "-m", "pytest", *BARE, *words],
        cwd=cwd,
        env=environment({"CROSSFLEET_DATA": str(data), "COLUMNS": "100", **env}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=50,
        check=False,
    )
    return Finished(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def summary(done: Finished) -> tuple[list[str], str]:
    """The lines of the short summary, sorted, and the last line without its time and rules."""
    lines = done.out.splitlines()
    begin = next((n for n, line in enumerate(lines) if "short test summary" in line), len(lines))
    short = [line for line in lines[begin + 1 :] if line.split(" ", 1)[0].isupper()]
    last = re.sub(r" in [\d.]+s.*", "", lines[-1]).strip("= ") if lines else ""
    return sorted(short), last


def sections(done: Finished) -> dict[str, list[str]]:
    """What stands below each headline of errors and failures, addresses and empty lines aside."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in done.out.splitlines():
        if head := re.fullmatch(r"_{3,} (.+) _{3,}", line):
            current = found.setdefault(head[1], [])
        elif line.startswith("==="):
            current = None
        elif current is not None and line.strip():
            current.append(re.sub(r"0x[0-9a-f]+", "0x", line))
    return found


@pytest.fixture(params=["9", "8", pytest.param("7", marks=pytest.mark.slow)], scope="module")
def python(request: pytest.FixtureRequest) -> Path:
    """An interpreter with crossfleet and a version of pytest: ours, or an older one in front of all else that is here."""
    if request.param == "9":
        return Path(sys.executable)
    requirement = OLDER[request.param]
    older = environment_of(f"pytest-{request.param}", requirement)
    mine = [path for path in sys.path if path.endswith("site-packages")]
    packages = next(older.parents[1].glob("lib/python*/site-packages"))
    # What these .pth files add comes behind the older pytest; `site` reads those of the added folder too.
    (packages / "zz_crossfleet.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in mine))
    return older


@pytest.fixture
def both(python: Path, project: Path, folder: Path):
    """Runs one command line plainly and with --fleet; both without the plugins that stand beside pytest here."""

    def run(*words: str, **env: str) -> tuple[Finished, Finished]:
        alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **env}
        plain = call(python, *words, cwd=project, data=folder / "d", **alone)
        plugin = ("-p", "crossfleet.cli.pytest_fleet", "--fleet", "--fleet-slots", "2")
        return plain, call(python, *plugin, *words, cwd=project, data=folder / "d", **alone)

    return run


def test_failures_counts_and_status_are_those_of_pytest_alone(both, project: Path) -> None:
    (project / "test_a.py").write_text(SUITE)
    plain, fleet = both("-ra")
    assert summary(fleet) == summary(plain), fleet.text
    assert sections(fleet) == sections(plain), fleet.text
    assert (fleet.status, plain.status) == (1, 1)


@pytest.mark.parametrize("python", ["9"], indirect=True)
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["-q", "-k", "passes"], 0),
        (["-k", "no_such_name"], 5),
        (["nothing_there.py"], 4),
        (["--no-such-option"], 4),
        (["--maxfail=1", "-k", "setup"], 1),
        (["broken_module.py"], 2),
    ],
)
def test_every_end_has_the_status_of_pytest(both, project: Path, words: list[str], status: int) -> None:
    (project / "test_a.py").write_text(SUITE)
    (project / "broken_module.py").write_text("import nothing_of_that_name\n")
    plain, fleet = both(*words)
    assert (plain.status, fleet.status) == (status, status), fleet.text
    if status in (0, 1, 2):
        assert summary(fleet) == summary(plain), fleet.text


def test_the_junit_report_is_written_by_pytest_itself(project: Path, folder: Path) -> None:
    (project / "test_a.py").write_text(SUITE)

    def cases(name: str, *words: str) -> tuple[dict[str, str | None], set[tuple[str | None, ...]]]:
        call(sys.executable, "--junitxml", name, *words, cwd=project, data=folder / "d")
        suite = ET.parse(project / name).getroot()[0]
        counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
        found = suite.findall("testcase")
        return counts, {(c.get("classname"), c.get("name"), *sorted(child.tag for child in c)) for c in found}

    assert cases("fleet.xml", "--fleet") == cases("plain.xml")


def test_it_may_stand_in_the_projects_own_options(project: Path, folder: Path) -> None:
    (project / "test_a.py").write_text("import os\ndef test_where(): assert os.environ['CROSSFLEET_SLOT'] == '0'\n")
    (project / "pytest.ini").write_text("[pytest]\naddopts = --fleet --fleet-slots=1 -q\n")
    done = call(sys.executable, cwd=project, data=folder / "d")
    assert (done.status, "1 passed" in done.out) == (0, True), done.text


def test_a_fleet_that_is_there_is_not_made_larger_and_says_so(project: Path, fleet: Standing) -> None:
    (project / "test_a.py").write_text("def test_passes(): pass\n")
    done = call(sys.executable, "--fleet", "--fleet-slots=9", cwd=project, data=fleet.data)
    assert (done.status, "--fleet-slots: the fleet that is there stays as large as it is" in done.out) == (0, True), (
        done
    )


def test_other_reporters_hear_every_case(project: Path, folder: Path) -> None:
    (project / "test_a.py").write_text("import pytest\n@pytest.mark.parametrize('n', range(9))\ndef test_n(n): pass\n")
    (project / "listener.py").write_text(
        "heard = []\n"
        "def pytest_runtest_logreport(report):\n"
        "    heard.append((report.nodeid, report.when, report.outcome))\n"
        "def pytest_sessionfinish(session, exitstatus):\n"
        "    import os\n"
        "    if 'CROSSFLEET_RUN' not in os.environ:\n"
        "        print('HEARD', len(set(heard)), session.testscollected, int(exitstatus))\n"
    )
    done = call(sys.executable, "-s", "-p", "listener", "--fleet", cwd=project, data=folder / "d")
    assert "HEARD 27 9 0" in done.out, done.text


def test_what_is_deselected_is_counted_beside_plugins_that_look_at_all_reports(project: Path, folder: Path) -> None:
    (project / "test_a.py").write_text(SUITE)
    (project / "conftest.py").write_text(
        "def pytest_terminal_summary(terminalreporter):\n"
        "    for each in terminalreporter.stats.values():\n"
        "        assert all(isinstance(vars(one), dict) for one in each)\n"
    )
    done = call(sys.executable, "--fleet", "-k", "passes", cwd=project, data=folder)
    assert (done.status, "1 passed, 8 deselected" in done.out) == (0, True), done.text


def test_what_only_tells_something_is_answered_here(project: Path, folder: Path) -> None:
    (project / "test_a.py").write_text(SUITE)
    done = call(sys.executable, "--fleet", "--collect-only", "-q", cwd=project, data=folder / "d")
    assert (done.status, "test_a.py::test_passes" in done.out) == (0, True), done.text
    assert not (folder / "d").exists()


def test_what_a_fleet_cannot_do_is_refused_with_a_hint(project: Path, folder: Path) -> None:
    (project / "test_a.py").write_text(SUITE)
    done = call(sys.executable, "--fleet", "--pdb", cwd=project, data=folder / "d")
    assert (done.status, "a debugger needs the terminal" in done.err) == (4, True), done.text


async def test_ctrl_c_ends_it_as_it_ends_pytest(project: Path, folder: Path) -> None:
    (project / "test_a.py").write_text(
        "import pathlib, time\ndef test_long():\n    pathlib.Path('began').touch()\n    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *BARE, "--fleet"],
        cwd=project,
        env=environment({"CROSSFLEET_DATA": str(folder / "d")}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    try:
        await eventually((project / "began").exists, deadline=30)
        process.send_signal(signal.SIGINT)
        out = process.communicate(timeout=30)[0].decode()
    finally:
        process.kill()
    assert (process.returncode, "KeyboardInterrupt" in out) == (2, True), out

"""Plugins that report: each must have heard of every case, once, wherever it ran."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.end_to_end.standing import Standing
from tests.plugins.both import QUIET, fleet, plain, write
from tests.plugins.environments import ALL
from tests.truth.subjects import environment

pytestmark = [pytest.mark.needs_uv, pytest.mark.timeout(300)]

MIXED = {
    "test_it.py": """
    import pytest
    @pytest.mark.parametrize("n", range(8))
    def test_passes(n): print("said", n)
    def test_fails(): assert 0, "the reason"
    def test_skips(): pytest.skip("not here")
    @pytest.mark.xfail
    def test_xfails(): assert 0
    @pytest.fixture
    def broken(): raise OSError("set-up")
    def test_errs(broken): pass
    """
}


def html_results(path: Path) -> Counter[str]:
    """Outcomes that pytest-html shows."""
    blob = re.search(r'data-jsonblob="([^"]*)"', path.read_text())
    assert blob
    tests = json.loads(html.unescape(blob.group(1)))["tests"]
    return Counter(each["result"] for cases in tests.values() for each in cases)


def test_pytest_html_shows_every_case(standing: Standing, python: Path, project: Path) -> None:
    write(project, MIXED)
    report = project / "report.html"

    plain(python, project, *QUIET, "--html=report.html", "--self-contained-html")
    expected = html_results(report)
    report.unlink()
    found = fleet(standing, python, project, *QUIET, "--html=report.html", "--self-contained-html")

    assert html_results(report) == expected, found.text
    assert sum(expected.values()) == 12


def test_allure_has_a_result_of_every_case(standing: Standing, python: Path, project: Path) -> None:
    write(project, MIXED)

    def results(folder: str) -> dict[str, str]:
        read = [json.loads(path.read_text()) for path in (project / folder).glob("*-result.json")]
        assert len({each["uuid"] for each in read}) == len(read)
        return {each["fullName"] + str(each.get("parameters")): each["status"] for each in read}

    plain(python, project, *QUIET, "--alluredir=plain")
    found = fleet(standing, python, project, *QUIET, "--alluredir=fleet")

    assert results("fleet") == results("plain"), found.text
    assert len(results("fleet")) == 12


SNAPSHOTS = {
    "test_it.py": """
    import pytest
    @pytest.mark.parametrize("n", range(COUNT))
    def test_numbers(n, snapshot): assert {"n": n} == snapshot
    def test_list(snapshot): assert [1, 2] == snapshot
    """
}


def snapshots(count: int) -> dict[str, str]:
    return {"test_it.py": SNAPSHOTS["test_it.py"].replace("COUNT", str(count))}


@pytest.mark.parametrize(
    "beside", [(), pytest.param(("-p", "no:xdist"), marks=pytest.mark.truth)], ids=["xdist", "alone"]
)
def test_syrupy_writes_snapshots_once_and_knows_which_are_unused(
    standing: Standing, python: Path, project: Path, beside: tuple[str, ...]
) -> None:
    words = (*QUIET, *beside)
    write(project, snapshots(6))
    plain(python, project, *words, "--snapshot-update")
    written = (project / "__snapshots__" / "test_it.ambr").read_bytes()
    (project / "__snapshots__" / "test_it.ambr").unlink()

    made = fleet(standing, python, project, *words, "--snapshot-update")
    assert "7 snapshots generated" in made.session
    assert [path.name for path in (project / "__snapshots__").iterdir()] == ["test_it.ambr"]
    assert (project / "__snapshots__" / "test_it.ambr").read_bytes() == written

    write(project, snapshots(4))
    expected = plain(python, project, *words)
    found = fleet(standing, python, project, *words)
    assert "5 snapshots passed. 2 snapshots unused." in expected.text
    assert "5 snapshots passed. 2 snapshots unused." in found.session
    assert found.status == expected.status == 1
    assert "crossfleet logs" in found.text

    fleet(standing, python, project, *words, "--snapshot-update")
    assert (project / "__snapshots__" / "test_it.ambr").read_bytes().count(b"# name:") == 5


def test_a_worker_that_ran_a_part_deletes_no_snapshot_of_the_others(
    two_workers: Standing, python: Path, project: Path
) -> None:
    write(project, snapshots(12))
    plain(python, project, *QUIET, "--snapshot-update")
    written = (project / "__snapshots__" / "test_it.ambr").read_bytes()

    found = fleet(two_workers, python, project, *QUIET, "--snapshot-update")

    assert found.status == 0, found.text
    assert (project / "__snapshots__" / "test_it.ambr").read_bytes() == written


def test_a_plugin_of_the_suite_hears_what_its_workers_leave(standing: Standing, python: Path, project: Path) -> None:
    write(
        project,
        {
            "conftest.py": """
            import os
            seen = []
            def pytest_configure_node(node): node.workerinput["greeting"] = "from the controller"
            def pytest_runtest_call(item): seen.append(item.nodeid)
            def pytest_sessionfinish(session):
                if hasattr(session.config, "workeroutput"):
                    session.config.workeroutput["seen"] = seen
                    session.config.workeroutput["greeting"] = session.config.workerinput["greeting"]
            def pytest_testnodedown(node, error):
                print("LEFT", node.gateway.id, len(node.workeroutput["seen"]), node.workeroutput["greeting"])
            """,
            "test_it.py": """
            import pytest, time
            @pytest.mark.parametrize("n", range(8))
            def test_it(n): time.sleep(0.05)
            """,
        },
    )

    found = fleet(standing, python, project, *QUIET)

    left = re.findall(r"LEFT (gw\d) (\d) from the controller", found.session)
    assert {name for name, _ in left} == {"gw0", "gw1"}, found.session
    assert sum(int(count) for _, count in left) == 8


def test_a_session_that_fails_by_itself_fails_the_command(standing: Standing, python: Path, project: Path) -> None:
    write(
        project,
        {
            "conftest.py": """
            def pytest_sessionfinish(session): session.exitstatus = 1
            """,
            "test_it.py": "def test_it(): pass\n",
        },
    )

    found = fleet(standing, python, project, *QUIET)

    assert (found.status, found.outcomes) == (1, {"test_it.py::test_it": "passed"})
    assert "failed the session of default" in found.text


def test_every_plugin_of_the_environment_is_pinned() -> None:
    assert all("==" in requirement for requirement in ALL)
    assert environment("plugins", *ALL).exists()

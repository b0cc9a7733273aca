"""Plugins that bend how a case runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.standing import Standing
from tests.plugins.both import QUIET, fleet, plain, write
from tests.plugins.environments import PYTEST_8_SUBTESTS
from tests.truth.subjects import environment

pytestmark = [pytest.mark.needs_uv, pytest.mark.timeout(300)]


def test_loops_of_asyncio_and_anyio_live_as_long_as_their_scope(
    standing: Standing, python: Path, project: Path
) -> None:
    write(
        project,
        {
            "test_asyncio.py": """
            import asyncio, pytest, pytest_asyncio
            @pytest_asyncio.fixture(loop_scope="session", scope="session")
            async def loop():
                yield asyncio.get_running_loop()
            @pytest.mark.asyncio(loop_scope="session")
            @pytest.mark.parametrize("n", range(8))
            async def test_session(loop, n): assert asyncio.get_running_loop() is loop
            @pytest.mark.asyncio
            @pytest.mark.parametrize("n", range(4))
            async def test_function(n): await asyncio.sleep(0)
            @pytest.mark.asyncio
            async def test_fails(): raise OSError("so")
            """,
            "test_anyio.py": """
            import pytest, sniffio
            @pytest.fixture(scope="module", params=["asyncio", "trio"])
            def anyio_backend(request): return request.param
            @pytest.fixture(scope="module")
            async def name(anyio_backend): yield sniffio.current_async_library()
            @pytest.mark.anyio
            @pytest.mark.parametrize("n", range(4))
            async def test_both(name, anyio_backend, n): assert name == anyio_backend
            """,
        },
    )

    expected = plain(python, project, *QUIET)
    found = fleet(standing, python, project, *QUIET)

    assert found.counts == expected.counts == "1 failed, 20 passed"
    assert found.status == expected.status


def test_a_case_over_its_limit_is_named_and_the_others_go_on(standing: Standing, python: Path, project: Path) -> None:
    write(
        project,
        {
            "test_it.py": """
            import time, pytest
            @pytest.mark.timeout(0.3, method="signal")
            def test_signal(): time.sleep(60)
            @pytest.mark.timeout(0.3, method="thread")
            def test_thread(): time.sleep(60)
            @pytest.mark.parametrize("n", range(10))
            def test_others(n): pass
            """
        },
    )

    found = fleet(standing, python, project, *QUIET)

    assert found.outcomes.pop("test_it.py::test_signal") == "failed"
    assert found.outcomes.pop("test_it.py::test_thread") == "crashed"
    assert set(found.outcomes.values()) == {"passed"}
    assert len(found.outcomes) == 10
    assert "Timeout (>0.3s) from pytest-timeout" in found.text


RANDOM = {
    "test_it.py": """
    import os, random, numpy, pytest
    def note(name, *values):
        with open(os.environ["NOTES"], "a") as file: file.write(f"{name} {values}\\n")
    @pytest.mark.parametrize("n", range(10))
    def test_values(n): note(n, random.random(), float(numpy.random.random()))
    @pytest.mark.parametrize("n", range(5))
    def test_names(n, faker): note("name", n, faker.name())
    """
}
RANDOMLY = ("-p", "no:cacheprovider", "-p", "no:sugar", "-p", "no:flaky")


def test_one_seed_gives_each_case_the_values_of_plain_pytest(
    standing: Standing, python: Path, project: Path, tmp_path: Path
) -> None:
    write(project, RANDOM)
    notes = {name: {"NOTES": str(tmp_path / name)} for name in ("plain", "fleet")}

    plain(python, project, *RANDOMLY, "-p", "randomly", "--randomly-seed=42", env=notes["plain"])
    found = fleet(standing, python, project, *RANDOMLY, "--randomly-seed=42", env=notes["fleet"])

    lines = {name: (tmp_path / name).read_text().splitlines() for name in notes}
    assert sorted(lines["fleet"]) == sorted(lines["plain"])
    assert len(lines["fleet"]) == 15
    assert list(found.outcomes) != [f"test_it.py::test_values[{n}]" for n in range(10)] + [
        f"test_it.py::test_names[{n}]" for n in range(5)
    ]
    assert "Using --randomly-seed=42" in found.session


def test_workers_draw_one_seed_and_say_which(
    two_workers: Standing, python: Path, project: Path, tmp_path: Path
) -> None:
    write(project, RANDOM)

    found = fleet(two_workers, python, project, *RANDOMLY, env={"NOTES": str(tmp_path / "notes")})

    seeds = [line for line in found.session.splitlines() if line.startswith("Using --randomly-seed=")]
    assert len(seeds) == 2, found.session
    assert len(set(seeds)) == 1


@pytest.mark.truth
def test_mocks_end_with_their_case(standing: Standing, python: Path, project: Path) -> None:
    write(
        project,
        {
            "test_it.py": """
            import os, pytest
            REAL = os.getcwd
            @pytest.mark.parametrize("n", range(10))
            def test_alternates(mocker, n):
                assert os.getcwd is REAL
                if n % 2: mocker.patch("os.getcwd", return_value="elsewhere")
                assert (os.getcwd() == "elsewhere") == bool(n % 2)
            """
        },
    )

    found = fleet(standing, python, project, *QUIET)

    assert (found.status, found.counts) == (0, "10 passed"), found.text


@pytest.mark.truth
def test_clients_of_flask_and_httpx_work(standing: Standing, python: Path, project: Path) -> None:
    write(
        project,
        {
            "test_it.py": """
            import flask, httpx, pytest
            @pytest.fixture(scope="module")
            def app():
                app = flask.Flask("it")
                app.get("/<int:n>")(lambda n: {"n": n})
                return app
            @pytest.mark.parametrize("n", range(6))
            def test_flask(app, n): assert app.test_client().get(f"/{n}").json == {"n": n}
            @pytest.mark.parametrize("n", range(6))
            def test_httpx(app, n):
                with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://it") as client:
                    assert client.get(f"/{n}").json() == {"n": n}
            """
        },
    )

    found = fleet(standing, python, project, *QUIET)

    assert (found.status, found.counts) == (0, "12 passed"), found.text


def test_hypothesis_keeps_what_failed_and_tells_its_statistics(
    standing: Standing, python: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)  # there hypothesis keeps nothing
    write(
        project,
        {
            "test_it.py": """
            import pytest
            from hypothesis import given, strategies as st
            @pytest.mark.parametrize("n", range(4))
            @given(st.integers())
            def test_holds(n, value): assert value == value
            @given(st.integers())
            def test_fails(value): assert value < 1000
            """
        },
    )
    words = (*QUIET, "--hypothesis-show-statistics")

    first = fleet(standing, python, project, *words)
    second = fleet(standing, python, project, *words)

    assert first.counts == "1 failed, 4 passed"
    assert list((project / ".hypothesis" / "examples").rglob("*"))
    assert "during reuse phase" not in first.session
    assert "during reuse phase" in second.session
    assert first.session.count("during generate phase") == 5


def test_reruns_of_pytest_rerunfailures_are_counted_and_slots_are_forked(
    standing: Standing, python: Path, project: Path
) -> None:
    write(
        project,
        {
            "test_it.py": """
            import pytest
            tries = []
            @pytest.mark.flaky(reruns=2)
            def test_third():
                tries.append(1)
                assert len(tries) == 3
            @pytest.mark.flaky(reruns=1)
            def test_never(): assert 0
            def test_plain(): pass
            """
        },
    )

    expected = plain(python, project, *QUIET)
    found = fleet(standing, python, project, *QUIET)

    assert found.counts == expected.counts == "1 failed, 2 passed, 3 rerun"
    assert found.status == expected.status
    assert "cannot be forked" not in found.session


@pytest.mark.truth
def test_flaky_runs_a_case_again_and_reports_it(standing: Standing, python: Path, project: Path) -> None:
    write(
        project,
        {
            "test_it.py": """
            import pytest
            tries = []
            @pytest.mark.flaky(max_runs=3)
            def test_second():
                tries.append(1)
                assert len(tries) == 2
            def test_plain(): pass
            """
        },
    )
    words = ("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:sugar", "-p", "no:rerunfailures")

    found = fleet(standing, python, project, *words)

    assert (found.status, found.counts) == (0, "2 passed"), found.text
    assert "test_second failed (2 runs remaining out of 3)." in found.session


SUBTESTS = {
    "test_it.py": """
    import unittest
    def test_some(subtests):
        for i in range(4):
            with subtests.test(msg="number", i=i): assert i % 2 == 0
    def test_all(subtests):
        for i in range(4):
            with subtests.test(i=i): pass
    class TestOld(unittest.TestCase):
        def test_old(self):
            for i in range(4):
                with self.subTest(i=i): self.assertEqual(i % 2, 0)
    """
}


def test_each_failed_subtest_is_told_and_counted_as_pytest_counts(
    standing: Standing, python: Path, project: Path
) -> None:
    write(project, SUBTESTS)

    expected = plain(python, project, *QUIET)
    found = fleet(standing, python, project, *QUIET)

    assert found.counts == expected.counts
    assert found.outcomes["test_it.py::test_some"] == found.outcomes["test_it.py::TestOld::test_old"] == "failed"
    assert found.outcomes["test_it.py::test_all"] == "passed"
    assert all(f"[number] (i={i})" in found.text for i in (1, 3))


@pytest.mark.truth
def test_subtests_of_the_plugin_are_counted_as_it_counts(standing: Standing, project: Path) -> None:
    python = environment("plugins-subtests", *PYTEST_8_SUBTESTS)
    write(project, {**SUBTESTS, "pytest.ini": "[pytest]\n"})

    expected = plain(python, project, "-p", "no:cacheprovider")
    found = fleet(standing, python, project, "-p", "no:cacheprovider")

    assert found.counts == expected.counts
    assert found.outcomes["test_it.py::test_some"] == "failed"


def test_a_measuring_case_has_its_worker_to_itself(two_workers: Standing, python: Path, project: Path) -> None:
    write(
        project,
        {
            "conftest.py": """
            import os, time, pytest
            @pytest.hookimpl(hookwrapper=True)
            def pytest_runtest_call(item):
                start = time.time()
                yield
                with open(os.environ["NOTES"], "a") as file:
                    file.write(f"{item.name} {start} {time.time()}\\n")
            """,
            "test_it.py": """
            import time, pytest
            @pytest.mark.parametrize("n", range(3))
            def test_measures(benchmark, n): benchmark.pedantic(time.sleep, args=(0.05,), rounds=3)
            @pytest.mark.parametrize("n", range(12))
            def test_others(n): time.sleep(0.05)
            """,
        },
    )
    words = (*QUIET, "--benchmark-json=measured.json", "--benchmark-autosave")
    notes = project.with_name("notes")

    found = fleet(two_workers, python, project, *words, env={"NOTES": str(notes)})
    again = fleet(two_workers, python, project, *QUIET, "--benchmark-compare", env={"NOTES": str(notes) + "2"})

    rows = [(name, float(start), float(end)) for name, start, end in map(str.split, notes.read_text().splitlines())]
    measuring = [row for row in rows if row[0].startswith("test_measures")]
    beside = [
        (one[0], other[0])
        for one in measuring
        for other in rows
        if one is not other and one[1] < other[2] and other[1] < one[2]
    ]
    assert (found.status, len(measuring), beside) == (0, 3, []), found.text
    measured = json.loads((project / "measured.json").read_text())["benchmarks"]
    assert sorted(one["name"] for one in measured) == [f"test_measures[{n}]" for n in range(3)]
    assert all(len(one["stats"]["data"]) == 3 for one in measured)
    assert "benchmark: 3 tests" in found.session
    assert "(NOW)" in again.session
    assert "(0001_" in again.session

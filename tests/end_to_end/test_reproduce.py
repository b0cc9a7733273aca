"""`crossfleet reproduce` over real runs: what depends on order is found, and what does not is said to be so."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Finished
from tests.commands import crossfleet as started
from tests.end_to_end.standing import PYTEST, Standing, environment
from tests.end_to_end.standing import crossfleet as called

# Each replay is a pytest of its own: it need not load what stands beside it here.
BARE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
STATE = """
    import pytest
    seen = []
    def test_pollutes(): seen.append(1)
    @pytest.mark.parametrize("n", range(12))
    def test_ok(n): pass
    """
FAILING = """
    import os, pathlib, time, pytest, test_a_state
    def test_fine(): pass
    def linger():
        mark = pathlib.Path("linger")
        if mark.exists():
            if mark.read_text(): time.sleep(60)
            mark.write_text("once")
    def test_needs_order():
        linger()
        assert len(test_a_state.seen) == 0
    def test_alone(): assert {"a": 1} == {"a": 2}
    @pytest.fixture
    def late():
        yield
        assert not test_a_state.seen, "left something"
    def test_tears_down_badly(late): pass
    def test_hash(): assert hash("crossfleet") != int(os.environ.get("KNOWN_HASH", "0")) or True
    def test_once():
        mark = pathlib.Path("was_there")
        if not mark.exists():
            mark.touch()
            raise ValueError("only the first time")
    def test_dies():
        if test_a_state.seen: os.kill(os.getpid(), 11)
    def test_after_the_crash(): assert not test_a_state.seen
    """


def crossfleet(*words: str, cwd: Path) -> Finished:
    return called(*words, cwd=cwd, env=BARE)


def write(project: Path, **files: str) -> Path:
    for name, text in files.items():
        lines = text.split("\n")
        (project / f"{name}.py").write_text("\n".join(line.removeprefix("    ") for line in lines))
    return project


@pytest.fixture(scope="module")
def failed(fleets_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkout and the data folder of its one run, whose fleet is gone."""
    project = write(tmp_path_factory.mktemp("failed"), test_a_state=STATE, test_b=FAILING)
    data = fleets_folder / "reproduce"
    done = crossfleet("run", "--data", str(data), "--slots", "1", "--", *PYTEST, cwd=project)
    assert done.status == 1, done.text
    return project, data


def reproduce(failed: tuple[Path, Path], *words: str) -> Finished:
    return crossfleet("reproduce", "--data", str(failed[1]), *words, cwd=failed[0])


def reproduced(failed: tuple[Path, Path], *words: str) -> tuple[Finished, dict[str, Any]]:
    done = reproduce(failed, *words, "--output", "json")
    return done, json.loads(done.out)["reproduction"] if done.out else {}


def test_the_case_before_it_that_matters_is_found_and_its_order_replays(failed: tuple[Path, Path]) -> None:
    done = reproduce(failed, "test_b.py::test_needs_order")
    assert done.status == 0, done.text
    assert "test_b.py::test_needs_order fails after test_a_state.py::test_pollutes only" in done.out
    assert "environment here differs" not in done.text
    command = next(line.split()[1:] for line in done.out.splitlines() if line.startswith("  again"))
    again = crossfleet(*command[1:], cwd=failed[0])
    assert (again.status, "after test_a_state.py::test_pollutes only" in again.out) == (0, True), again.text


@pytest.mark.parametrize(
    ("typed", "before"),
    [
        ("test_alone", []),
        ("test_b.py::test_tears_down_badly [default]", ["test_a_state.py::test_pollutes"]),
        ("CRASHED test_b.py::test_dies", ["test_a_state.py::test_pollutes"]),
    ],
)
def test_failures_of_every_kind_are_shrunk_to_what_they_need(
    failed: tuple[Path, Path], typed: str, before: list[str]
) -> None:
    done, told = reproduced(failed, typed)
    assert (done.status, told["reproduced"]) == (0, True), done.text
    assert told["order"]["cases"][:-1] == before
    assert told["order"]["shortest"]


def test_a_failure_that_is_not_of_the_order_is_said_to_be_flaky(failed: tuple[Path, Path]) -> None:
    done, told = reproduced(failed, "test_once", "--attempts", "2")
    assert (done.status, told["reproduced"], told["attempts"]) == (1, False, 2), done.text
    assert told["conclusion"].startswith("did not fail in 2 tries: flaky by something else than order")


def test_the_failure_of_a_flaky_case_is_that_before_its_rerun(folder: Path, project: Path) -> None:
    write(project, test_a_state=STATE, test_f="import test_a_state\ndef test_flaky(): assert not test_a_state.seen")
    data = ("--data", str(folder))
    words = ("--slots", "2", "--reruns", "1", "--", *PYTEST, "--dist", "loadfile", "-n", "1")
    done = crossfleet("run", *data, *words[2:], cwd=project)
    assert (done.status, "1 flaky" in done.out) == (0, True), done.text
    done = crossfleet("reproduce", *data, "test_flaky", cwd=project)
    assert (done.status, "test_f.py::test_flaky fails after test_a_state.py::test_pollutes only" in done.out) == (
        0,
        True,
    ), done.text


def test_only_the_replay_is_made_when_nothing_is_to_be_shrunk(failed: tuple[Path, Path]) -> None:
    done, told = reproduced(failed, "test_needs_order", "--no-shrink")
    assert (done.status, told["tries"], told["order"]["shortest"]) == (0, 0, False), done.text
    assert len(told["order"]["cases"]) > 2
    assert told["order"]["seeds"].keys() == {"PYTHONHASHSEED"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["test_needs_oder"], "Did you mean\n  test_b.py::test_needs_order"),
        (["test_fine"], "it passed"),
        (["test_after_the_crash"], "it passed"),
        (["test_alone", "--target", "gpu"], "test_alone"),
        (["test_alone", "--run", "run-none"], "run-none"),
        (["test_alone", "--python", "nowhere/python"], "--python nowhere/python"),
        (["test_alone", "--order", "x.json"], "--order"),
        (["--order", "nothing.json"], "nothing.json"),
        ([], "name the case that failed"),
    ],
)
def test_what_is_asked_wrongly_is_told_with_what_would_be_right(
    failed: tuple[Path, Path], words: list[str], said: str
) -> None:
    done = reproduce(failed, *words)
    assert (done.status, said in done.err) == (2, True), done.text


def test_a_case_is_replayed_as_the_slot_that_ran_it(folder: Path, project: Path) -> None:
    seen = """
        import os, sys
        def test_a(): pass
        def test_b(request):
            worker = request.config.workerinput["workerid"]
            names = ["PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTHONHASHSEED", "CROSSFLEET_SLOT"]
            raise ValueError([worker, sys.path[0], sys.argv[0], *map(os.environ.get, names)])
        """
    write(project, test_same="\n".join(line[4:] for line in seen.split("\n")))
    words = ("--slots", "1", "--json", "report.json", "--", *PYTEST)
    ran = crossfleet("run", "--data", str(folder / "d"), *words, cwd=project)
    (case,) = [c for c in json.loads((project / "report.json").read_text())["cases"] if c["outcome"] == "failed"]
    done, told = reproduced((project, folder / "d"), "test_b")
    assert (done.status, told["showed"]) == (0, f"failed: {case['message']}"), ran.text + done.text


def test_the_same_id_twice_is_replayed_by_its_number(folder: Path, project: Path) -> None:
    collects_twice = """
        import pytest
        class Item(pytest.Item):
            def runtest(self):
                self.parent.ran.append(1)
                assert len(self.parent.ran) < 2, "the second"
        class File(pytest.File):
            ran = []
            def collect(self):
                return [Item.from_parent(self, name="same") for _ in range(2)]
        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".twice":
                return File.from_parent(parent, path=file_path)
        """
    write(project, conftest="\n".join(line[4:] for line in collects_twice.split("\n")))
    (project / "a.twice").touch()
    ran = crossfleet("run", "--data", str(folder / "d"), "--slots", "1", "--", *PYTEST, cwd=project)
    done, told = reproduced((project, folder / "d"), "a.twice::same#2")
    assert (done.status, told["conclusion"]) == (0, "fails after a.twice::same only"), ran.text + done.text


def test_a_run_elsewhere_is_replayed_in_the_checkout_that_is_here(fleet: Standing, project: Path) -> None:
    write(project, test_a_state=STATE, test_b=FAILING.replace("11", "9"))
    ran = fleet.run(*PYTEST, cwd=project, options=("--isolated", "--target", 'one=worker.labels["side"] == "left"'))
    case = "test_b.py::test_needs_order"
    if f"FAILED {case}" not in ran.out:
        pytest.fail(ran.text)
    done = crossfleet("reproduce", "--data", str(fleet.data), case, "--output", "json", cwd=project)
    told = json.loads(done.out)["reproduction"]
    assert told["order"]["cases"] == ["test_a_state.py::test_pollutes", case], done.text
    assert (told["order"]["worker"], told["order"]["folder"]) == ("left", ""), done.text


async def test_ctrl_c_keeps_the_best_order_so_far(failed: tuple[Path, Path]) -> None:
    project, data = failed
    words = ("reproduce", "--data", str(data), "test_b.py::test_needs_order")
    (project / "linger").touch()  # the second replay waits for Ctrl-C
    async with started(*words, cwd=project, env=environment(BARE)) as command:
        await command.line("looking for the shortest order")
        command.signal(signal.SIGINT)
        done = await command.finished()
    (project / "linger").unlink()
    assert done.status == 130, done.text
    assert "interrupted after" in done.out
    assert "crossfleet reproduce --order" in done.out

"""What becomes of pytest's own arguments."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crossfleet.cli.exits import UsageError
from crossfleet.cli.pytest_options import page
from crossfleet.cli.pytest_options.option import Treatment, Value
from crossfleet.cli.pytest_options.project import inherited_variable, project_words
from crossfleet.cli.pytest_options.table import BY_NAME, TABLE, read
from crossfleet.cli.running.pytest_arguments import PytestArguments, take_over

ROOT = Path(__file__).parents[3]
OPTIONS_OF = Path(__file__).with_name("options_of_pytest.py")


@pytest.mark.parametrize(
    ("words", "left", "failures", "junit"),
    [
        (["-x", "tests"], ("tests",), 1, ""),
        (["-vx"], ("-v",), 1, ""),
        (["-xvrA"], ("-v", "-rA"), 1, ""),
        (["-xk", "name"], ("-k", "name"), 1, ""),
        (["--maxfail=3", "a"], ("a",), 3, ""),
        (["--maxfail", "3"], (), 3, ""),
        (["--maxfail", "3", "-x"], (), 1, ""),
        (["--junitxml=out.xml"], (), None, "out.xml"),
        (["--junit-xml", "out.xml", "-q"], ("-q",), None, "out.xml"),
        (["-k", "-x"], ("-k", "-x"), None, ""),
        (["-k", "-n", "-n", "4"], ("-k", "-n"), None, ""),
        (["-n4", "--dist=loadfile", "--dist", "load", "t"], ("t",), None, ""),
        (["--cov", "src", "-x", "--cov", "-q"], ("--cov", "src", "--cov", "-q"), 1, ""),
        (["--", "-x"], ("--", "-x"), None, ""),
        (["--not-known", "-x"], ("--not-known",), 1, ""),
        (["-Zx"], ("-Zx",), None, ""),
    ],
)
def test_arguments_that_crossfleet_takes_over(
    words: list[str], left: tuple[str, ...], failures: int | None, junit: str
) -> None:
    found = take_over(words)
    assert (found.arguments, found.max_failures, found.junit) == (left, failures, junit)


def test_how_much_is_shown_is_read_and_handed_to_the_workers_too() -> None:
    words = ["-vv", "-q", "--tb", "short", "-rfEX", "--durations=5", "--durations-min=0.2", "--color", "no"]
    found = take_over([*words, "--no-header", "--show-capture=log"])

    assert found.arguments == ("-v", "-v", *words[1:], "--no-header", "--show-capture=log")
    assert (found.verbosity, found.traceback_style, found.show_reasons) == (1, "short", "fEX")
    assert (found.durations, found.durations_min, found.color) == (5, 0.2, "no")
    assert (found.show_header, found.show_summary, found.show_capture) == (False, True, "log")
    assert take_over(["-v", "--verbosity=-1", "-v"]).verbosity == 0


@pytest.mark.parametrize(
    ("words", "grouping", "slots"),
    [
        (["--dist", "loadfile"], "file", None),
        (["--dist=loadscope", "-n", "3"], "scope", 3),
        (["--dist=loadgroup", "-nauto"], "mark", None),
        (["--dist=loadfile", "--dist=worksteal"], "", None),
        (["-n", "0", "--dist=loadfile"], "suite", 1),
        (["--sw"], "suite", 1),
    ],
)
def test_what_stays_together_and_how_many_slots_take_part(words: list[str], grouping: str, slots: int | None) -> None:
    found = take_over(words)
    assert (found.grouping, found.slots) == (grouping, slots)


def test_stepwise_stops_at_the_failure_that_pytest_would_stop_at() -> None:
    assert take_over(["--sw"]).max_failures == 1
    assert take_over(["--stepwise", "--sw-skip"]).max_failures == 2
    assert take_over(["--sw", "--maxfail=5"]).max_failures == 1


def test_what_is_left_out_is_said() -> None:
    (note,) = take_over(["--maxprocesses", "4"]).notes
    assert note.startswith("--maxprocesses 4 left out: ")


@pytest.mark.parametrize(
    "word", [name for option in TABLE if option.treatment is Treatment.REFUSED for name in option.names]
)
def test_arguments_that_cannot_work_are_refused_with_a_way_out(word: str) -> None:
    with pytest.raises(UsageError, match=r"run --local -- pytest|crossfleet worker --join|run crossfleet again"):
        take_over([word, "value"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--maxfail", "many"], "whole number"),
        (["--maxfail", "²"], "whole number"),
        (["--maxfail"], "needs a value"),
        (["-n", "some"], "auto or logical"),
        (["--dist", "each"], "--target"),
        (["--dist", "loadfil"], "loadfile"),
        (["--durations=x"], "whole number"),
        (["--durations-min=-"], "seconds"),
        (["--verbosity=loud"], "whole number"),
    ],
)
def test_values_that_nobody_can_read_are_named(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        take_over(words)


@given(
    st.lists(st.sampled_from(["tests/a.py", "-q", "-v", "--lf", "-k", "word", "--tb=short", "-p", "no:cacheprovider"]))
)
def test_arguments_that_mean_nothing_to_a_fleet_pass_unchanged(words: list[str]) -> None:
    last = words[-1:] in (["-k"], ["-p"])
    assert take_over([*words, "end"] if last else words).arguments == tuple([*words, "end"] if last else words)


@given(st.lists(st.sampled_from([*BY_NAME, "file.py", "a::b", "1", "-vx", "-k=x", "--", "-", "--x=y"]), max_size=12))
def test_no_word_is_lost_between_reading_and_handing_on(words: list[str]) -> None:
    try:
        said = list(read(words))
    except UsageError:
        assume(False)
    flat = [word for one in said for word in one.words]
    assert "".join(flat).replace("-", "") == "".join(words).replace("-", "")


def test_arguments_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "args").write_text("-x\ntests\n")
    found = take_over(["@args", "-q"])
    assert (found.max_failures, found.arguments) == (1, ("tests", "-q"))


SETTINGS = {
    "pytest.ini": "[pytest]\naddopts = -x\n  --dist loadfile  \n",
    ".pytest.ini": "[pytest]\naddopts: -x --dist=loadfile\n",
    "tox.ini": "[tox]\nenvlist = py\n[pytest]\naddopts = -x --dist loadfile\n",
    "setup.cfg": "[metadata]\nname = %(x)s\n[tool:pytest]\naddopts = -x --dist loadfile\n",
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-x --dist loadfile"\n',
    "pytest.toml": '[pytest]\naddopts = ["-x", "--dist", "loadfile"]\n',
}


@pytest.mark.parametrize("name", SETTINGS)
def test_what_the_project_says_counts_as_if_it_were_typed(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(SETTINGS[name])
    (tmp_path / "tests").mkdir()
    words = project_words(["tests"], tmp_path)

    found = take_over(["tests"], words)
    assert (found.arguments, found.max_failures, found.grouping) == (("tests",), 1, "file")
    assert take_over(["--maxfail=4", "--dist=load"], words).max_failures == 4


@pytest.mark.parametrize("name", SETTINGS)
def test_pytest_finds_the_same_settings_as_crossfleet(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(
        SETTINGS[name]
        .replace("--dist loadfile", "")
        .replace("--dist=loadfile", "")
        .replace(', "--dist", "loadfile"', "")
    )
    (tmp_path / "inner").mkdir()
    code = "import pytest, sys\nclass P:\n def pytest_configure(self, config):\n  print('FAILS', config.option.maxfail)\npytest.main(sys.argv[1:], plugins=[P()])"
    done = subprocess.run(
        [sys.executable, "-c", code, "inner", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ("FAILS 1" in done.stdout) == (take_over([], project_words(["inner"], tmp_path)).max_failures == 1), (
        done.stdout
    )


def test_the_environment_and_overrides_count_as_they_do_for_pytest(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --maxfail=7\n")
    (tmp_path / "other.ini").write_text("[pytest]\naddopts = --maxfail=5\n")

    def failures(*words: str, variable: str = "") -> int | None:
        return take_over(words, project_words(words, tmp_path, variable)).max_failures

    assert failures() == 7
    assert failures(variable="--maxfail=6") == 6
    assert failures("-c", "other.ini") == 5
    assert failures("-o", "addopts=--maxfail=4") == 4
    assert failures("-o", "addopts=") is None


def test_debuggers_in_the_projects_settings_are_passed_over(tmp_path: Path) -> None:
    assert take_over(["a"], ["--pdb", "-s"]) == PytestArguments(("a",))


def test_only_a_variable_that_the_suite_sees_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
    assert inherited_variable((), whole_environment=True) == "-x"
    assert inherited_variable((), whole_environment=False) == ""
    assert inherited_variable(("PYTEST_ADDOPTS",), whole_environment=False) == "-x"
    assert inherited_variable(("PYTEST_ADDOPTS=-q",), whole_environment=True) == "-q"


def test_the_table_knows_every_option_of_the_installed_pytest_and_its_plugins() -> None:
    done = subprocess.run([sys.executable, str(OPTIONS_OF)], capture_output=True, text=True, timeout=50, check=True)
    found = json.loads(done.stdout)
    assert len(found) > 100
    assert unlike_the_table(found) == []


def unlike_the_table(found: list[dict[str, object]]) -> list[str]:
    """What the table says otherwise than pytest's parser: names that it lacks, and how many values they take."""
    wrong = []
    for option in found:
        for name in option["names"]:  # type: ignore[attr-defined]
            known = BY_NAME.get(name)
            if known is None:
                wrong.append(f"{name} is not in the table")
            elif known.value is not Value(option["values"]):
                wrong.append(f"{name} takes {option['values']} values, the table says {known.value}")
    return wrong


def test_no_option_stands_twice_in_the_table() -> None:
    names = [name for option in TABLE for name in option.names]
    assert sorted(names) == sorted(BY_NAME)


def test_the_page_of_the_documentation_is_made_from_the_table() -> None:
    assert (ROOT / page.PAGE).read_text() == page.page(), "run tools/pytest_options"

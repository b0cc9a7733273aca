"""What kind of suite the words of a command are, and which interpreter is meant."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from crossfleet.cli.exits import UsageError
from crossfleet.cli.running.command import recognise
from crossfleet.cli.running.interpreter import check_has_pytest, python_of_script
from crossfleet.cli.running.options import misplaced


def test_pytest_is_found_as_a_script_and_as_a_module() -> None:
    script, module = recognise(["pytest", "-q", "tests"]), recognise(["python3", "-m", "pytest", "tests"])
    assert (script.runner, script.arguments, script.as_module) == ("pytest", ("-q", "tests"), False)
    assert (module.runner, module.arguments, module.as_module) == ("pytest", ("tests",), True)


def test_anything_else_is_a_command() -> None:
    assert recognise(["make", "check"]).runner == "command"
    assert recognise(["python", "script.py", "-m"]).arguments == ("python", "script.py", "-m")


@pytest.mark.parametrize("module", ["pytest", "unittest"])
def test_interpreter_options_before_a_module_are_refused_with_a_way_out(module: str) -> None:
    with pytest.raises(UsageError, match="environment variables"):
        recognise(["python", "-X", "dev", "-m", module])


def test_unittest_is_run_by_the_interpreter_that_is_named() -> None:
    found = recognise(["python3", "-m", "unittest", "discover", "-s", "tests"])

    assert (found.runner, found.arguments, found.program) == ("unittest", ("discover", "-s", "tests"), "python3")
    assert found.default_python()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("go test ./...", "go"),
        ("/usr/local/go/bin/go test -run X ./a", "go"),
        ("go test -c ./a", "command"),
        ("go test -coverprofile=c.out ./...", "command"),
        ("go vet ./...", "command"),
        ("node --test", "node"),
        ("node --import tsx --test test/*.ts", "node"),
        ("node --test --watch", "command"),
        ("node server.js", "command"),
        ("npx vitest run", "vitest"),
        ("npx --yes vitest@3 run src/", "vitest"),
        ("pnpm exec vitest", "vitest"),
        ("node_modules/.bin/vitest -t name", "vitest"),
        ("node node_modules/vitest/vitest.mjs run", "vitest"),
        ("npx vitest bench", "command"),
        ("npx vitest run --coverage", "command"),
        ("npx eslint vitest", "command"),
        ("npm test", "command"),
        ("build/my_test --gtest_filter=A.*", "gtest"),
        ("build/my_test", "command"),
        ("cargo test --release", "libtest"),
        ("cargo +nightly test", "libtest"),
        ("cargo test --no-run", "command"),
        ("cargo build", "command"),
        ("bats tests", "tap"),
        ("bats --formatter junit tests", "command"),
        ("python -m coverage run -m unittest", "command"),
        ("python tool.py -m unittest", "command"),
    ],
)
def test_a_kind_is_told_from_the_words_as_people_type_them(line: str, kind: str) -> None:
    found = recognise(line.split())

    assert (found.runner, found.arguments) == (kind, tuple(line.split()))


def test_a_kind_that_is_named_wins_over_the_words() -> None:
    assert recognise(["build/my_test"], runner="catch2").runner == "catch2"
    assert recognise(["go", "test", "./..."], runner="command").runner == "command"
    assert recognise(["cargo", "test"], leaves_junit=True).runner == "command"
    assert recognise(["python", "-m", "pytest", "-x"], runner="command").arguments == ("python", "-m", "pytest", "-x")
    with pytest.raises(UsageError, match="python -m unittest"):
        recognise(["make", "check"], runner="unittest")


def script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize(
    "head",
    [
        "#!{python}\nimport sys\n",
        "#!{python} -E\n",
        "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n",
        "#!/usr/bin/env python-of-the-suite\n",
        "#!/usr/bin/env -S python-of-the-suite -I\n",
    ],
)
def test_the_interpreter_of_a_script_is_read_from_its_first_lines(
    head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python-of-the-suite"
    python.symlink_to(sys.executable)
    (tmp_path / "python3.11").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    shown = str(python) if "env" in head else str(tmp_path / "python3.11")
    word = script(tmp_path / "pytest", head.format(python=shown))
    assert python_of_script(word) == shown


def test_a_shim_of_pyenv_is_asked_what_it_stands_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = script(tmp_path / "real-pytest", f"#!{sys.executable}\n")
    script(tmp_path / "pyenv", f'#!/bin/sh\n[ "$1 $2" = "which pytest" ] && echo {real}\n')
    shim = script(tmp_path / "pytest", '#!/usr/bin/env bash\nexec "/opt/pyenv/libexec/pyenv" exec "$program" "$@"\n')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert python_of_script(shim) == sys.executable


def test_a_script_without_interpreter_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--python PATH"):
        python_of_script(script(tmp_path / "pytest", "#!/bin/bash\necho no\n"))
    with pytest.raises(UsageError, match="--requirements FILE"):
        python_of_script("pytest-that-is-not-there")


def test_an_interpreter_without_pytest_is_refused(tmp_path: Path) -> None:
    bare = script(tmp_path / "python", "#!/bin/sh\nexec false\n")
    with pytest.raises(UsageError, match="has no pytest"):
        check_has_pytest(bare)
    check_has_pytest(sys.executable)


def test_options_of_run_are_known_among_the_words_of_a_command() -> None:
    assert misplaced(["test_a.py", "--deadline=2h", "--devices", "gpu", "--lf", "-k", "x"]) == [
        "--deadline",
        "--devices",
    ]

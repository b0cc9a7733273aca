"""Suites of other runners, each against what its own tool says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.end_to_end import projects
from tests.end_to_end.standing import Standing, environment, outcomes
from tests.truth.subjects import lay_out

SITE = next(path for path in sys.path if path.endswith("site-packages"))
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plugins" / "scripts"


def said(*words: str, cwd: Path) -> str:
    """What the tool itself prints, whatever its verdict."""
    done = subprocess.run(
        words, cwd=cwd, env=environment(), capture_output=True, text=True, errors="replace", timeout=120, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.needs_uv
@pytest.mark.timeout(180)
def test_a_project_of_unittest_has_the_outcomes_that_unittest_gives(fleet: Standing) -> None:
    root = lay_out(projects.PYFLAKES).root
    words = (sys.executable, "-m", "unittest", "discover", "-s", "pyflakes/test", "-t", ".")
    plain = said(*words, "-v", cwd=root)

    done, report = fleet.report(*words, cwd=root)

    expected = {
        f"{owner}.{name}" if sys.version_info < (3, 11) else owner: verdict
        for name, owner, verdict in re.findall(
            r"^(\w+) \(([\w.]+)\).*?\.\.\. (ok|skipped)", plain, re.MULTILINE | re.DOTALL
        )
    }
    words_of = {"ok": "passed", "skipped": "skipped"}
    assert len(expected) > 700
    assert outcomes(report) == {name: words_of[verdict] for name, verdict in expected.items()}
    assert done.status == 0, done.text


GTEST = """
#include <gtest/gtest.h>
#include <unistd.h>
TEST(Plain, Passes) {}
TEST(Plain, Fails) { EXPECT_EQ(1, 2) << "why"; }
TEST(Plain, Skips) { GTEST_SKIP() << "not here"; }
TEST(Plain, DISABLED_Never) { FAIL(); }
TEST(Crash, Segfaults) { puts("last words"); fflush(stdout); volatile int *nothing = nullptr; *nothing = 1; }
TEST(Crash, Exits) { _exit(0); }
TEST(Crash, After) {}
class Numbers : public testing::TestWithParam<int> {};
TEST_P(Numbers, Small) { EXPECT_LT(GetParam(), 3); }
INSTANTIATE_TEST_SUITE_P(Some, Numbers, testing::Range(1, 4));
template <class T> class Typed : public testing::Test {};
TYPED_TEST_SUITE(Typed, testing::Types<int>);
TYPED_TEST(Typed, HasSize) { EXPECT_GE(sizeof(TypeParam), 1u); }
"""


def test_a_googletest_binary_names_each_case_and_survives_those_that_crash(fleet: Standing, project: Path) -> None:
    (project / "t.cc").write_text(GTEST)
    flags = projects.headers("libgtest-dev", "gtest/gtest.h")
    binary = projects.compiled(project / "t.cc", *flags, "-lgtest", "-lgtest_main")

    done, report = fleet.report(f"./{binary.name}", cwd=project, options=("--runner", "gtest"))

    assert outcomes(report) == {
        "Plain.Passes": "passed",
        "Plain.Fails": "failed",
        "Plain.Skips": "skipped",
        "Plain.DISABLED_Never": "skipped",
        "Crash.Segfaults": "crashed",
        "Crash.Exits": "crashed",
        "Crash.After": "passed",
        "Some/Numbers.Small/0": "passed",
        "Some/Numbers.Small/1": "passed",
        "Some/Numbers.Small/2": "failed",
        "Typed/0.HasSize": "passed",
    }
    assert "last words" in done.out
    assert "SIGSEGV" in done.out
    assert done.status == 1


CATCH2 = """
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#include <unistd.h>
TEST_CASE("adds, with a comma [and] brackets", "[math]") { REQUIRE(1 + 1 == 2); }
TEST_CASE("fails") { int a = 1; CHECK(a == 2); }
TEST_CASE("sections") { SECTION("one") { REQUIRE(true); } SECTION("two") { REQUIRE(false); } }
TEST_CASE("*starred* \\"quoted\\" back\\\\slash") { REQUIRE(true); }
TEST_CASE("segfaults") { volatile int *nothing = nullptr; *nothing = 1; }
TEST_CASE("leaves") { _exit(0); }
TEST_CASE("hidden", "[.]") { REQUIRE(false); }
TEST_CASE("after") { REQUIRE(true); }
"""


@pytest.mark.slow  # the header alone compiles for ten seconds
@pytest.mark.timeout(180)
def test_a_catch2_binary_names_each_case_and_survives_those_that_crash(fleet: Standing, project: Path) -> None:
    (project / "t.cc").write_text(CATCH2)
    binary = projects.compiled(project / "t.cc", *projects.headers("catch2", "catch2/catch.hpp"))

    done, report = fleet.report(f"./{binary.name}", cwd=project, options=("--runner", "catch2"))

    assert outcomes(report) == {
        "adds, with a comma [and] brackets": "passed",
        "fails": "failed",
        "sections": "failed",
        '*starred* "quoted" back\\slash': "passed",
        "segfaults": "crashed",
        "leaves": "crashed",
        "after": "passed",
    }
    assert "CHECK( a == 2 ) with expansion: 1 == 2" in done.out


@pytest.mark.needs_go
@pytest.mark.timeout(240)
def test_a_go_module_has_the_outcomes_that_go_test_gives(fleet: Standing, project: Path) -> None:
    root = projects.go_module("github.com/google/uuid", "v1.6.0", project / "uuid")
    verdicts = {"pass": "passed", "fail": "failed", "skip": "skipped"}
    events = [
        json.loads(line) for line in said("go", "test", "-json", "./...", cwd=root).splitlines() if line[:1] == "{"
    ]

    done, report = fleet.report("go", "test", "./...", cwd=root)

    expected = {
        "::".join(part for part in (event["Package"], event.get("Test")) if part): verdicts[event["Action"]]
        for event in events
        if event["Action"] in verdicts
    }
    assert len(expected) > 100
    assert outcomes(report) == expected
    assert done.status == 0, done.text


@pytest.mark.needs_go
@pytest.mark.timeout(120)
def test_a_go_package_that_does_not_build_is_an_error_and_the_others_run(fleet: Standing, project: Path) -> None:
    (project / "go.mod").write_text("module example.com/m\ngo 1.20\n")
    files = {
        "a": "func TestExits(t *testing.T) { os.Exit(3) }\nvar _ = os.Exit",
        "b": "func TestBroken(t *testing.T) { undefined() }\nvar _ = os.Exit",
    }
    for name, text in files.items():
        (project / name).mkdir()
        code = f'package {name}\nimport ("os"; "testing")\n{text}\n'
        (project / name / "x_test.go").write_text(code)

    done, report = fleet.report("go", "test", "./...", cwd=project)

    assert outcomes(report) == {
        "example.com/m/a": "failed",
        "example.com/m/a::TestExits": "crashed",
        "example.com/m/b": "error",
    }
    assert "undefined: undefined" in done.out


@pytest.mark.needs_node
@pytest.mark.needs_npm
@pytest.mark.timeout(180)
def test_a_project_of_nodes_runner_has_the_outcomes_that_node_gives(fleet: Standing, project: Path) -> None:
    installed = projects.npm_packages("process-warning", "process-warning@5.0.0")
    shutil.copytree(installed / "node_modules" / "process-warning", project, dirs_exist_ok=True)
    shutil.rmtree(project / "test" / "jest.test.js", ignore_errors=True)
    plain = said("node", "--test", "--test-reporter=tap", cwd=project)

    _, report = fleet.report("node", "--test", cwd=project)

    found = outcomes(report)
    files = {name for name in found if "::" not in name}
    tests = Counter(outcome for name, outcome in found.items() if name not in files)
    count = {word: int(re.findall(rf"^# {word} (\d+)", plain, re.MULTILINE)[0]) for word in ("pass", "fail", "skipped")}
    assert len(files) >= 5
    # Node counts a file without tests, or one that fails as a whole, as a test of that name.
    whole = Counter(outcome for name, outcome in found.items() if name in files and not _has_tests(name, found))
    assert tests["passed"] + whole["passed"] == count["pass"]
    assert tests["failed"] + whole["failed"] == count["fail"]
    assert tests["skipped"] == count["skipped"]


def _has_tests(file: str, found: dict[str, str]) -> bool:
    return any(name.startswith(f"{file}::") for name in found)


@pytest.mark.needs_node
@pytest.mark.timeout(120)
def test_node_files_that_die_hang_or_fail_to_load_are_named(fleet: Standing, project: Path) -> None:
    (project / "test").mkdir()
    files = {
        "fine": "test('a', () => {}); test('b', { skip: 'why' }, () => {})",
        "dies": "test('a', () => { process.kill(process.pid, 'SIGKILL') })",
        "hangs": "test('a', async () => { await new Promise(resolve => setTimeout(resolve, 100000)) })",
        "broken": "require('./nothing')",
    }
    for name, text in files.items():
        (project / "test" / f"{name}.test.js").write_text(f"const {{ test }} = require('node:test')\n{text}\n")

    done, report = fleet.report("node", "--test", cwd=project, options=("--case-timeout", "4"))

    assert outcomes(report) == {
        "test/fine.test.js": "passed",
        "test/fine.test.js::a": "passed",
        "test/fine.test.js::b": "skipped",
        "test/dies.test.js": "crashed",
        "test/hangs.test.js": "timed_out",
        "test/broken.test.js": "failed",
    }
    assert "Cannot find module" in done.out


@pytest.mark.needs_node
@pytest.mark.needs_npm
@pytest.mark.timeout(240)
def test_vitest_runs_on_a_fleet_as_by_itself(fleet: Standing, project: Path) -> None:
    (project / "node_modules").symlink_to(projects.npm_packages("vitest", "vitest@3.2.7") / "node_modules")
    (project / "package.json").write_text('{"type": "module"}')
    files = {
        "a": "describe('group', () => { test('passes', () => {}); test('fails', () => { expect(1).toBe(2) }) })\n"
        "test.skip('skips', () => {}); test.each([1, 2])('each %i', n => { expect(n).toBeLessThan(2) })",
        "b": "test('same', () => {}); test('same', () => {})",
        "c": "import './nothing'",
    }
    for name, text in files.items():
        code = f"import {{ describe, expect, test }} from 'vitest'\n{text}\n"
        (project / f"{name}.test.js").write_text(code)

    done, report = fleet.report("npx", "vitest", "run", cwd=project)

    assert outcomes(report) == {
        "a.test.js": "failed",
        "a.test.js::group > passes": "passed",
        "a.test.js::group > fails": "failed",
        "a.test.js::skips": "skipped",
        "a.test.js::each 1": "passed",
        "a.test.js::each 2": "failed",
        "b.test.js": "passed",
        "b.test.js::same": "passed",
        "b.test.js::same#2": "passed",
        "c.test.js": "error",
    }
    assert "expected 1 to be 2" in done.out


@pytest.mark.needs_cargo
@pytest.mark.timeout(180)
def test_cargo_test_shows_each_case_of_each_binary(fleet: Standing, project: Path) -> None:
    (project / "src").mkdir()
    (project / "tests").mkdir()
    (project / "Cargo.toml").write_text('[package]\nname = "cr"\nversion = "0.1.0"\nedition = "2021"\n')
    (project / "src" / "lib.rs").write_text(
        "#[cfg(test)] mod tests {\n"
        "  #[test] fn adds() { assert_eq!(1 + 1, 2); }\n"
        '  #[test] fn fails() { println!("before"); assert_eq!(1, 2, "sums"); }\n'
        '  #[test] #[ignore = "slow"] fn ignored() {}\n'
        "  #[test] #[should_panic] fn panics() { panic!() }\n}\n"
    )
    (project / "tests" / "it.rs").write_text("#[test] fn adds() {}\n")

    _, report = fleet.report("cargo", "test", "--no-fail-fast", cwd=project)

    assert outcomes(report) == {
        "cargo test --no-fail-fast": "failed",
        "src/lib.rs::tests::adds": "passed",
        "src/lib.rs::tests::fails": "failed",
        "src/lib.rs::tests::ignored": "skipped",
        "src/lib.rs::tests::panics": "passed",
        "tests/it.rs::adds": "passed",
    }


@pytest.mark.needs_npm
@pytest.mark.timeout(120)
def test_a_suite_of_bats_shows_each_case(fleet: Standing, project: Path) -> None:
    bats = projects.npm_packages("bats", "bats@1.12.0") / "node_modules" / "bats" / "bin" / "bats"
    (project / "a.bats").write_text(
        '@test "adds" { [ $((1 + 1)) -eq 2 ]; }\n@test "fails" { echo said; false; }\n@test "skips" { skip "reason"; }\n'
    )

    done, report = fleet.report(str(bats), "a.bats", cwd=project)

    assert outcomes(report) == {f"{bats} a.bats": "failed", "adds": "passed", "fails": "failed", "skips": "skipped"}
    assert "said" in done.out


@pytest.fixture(scope="module")
def python_with_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that sees everything that this one does, and the example's plugin beside it."""
    place = tmp_path_factory.mktemp("plugin") / "venv"
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, place], check=True)
    site = next(place.glob("lib/python*/site-packages"))
    (site / "beside.pth").write_text(f"import site; site.addsitedir({SITE!r})\n")
    python = place / "bin" / "python"
    source = shutil.copytree(EXAMPLE, place.parent / "scripts")
    command = ["uv", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--offline"]
    subprocess.run([*command, "--python", python, source], check=True)
    return python


@pytest.mark.needs_uv
def test_a_plugin_that_is_installed_brings_a_runner(python_with_example: Path, project: Path, folder: Path) -> None:
    (project / "checks").mkdir()
    for name, text in {"a": "echo fine", "b": "exit 3", "c": "kill -9 $$", "d": "exit 77"}.items():
        (project / "checks" / name).write_text(f"#!/bin/sh\n{text}\n")
        (project / "checks" / name).chmod(0o755)
    command = [str(python_with_example), "-P", "-m", "crossfleet.cli.main", "run", "--data", str(folder / "data")]
    report = project / "report.json"

    done = subprocess.run(
        [*command, "--json", str(report), "--runner", "scripts", "--", "checks"],
        cwd=project,
        env=environment({"XDG_RUNTIME_DIR": str(folder)}),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert outcomes(json.loads(report.read_text())) == {
        "checks/a": "passed",
        "checks/b": "failed",
        "checks/c": "crashed",
        "checks/d": "skipped",
    }, done.stderr
    assert done.returncode == 1


def test_a_runner_that_is_not_there_is_named_with_those_that_are(fleet: Standing, project: Path) -> None:
    done = fleet.run("./my_test", cwd=project, options=("--runner", "gtests"))

    assert done.status == 2
    assert "Did you mean gtest?" in done.err
    assert "unittest" in done.err


def test_words_that_a_runner_refuses_are_wrong_usage(fleet: Standing, project: Path) -> None:
    done = fleet.run("/bin/ls", cwd=project, options=("--runner", "gtest"))

    assert done.status == 2, done.text
    assert "is it a GoogleTest binary?" in done.out

"""What `go test -json` says."""

from __future__ import annotations

import json

import pytest

from crossfleet.worker.shim.programs.gotest import GoTest
from crossfleet.worker.shim.programs.program import Command, Output
from services.worker.tests.programs.reading import ended, heard, outcomes


def lines(*events: dict[str, object]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def test_flags_packages_and_arguments_of_the_binary_are_told_apart() -> None:
    program = GoTest(
        ["go", "test", "-run", "X", "-tags=a", "-v", "./a", "-count", "1", "./b", "-args", "-w", "./c"], "/"
    )

    listing, batch = program.listing("/r"), program.batch(["m/a"], "/r")

    assert isinstance(listing, Command)
    assert list(listing.argv)[5:] == ["-tags=a", "./a", "./b"]
    assert batch.command.argv == (
        ["go", "test", "-json", "-p=1", "-run", "X", "-tags=a", "-count", "1", "m/a", "-args", "-w", "./c"]
    )


@pytest.mark.parametrize("word", ["-c", "-fuzz=F", "-exec=x"])
def test_modes_that_cannot_be_distributed_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match="--runner command"):
        GoTest(["go", "test", word], "/")


def test_packages_that_cannot_be_listed_are_an_error_of_the_suite() -> None:
    found = GoTest(["go", "test"], "/").listed(Output(1, "", "go: no go.mod here\n", ""))

    assert [error.message for error in found.errors] == ["go: no go.mod here"]


def test_tests_and_subtests_are_cases_of_their_package() -> None:
    text = lines(
        {"Action": "start", "Package": "m/a"},
        {"Action": "run", "Package": "m/a", "Test": "TestA"},
        {"Action": "output", "Package": "m/a", "Test": "TestA", "Output": "=== RUN   TestA\n"},
        {"Action": "run", "Package": "m/a", "Test": "TestA/sub"},
        {"Action": "output", "Package": "m/a", "Test": "TestA/sub", "Output": "    a_test.go:4: bad 2\n"},
        {"Action": "fail", "Package": "m/a", "Test": "TestA/sub", "Elapsed": 0.25},
        {"Action": "fail", "Package": "m/a", "Test": "TestA", "Elapsed": 0.5},
        {"Action": "run", "Package": "m/a", "Test": "TestB"},
        {"Action": "output", "Package": "m/a", "Test": "TestB", "Output": "    a_test.go:5: no network\n"},
        {"Action": "skip", "Package": "m/a", "Test": "TestB", "Elapsed": 0},
        {"Action": "output", "Package": "m/a", "Output": "FAIL\n"},
        {"Action": "fail", "Package": "m/a", "Elapsed": 0.6},
    )

    events = heard(GoTest(["go", "test"], "/").batch(["m/a"], "/r").reader, text, code=1)

    failed = {"m/a": "failed", "m/a::TestA": "failed", "m/a::TestA/sub": "failed"}
    assert outcomes(events) == failed | {"m/a::TestB": "skipped"}
    assert (ended(events, "m/a::TestA/sub").message, ended(events, "m/a::TestA/sub").seconds) == (
        "a_test.go:4: bad 2",
        0.25,
    )
    assert ended(events, "m/a::TestB").message == "a_test.go:5: no network"
    assert ended(events, "m/a").message == "2 tests failed"


def test_a_build_that_fails_is_an_error_of_its_package_with_the_compilers_words() -> None:
    text = lines(
        {"ImportPath": "m/b [m/b.test]", "Action": "build-output", "Output": "# m/b\n"},
        {"ImportPath": "m/b [m/b.test]", "Action": "build-output", "Output": "b_test.go:3: undefined: x\n"},
        {"ImportPath": "m/b [m/b.test]", "Action": "build-fail"},
        {"Action": "start", "Package": "m/b"},
        {"Action": "output", "Package": "m/b", "Output": "FAIL\tm/b [build failed]\n"},
        {"Action": "fail", "Package": "m/b", "Elapsed": 0, "FailedBuild": "m/b [m/b.test]"},
    )

    events = heard(GoTest(["go", "test"], "/").batch(["m/b"], "/r").reader, text, code=1)

    assert outcomes(events) == {"m/b": "error"}
    assert ended(events, "m/b").message == "b_test.go:3: undefined: x"


def test_a_test_that_ends_the_process_is_named() -> None:
    text = lines(
        {"Action": "start", "Package": "m/c"},
        {"Action": "run", "Package": "m/c", "Test": "TestExits"},
        {"Action": "fail", "Package": "m/c", "Elapsed": 0.1},
    )

    events = heard(GoTest(["go", "test"], "/").batch(["m/c"], "/r").reader, text, code=1)

    assert outcomes(events) == {"m/c::TestExits": "crashed", "m/c": "failed"}
    assert "not executed" in ended(events, "m/c").message

"""Commands whose cases show in their output: TAP and libtest."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.worker.shim.programs.libtest import Libtest
from crossfleet.worker.shim.programs.program import Event
from crossfleet.worker.shim.programs.tap import Tap
from services.worker.tests.programs.reading import ended, heard, outcomes

TAP = """TAP version 13
1..6
ok 1 - works
not ok 2 - does not
  ---
  message: 'got 3'
  ...
# and a word
ok 3 - no network # SKIP offline
not ok 4 - later # TODO not written
ok 5
ok 6 - works
    ok 1 - a subtest is no case of its own
"""
CARGO = """   Compiling cr v0.1.0
     Running unittests src/lib.rs (target/debug/deps/cr-1f)

running 4 tests
test tests::adds ... ok
test tests::slow ... ignored, takes long
test tests::panics - should panic ... ok
test tests::fails ... FAILED

failures:

---- tests::fails stdout ----
before

thread 'tests::fails' panicked at src/lib.rs:9:46:
assertion failed: sums


failures:
    tests::fails

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s

     Running tests/it.rs (target/debug/deps/it-2e)

running 1 test
test adds ... ok <0.250s>

test result: ok. 1 passed; 0 failed
   Doc-tests cr
test src/lib.rs - add (line 2) ... ok
"""


def tap(text: str, code: int = 0, cuts: list[int] | None = None) -> list[Event]:
    return heard(Tap(["prove"], "/").batch(["prove"], "/r").reader, text, code=code, cuts=cuts or ())


@given(st.lists(st.integers(0, 1000), max_size=8))
def test_tap_is_read_however_it_is_cut(cuts: list[int]) -> None:
    events = tap(TAP, code=1, cuts=cuts)

    assert outcomes(events) == {
        "works": "passed",
        "does not": "failed",
        "no network": "skipped",
        "later": "xfailed",
        "test 5": "passed",
        "works#2": "passed",
        "prove": "failed",
    }
    assert ended(events, "does not").message == "message: 'got 3'"
    assert "# and a word" in ended(events, "does not").details
    assert ended(events, "no network").message == "offline"


def test_tap_that_lacks_a_planned_case_fails_the_command_though_it_exits_with_0() -> None:
    assert outcomes(tap("1..2\nok 1 - a\n"))["prove"] == "failed"
    assert outcomes(tap("1..1\nok 1 - a\n"))["prove"] == "passed"
    assert "Bail out! no disk" in ended(tap("1..0\nBail out! no disk\n"), "prove").message
    assert "printed no TAP" in ended(tap("hello\n"), "prove").message


def test_a_command_that_a_signal_ended_has_no_verdict_of_the_reader() -> None:
    assert outcomes(tap("ok 1 - a\n", code=-9)) == {"a": "passed"}


def libtest(text: str, code: int) -> list[Event]:
    return heard(Libtest(["cargo", "test"], "/").batch(["cargo test"], "/r").reader, text, code=code)


def test_the_text_of_libtest_names_cases_by_their_binary() -> None:
    events = libtest(CARGO, 101)

    assert outcomes(events) == {
        "src/lib.rs::tests::adds": "passed",
        "src/lib.rs::tests::slow": "skipped",
        "src/lib.rs::tests::panics": "passed",
        "src/lib.rs::tests::fails": "failed",
        "tests/it.rs::adds": "passed",
        "doc-tests cr::src/lib.rs - add (line 2)": "passed",
        "cargo test": "failed",
    }
    assert ended(events, "src/lib.rs::tests::fails").message == "assertion failed: sums"
    assert ended(events, "src/lib.rs::tests::slow").message == "takes long"
    assert ended(events, "tests/it.rs::adds").seconds == 0.25


def test_what_tests_print_between_their_name_and_verdict_is_passed_over() -> None:
    assert outcomes(libtest("test a ... said\nmore\nok\ntest b ... FAILED\n", 101)) == {
        "a": "passed",
        "b": "failed",
        "cargo test": "failed",
    }


def test_the_json_of_libtest_is_read_where_it_is_printed() -> None:
    said = [
        {"type": "suite", "event": "started", "test_count": 3},
        {"type": "test", "event": "started", "name": "a"},
        {"type": "test", "event": "ok", "name": "a", "exec_time": 0.5},
        {"type": "test", "event": "failed", "name": "b", "stdout": "thread 'b' panicked at x:\nwhy\n"},
        {"type": "test", "event": "ignored", "name": "c", "message": "slow"},
    ]

    events = libtest("".join(json.dumps(line) + "\n" for line in said), 101)

    assert outcomes(events) == {"a": "passed", "b": "failed", "c": "skipped", "cargo test": "failed"}
    assert (ended(events, "b").message, ended(events, "a").seconds) == ("why", 0.5)


def test_a_build_that_fails_shows_the_end_of_what_was_said() -> None:
    events = libtest("error[E0425]: cannot find value\n", 101)

    assert outcomes(events) == {"cargo test": "failed"}
    assert "E0425" in ended(events, "cargo test").sections[0][1]

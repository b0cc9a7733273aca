from __future__ import annotations

import pytest

from crossfleet.cli.reproduction.sameness import Observed, Recorded, Report, same

FAILED = Recorded("failed", "AssertionError: assert 5 == 0", "...\n\ntest_a.py:6: AssertionError")


def failed(message, when="call", details=""):
    return Observed("failed", [Report(when, message, details)])


@pytest.mark.parametrize(
    "observed",
    [
        failed("AssertionError: assert 5 == 0"),
        failed("AssertionError: assert 1 == 0"),
        failed("AssertionError: quite another text", details="x\ntest_a.py:6: AssertionError"),
        Observed("failed", [Report("call", "AssertionError: assert 5 == 0"), Report("teardown", "OSError: gone")]),
    ],
)
def test_a_failure_is_the_same_by_its_line_or_its_place_numbers_aside(observed):
    assert same(FAILED, observed)


@pytest.mark.parametrize(
    "observed",
    [
        failed("ValueError: other"),
        failed("AssertionError: assert 5 == 0", when="setup"),
        failed("x", details="test_a.py:7: AssertionError"),
        failed("x", details="test_a.py:6: ValueError"),
        Observed("passed"),
        Observed("crashed", signal=11, message="the process was killed by SIGSEGV"),
        Observed("not_run"),
    ],
)
def test_another_failure_is_not_the_same(observed):
    assert not same(FAILED, observed)


def test_an_error_is_one_of_set_up_or_tear_down():
    assert same(Recorded("error", "ValueError: no"), failed("ValueError: no", "teardown"))
    assert not same(Recorded("error", "ValueError: no"), failed("ValueError: no"))


def test_a_failed_subtest_is_known_by_its_message_behind_its_description():
    assert same(Recorded("failed", "[custom] (i=1) assert 1 == 2"), failed("assert 1 == 2"))


def test_a_crash_is_the_same_by_signal_or_by_status():
    killed = Recorded("crashed", "the process was killed by SIGSEGV", signal=11)
    assert same(killed, Observed("crashed", signal=11, message="other words"))
    assert not same(killed, Observed("crashed", signal=9))
    left = Recorded("crashed", "the process exited with status 3")
    assert same(left, Observed("crashed", message="the process exited with status 3"))
    assert not same(left, Observed("crashed", message="the process exited with status 1"))


def test_a_time_limit_is_a_time_limit():
    assert same(Recorded("timed_out", "exceeded the time limit of 5 s"), Observed("timed_out"))
    assert not same(Recorded("timed_out", "exceeded the time limit of 5 s"), Observed("not_run"))

"""What options of `run`, and of pytest, say of how cases are executed."""

from __future__ import annotations

import pytest

from crossfleet.api.types.v1 import suite_pb2
from crossfleet.cli.exits import UsageError
from crossfleet.cli.running.command import recognise
from crossfleet.cli.running.options import parse
from crossfleet.cli.running.spec import policy_of


def test_keep_going_wins_over_pytests_own_limit() -> None:
    assert parse(["--keep-going", "--", "pytest", "-x"]).max_failures == 0


def test_options_for_reruns_win_over_pytests_own_and_both_become_one_rule() -> None:
    words = [
        "--reruns",
        "1",
        "--fail-on-flaky",
        "--",
        "pytest",
        "--reruns=3",
        "--reruns-delay",
        "2",
        "--only-rerun",
        "OS",
        "-q",
    ]
    options = parse(words)
    command = recognise(options.command)

    assert command.arguments == ("-q",)
    policy = policy_of(command, options)
    assert (policy.max_reruns, policy.rerun_rule.delay.seconds, list(policy.rerun_rule.only)) == (1, 2, ["OS"])
    assert policy.rerun_rule.fail_on_flaky
    assert policy_of(recognise(["pytest"]), parse(["--", "pytest"])).max_reruns == 0


def test_no_reruns_on_the_command_line_win_over_pytests_own() -> None:
    options = parse(["--reruns", "0", "--", "pytest", "--reruns=3"])
    assert policy_of(recognise(options.command), options).max_reruns == 0


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["pytest", "--reruns"], "needs a value"),
        (["pytest", "--reruns=many"], "0 to 100"),
        (["pytest", "--reruns-delay=2h"], "at most an hour"),
        (["pytest", "--rerun-except", "x"], "--only-rerun"),
    ],
)
def test_reruns_that_cannot_be_are_refused_with_a_hint(words: list[str], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        recognise(words)


def test_a_limit_of_cases_is_a_time_or_learnt() -> None:
    def policy(*words: str) -> suite_pb2.Policy:
        return policy_of(recognise(["pytest"]), parse([*words, "--", "pytest"]))

    assert policy("--case-timeout", "2m").case_timeout.seconds == 120
    assert not policy("--case-timeout", "2m").learnt_case_timeout
    assert policy("--case-timeout", "auto").learnt_case_timeout
    assert not policy("--case-timeout", "auto").HasField("case_timeout")
    with pytest.raises(SystemExit):
        policy("--case-timeout", "automatic")


@pytest.mark.parametrize(
    ("words", "percent"), [((), 0), (("--speculate",), 5), (("--speculate=20%",), 20), (("--speculate", "0"), 0)]
)
def test_second_executions_are_asked_for_with_a_bound(words: tuple[str, ...], percent: int) -> None:
    assert policy_of(recognise(["pytest"]), parse([*words, "--", "pytest"])).speculate_percent == percent


def test_a_bound_of_second_executions_is_a_percentage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--speculate=many", "--", "pytest"])
    assert "'many' is no percentage: give a whole number from 0 to 100" in capsys.readouterr().err

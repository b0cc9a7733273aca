from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.durations.file import LONGEST_SECONDS, NoDurations, parse, read, render, write
from crossfleet.cli.durations.measured import measured, steadied
from crossfleet.cli.exits import UsageError
from crossfleet.cli.running import options as command_line
from crossfleet.cli.running.sharding import Sharding, shard_of

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
SECONDS = st.floats(0.001, LONGEST_SECONDS)


def sharding(*words: str) -> Sharding:
    return Sharding.of(command_line.parse([*words, "--", "pytest"]))


@given(st.dictionaries(IDS, SECONDS))
def test_what_is_written_is_read_again_to_three_digits(seconds: dict[str, float]) -> None:
    found, wrong = parse(render(seconds))

    assert wrong == 0
    assert found.keys() == seconds.keys()
    assert all(math.isclose(found[case_id], seconds[case_id], rel_tol=0.006) for case_id in seconds)


@given(st.dictionaries(IDS, SECONDS, min_size=1, max_size=20), st.data())
def test_a_changed_case_changes_its_own_line_only(seconds: dict[str, float], data: st.DataObject) -> None:
    case_id = data.draw(st.sampled_from(sorted(seconds)))
    before = render(seconds).splitlines()
    after = render({**seconds, case_id: seconds[case_id] / 2}).splitlines()

    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_json_a_file_holds_only_durations_come_out(content: object) -> None:
    try:
        found, _ = parse(json.dumps(content))
    except NoDurations:
        return
    assert all(case_id and 0 < seconds <= LONGEST_SECONDS for case_id, seconds in found.items())


def test_corrupt_entries_are_counted_and_left_out() -> None:
    found, wrong = parse(
        '{"version": 1, "cases": {"a": 1.5, "b": NaN, "c": -1, "d": "2", "e": null, "f": true, "g": 1e99, "": 2, "h": 0}}'
    )

    assert found == {"a": 1.5}
    assert wrong == 8


@pytest.mark.parametrize("content", ['{"t.py::a": 0.5, "t.py::b": 2}', '[["t.py::a", 0.5], ["t.py::b", 2]]'])
def test_files_of_pytest_split_are_read(content: str) -> None:
    assert parse(content) == ({"t.py::a": 0.5, "t.py::b": 2.0}, 0)


@pytest.mark.parametrize(
    "content",
    ["", '{"version": 1, "cas', "[1, 2]", '"x"', '{"name": "web", "version": 3}', '{"version": 9, "cases": {}}'],
)
def test_what_is_no_durations_file_is_told_from_one(content: str) -> None:
    with pytest.raises(NoDurations):
        parse(content)


def test_a_file_is_replaced_as_a_whole_and_a_link_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    write(real, {"a": 1.0})
    link.symlink_to(real)

    write(link, {"a": 2.0})

    assert link.is_symlink()
    assert read(real) == ({"a": 2.0}, 0)
    assert sorted(os.listdir(tmp_path)) == ["link.json", "real.json"]


def test_noise_changes_nothing_and_what_became_slow_does() -> None:
    before = {"fast": 0.001, "same": 1.0, "slower": 1.0, "gone": 3.0}

    assert steadied(before, {"fast": 0.009, "same": 1.2, "slower": 1.5, "new": 2.0}) == {
        "fast": 0.001,
        "same": 1.0,
        "slower": 1.5,
        "new": 2.0,
    }


def test_only_cases_that_ran_to_their_end_are_measured_and_the_slowest_target_counts() -> None:
    def case(name: str, target: str, outcome: result_pb2.Outcome.ValueType, seconds: float) -> result_pb2.CaseRecord:
        return result_pb2.CaseRecord(case_id=name, target=target, outcome=outcome, seconds=seconds)

    found = measured(
        [
            case("a", "x", result_pb2.OUTCOME_PASSED, 1.0),
            case("a", "y", result_pb2.OUTCOME_FAILED, 2.0),
            case("crashed", "x", result_pb2.OUTCOME_CRASHED, 3.0),
            case("hung", "x", result_pb2.OUTCOME_TIMED_OUT, 60.0),
            case("skipped", "x", result_pb2.OUTCOME_SKIPPED, 0.1),
        ]
    )

    assert found == {"a": 2.0, "skipped": 0.1}


@pytest.mark.parametrize(("word", "expected"), [("1/1", (1, 1)), ("3/10", (3, 10)), ("10/10", (10, 10))])
def test_a_shard_is_an_index_from_one_and_a_count(word: str, expected: tuple[int, int]) -> None:
    assert shard_of(word, {}) == expected


@pytest.mark.parametrize("word", ["0/3", "4/3", "1/0", "3", "a/b", "-1/3", "1/3/5", "1.5/3", "1/99999", "Auto", "١/٣"])
def test_a_wrong_shard_is_refused_with_what_to_write(word: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        shard_of(word, {})


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CI_NODE_INDEX": "2", "CI_NODE_TOTAL": "5"}, (2, 5)),
        ({"CI_NODE_TOTAL": "1"}, (1, 1)),  # GitLab, a job that is not parallel
        ({"CIRCLE_NODE_INDEX": "0", "CIRCLE_NODE_TOTAL": "4"}, (1, 4)),
        ({"BUILDKITE_PARALLEL_JOB": "3", "BUILDKITE_PARALLEL_JOB_COUNT": "4"}, (4, 4)),
        ({"SYSTEM_JOBPOSITIONINPHASE": "1", "SYSTEM_TOTALJOBSINPHASE": "2"}, (1, 2)),
        ({"CROSSFLEET_SHARD": "3/7", "CI_NODE_INDEX": "2", "CI_NODE_TOTAL": "5"}, (3, 7)),
    ],
)
def test_auto_reads_what_the_ci_says(environment: dict[str, str], expected: tuple[int, int]) -> None:
    assert shard_of("auto", environment) == expected


@pytest.mark.parametrize(
    "environment",
    [{}, {"CI_NODE_INDEX": "x", "CI_NODE_TOTAL": "5"}, {"CROSSFLEET_SHARD": "9/3"}, {"CI_NODE_TOTAL": "5"}],
)
def test_auto_without_a_ci_says_what_to_set(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"CROSSFLEET_SHARD|CI_NODE_INDEX"):
        shard_of("auto", environment)


def test_a_file_that_is_not_there_yet_or_torn_is_noted_and_the_run_goes_on(tmp_path: Path) -> None:
    torn = tmp_path / "torn.json"
    torn.write_text('{"version": 1, "cases": {"a": 1')

    missing = sharding("--shard", "1/2", "--json", "-", "--durations", str(tmp_path / "none.json"))
    broken = sharding("--shard", "1/2", "--json", "-", "--durations", str(torn))

    assert (missing.seconds, broken.seconds) == ({}, {})
    assert "not there yet" in missing.notes[0]
    assert "no JSON" in broken.notes[0]


def test_a_shard_whose_report_nobody_keeps_is_noted() -> None:
    assert "nothing for `crossfleet merge` to join" in sharding("--shard", "1/2").notes[0]
    assert sharding("--shard", "1/1").notes == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--update-durations",), "--durations FILE"),
        (("--durations", "d.json", "--update-durations", "--shard", "1/2"), "crossfleet merge"),
        (("--durations", "10"), "pytest's own"),
        (("--durations", "{here}"), "is a folder"),
        (("--durations", "{notes}", "--update-durations"), "not written over"),
    ],
)
def test_mistakes_with_durations_are_refused_with_the_mend(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("# not durations")

    with pytest.raises(UsageError, match=said):
        sharding(*(word.format(here=tmp_path, notes=notes) for word in words))

    assert notes.read_text() == "# not durations"

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.main import main
from crossfleet.cli.merging import parts
from crossfleet.cli.reporting import documents, reading
from crossfleet.cli.reporting.reading import read_report
from crossfleet.cli.running.results import RunResults

PASSED, FAILED, ERROR = result_pb2.OUTCOME_PASSED, result_pb2.OUTCOME_FAILED, result_pb2.OUTCOME_ERROR
COLLECTION, CUT = "a" * 32, "b" * 32


class Shard:
    """What a machine would have written; every keyword is one way to be wrong."""

    def __init__(self, index: int, count: int = 2, **more: Any) -> None:
        self.index, self.count = index, count
        self.cases: dict[str, Any] = more.get("cases", {f"t/test_{index}.py::test_{n}": PASSED for n in range(3)})
        self.cut: str = more.get("cut", COLLECTION + CUT)
        self.durations: str = more.get("durations", "")
        self.targets: tuple[str, ...] = more.get("targets", ("default",))
        self.verdict = more.get("verdict", run_pb2.RUN_VERDICT_PASSED)
        self.ending = more.get("ending", 0)
        self.commit = more.get("commit", "c0ffee")

    def results(self) -> RunResults:
        run = run_pb2.Run(run_id=f"run-{self.index}", verdict=self.verdict, state=run_pb2.RUN_STATE_FINISHED)
        run.spec.suite.name = "web"
        run.spec.suite.variables["SECRET"] = "***"
        run.spec.labels["branch"] = "main"
        run.spec.workspace.commit = self.commit
        run.spec.policy.shard.index, run.spec.policy.shard.count = self.index, self.count
        run.spec.policy.shard.durations_digest = self.durations
        run.spec.policy.case_timeout.FromSeconds(90)
        run.created_at.FromJsonString(f"2026-11-25T20:0{self.index}:00.250Z")
        run.finished_at.FromJsonString(f"2026-11-25T20:0{self.index}:{10 + self.index}.250Z")
        cases: list[result_pb2.CaseRecord] = []
        details: dict[tuple[str, int, str], result_pb2.CaseResult] = {}
        for target in self.targets:
            digest = f"{self.cut}-{self.index}" if self.cut else ""
            run.targets.add(name=target, collection_digest=digest, ending=self.ending, deselected=4)
            for case_id, outcome in self.cases.items():
                case = result_pb2.CaseRecord(
                    target=target, case_index=len(cases), case_id=case_id, outcome=outcome, seconds=0.25 * self.index
                )
                cases.append(case)
                if outcome != PASSED:
                    case.message = "one is not two"
                    section = result_pb2.OutputSection(title="Captured stdout call", content=b"printed \xff")
                    details[target, case.case_index, case_id] = result_pb2.CaseResult(
                        details=b"Traceback: one is not two", sections=[section], properties={"owner": "me"}
                    )
        return RunResults(run, tuple(cases), details)

    def write(self, folder: Path, name: str = "") -> str:
        path = folder / (name or f"shard-{self.index}.json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(documents.write(documents.run_document(self.results())))
        return str(path)


def merge(*words: str) -> int:
    return main(["merge", "--color", "never", *words])


def test_a_report_that_is_read_again_says_the_same(tmp_path: Path) -> None:
    whole = Shard(1, cases={"a.py::x": PASSED, "a.py::y": FAILED}, targets=("old", "new")).results()
    path = tmp_path / "r.json"
    path.write_text(documents.write(documents.run_document(whole)))

    again = read_report(path)

    written, read = documents.run_document(whole), documents.run_document(again)
    assert written["run"]["spec"]["suite"].pop("variables") == ["SECRET"]  # hidden, so it cannot come back
    read["run"]["spec"]["suite"].pop("variables")
    assert read == written


def test_shards_become_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = Shard(2, cases={"t/test_b.py::x": PASSED, "t/test_b.py::y": FAILED}, verdict=run_pb2.RUN_VERDICT_FAILED)
    parts = [bad.write(tmp_path), Shard(1).write(tmp_path)]

    status = merge(*parts, "--json", f"{tmp_path}/all.json", "--junit", f"{tmp_path}/all.xml", "-q")

    said = capsys.readouterr().out
    report = json.loads((tmp_path / "all.json").read_text())
    assert status == 1
    assert "FAILED t/test_b.py::y - one is not two" in said
    assert "FAILED in 12 s: 5 cases, 4 passed, 1 failed" in said
    assert [case["id"] for case in report["cases"]][-1] == "t/test_b.py::y"
    assert report["run"]["counts"]["total"] == report["run"]["targets"][0]["counts"]["total"] == 5
    assert report["run"]["targets"][0]["deselected"] == 4
    assert "shard" not in report["run"]["spec"]["policy"]
    (suite,) = ET.parse(tmp_path / "all.xml").getroot().iter("testsuite")
    assert [suite.get(key) for key in ("name", "tests", "failures")] == ["web", "5", "1"]
    assert "printed" in str(next(suite.iter("system-out")).text)


def test_every_outcome_can_be_merged_and_what_failed_before_a_rerun_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every = {f"t/a.py::{name}": number for name, number in result_pb2.Outcome.items()}
    results = Shard(1, cases=every).results()
    flaky = next(case for case in results.cases if case.outcome == result_pb2.OUTCOME_FLAKY)
    flaky.earlier.add(outcome=FAILED, seconds=0.5, message="first", worker_id="w", slot=1, details=b"Traceback")
    (tmp_path / "one.json").write_text(documents.write(documents.run_document(results)))

    merge(str(tmp_path / "one.json"), Shard(2).write(tmp_path), "--json", str(tmp_path / "all.json"))

    report = json.loads((tmp_path / "all.json").read_text())
    assert {case["outcome"] for case in report["cases"]} == {
        name.removeprefix("OUTCOME_").lower() for name, _ in result_pb2.Outcome.items()
    }
    assert report["run"]["counts"]["flaky"] == 1
    (again,) = [case for case in report["cases"] if case["outcome"] == "flaky"]
    assert [(one["message"], one["details"]) for one in again["earlier"]] == [("first", "Traceback")]
    assert "(run 2 times: slot 1 of w" in capsys.readouterr().out


def test_a_folder_may_stand_for_its_parts_and_other_files_in_it_are_left_alone(tmp_path: Path) -> None:
    Shard(1).write(tmp_path, "one/report.json")
    Shard(2).write(tmp_path, "two/report.json")
    (tmp_path / "one" / "durations.json").write_text('{"version": 1, "cases": {"a": 1.0}}')
    (tmp_path / "two" / "other.json").write_text('{"schema": "of another tool"}')
    (tmp_path / "two" / "log.txt").write_text("log")

    assert merge(str(tmp_path)) == 0


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (Shard(1), Shard(2, 3), "different numbers: of 2 and of 3"),
        (Shard(1), Shard(2, targets=("gpu",)), "other targets: default and gpu"),
        (Shard(1), Shard(2, commit="abc"), "different commits: c0ffee and abc"),
        (Shard(1), Shard(2, cut="d" * 32 + CUT), "they collected other cases"),
        (Shard(1), Shard(2, cut=COLLECTION + "d" * 32, durations="e" * 64), "the durations differ"),
        (Shard(1), Shard(2, cut=COLLECTION + "d" * 32), "one version of crossfleet"),
        (Shard(1), Shard(2, cases={"t/test_1.py::test_0": PASSED}), "is in shard 1 and in shard 2"),
        (Shard(1), Shard(1, cases={"t/test_1.py::test_0": FAILED}), "shard 1 is there twice"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], first: Shard, second: Shard, said: str
) -> None:
    status = merge(first.write(tmp_path, "first.json"), second.write(tmp_path, "second.json"))

    assert status == 2
    assert said in capsys.readouterr().err


def test_a_shard_that_is_missing_is_named_and_never_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [Shard(index, 4).write(tmp_path) for index in (1, 3)]

    assert merge(*parts) == 3
    assert "shards 2, 4 of 4 are missing" in capsys.readouterr().out
    assert merge(*parts, "--allow-missing") == 0
    assert "shards 2, 4 of 4 are missing" in capsys.readouterr().out


def test_the_same_report_twice_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [Shard(1).write(tmp_path), Shard(1).write(tmp_path, "again.json"), Shard(2).write(tmp_path)]

    assert merge(*parts) == 0
    said = capsys.readouterr().out
    assert "taken once" in said
    assert "6 cases, 6 passed" in said


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (run_pb2.RUN_VERDICT_FAILED, 1),
        (run_pb2.RUN_VERDICT_INFRASTRUCTURE, 3),
        (run_pb2.RUN_VERDICT_CANCELLED, 1),
        (run_pb2.RUN_VERDICT_UNSPECIFIED, 1),
    ],
)
def test_a_shard_that_never_came_to_its_cases_is_never_taken_for_passed(
    tmp_path: Path, verdict: run_pb2.RunVerdict.ValueType, status: int
) -> None:
    parts = [Shard(1).write(tmp_path), Shard(2, cut="", cases={}, verdict=verdict).write(tmp_path)]

    assert merge(*parts) == status


def test_an_error_of_collection_that_every_shard_shows_counts_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken: dict[str, Any] = {
        "cases": {"t/broken.py": ERROR},
        "ending": result_pb2.SUITE_ENDING_COLLECTION_ERRORS,
        "verdict": run_pb2.RUN_VERDICT_FAILED,
    }

    assert merge(*(Shard(index, **broken).write(tmp_path) for index in (1, 2))) == 1
    assert "1 case, 1 error" in capsys.readouterr().out


def test_a_shard_that_could_not_collect_does_not_hide_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = Shard(
        2,
        cases={"t/broken.py": ERROR},
        cut="0" * 64,
        ending=result_pb2.SUITE_ENDING_COLLECTION_ERRORS,
        verdict=run_pb2.RUN_VERDICT_FAILED,
    )

    assert merge(Shard(1).write(tmp_path), broken.write(tmp_path)) == 1
    assert "ERROR t/broken.py" in capsys.readouterr().out


def test_a_suite_without_tests_ends_as_pytest_would(tmp_path: Path) -> None:
    empty: dict[str, Any] = {"cases": {}, "ending": result_pb2.SUITE_ENDING_NO_CASES}

    assert merge(*(Shard(index, **empty).write(tmp_path) for index in (1, 2))) == 5


def test_durations_of_a_whole_suite_are_exactly_its_cases(tmp_path: Path) -> None:
    parts = [Shard(1).write(tmp_path), Shard(2).write(tmp_path)]
    file = tmp_path / "durations.json"
    file.write_text('{"version": 1, "cases": {"t/gone.py::x": 9.0, "t/test_1.py::test_0": 0.24}}')

    assert merge(parts[0], "--allow-missing", "--durations", str(file)) == 0
    kept = json.loads(file.read_text())["cases"]
    assert merge(*parts, "--durations", str(file)) == 0
    whole = json.loads(file.read_text())["cases"]

    assert kept["t/gone.py::x"] == 9.0
    assert len(whole) == 6
    assert (whole["t/test_1.py::test_0"], whole["t/test_2.py::test_0"]) == (0.24, 0.5)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"schema": 1, "run": {"run_id"', "no whole JSON report"),
        ("[]", "is no report of a run"),
        ('{"schema": 99, "run": {}, "cases": []}', "schema 99"),
        ('{"schema": 1, "run": {"verdict": "new"}, "cases": []}', "another version"),
        ('{"schema": 1, "run": {}, "cases": [{"id": 1}]}', "another version"),
        ('{"schema": 1, "run": {}, "cases": []}', "of a whole run"),
    ],
)
def test_what_is_no_report_of_a_shard_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(content)

    assert merge(Shard(1).write(tmp_path), str(wrong)) == 2
    error = capsys.readouterr().err
    assert str(wrong) in error
    assert said in error


def test_a_part_that_does_not_exist_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert merge(str(tmp_path / "none")) == 2
    assert "no such file" in capsys.readouterr().err
    assert merge(str(tmp_path)) == 2
    assert "no report of a shard" in capsys.readouterr().err


def test_an_outcome_of_a_later_version_is_kept_and_no_report_takes_it_for_passed(tmp_path: Path) -> None:
    junit, whole = tmp_path / "all.xml", tmp_path / "all.json"
    cases = {"t/test_1.py::test_new": 4711, "t/test_1.py::test_a": PASSED}
    shards = [Shard(1, cases=cases).write(tmp_path), Shard(2).write(tmp_path)]

    assert merge(*shards, "--junit", str(junit), "--json", str(whole)) == 0, "the verdict is the run's"
    (case,) = [case for case in ET.parse(junit).iter("testcase") if case.get("name") == "test_new"]
    assert case.find("error") is not None
    again = {case.case_id: case.outcome for case in read_report(whole).cases}
    assert again["t/test_1.py::test_new"] == 4711


def test_what_cannot_be_a_report_is_not_read_for_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_MOST_BYTES", 1 << 20)
    assert merge("/dev/zero") == 2
    assert "/dev/zero: has more than 1 MiB" in capsys.readouterr().err
    monkeypatch.setattr(parts, "_MOST_FILES", 5)
    for number in range(6):
        (tmp_path / f"{number}.txt").touch()
    assert merge(str(tmp_path)) == 2
    assert "name the folder of the reports alone" in capsys.readouterr().err

"""Targets with alternatives, near and apart from others, and selectors about run and history, as a user types them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.end_to_end.standing import PYTEST, Standing, crossfleet, outcomes, up

LEFT, NOWHERE = 'worker.labels["side"] == "left"', 'worker.labels["side"] == "up"'


@pytest.fixture
def suite(project: Path) -> Path:
    (project / "test_side.py").write_text(
        "import os\ndef test_left(): assert os.environ['CROSSFLEET_WORKER'] == 'left'\ndef test_other(): pass\n"
    )
    return project


def test_a_target_runs_on_its_second_alternative_and_every_report_says_so(fleet: Standing, suite: Path) -> None:
    junit = suite / "out.xml"
    alternatives = ("--alternative", f"gpu={NOWHERE} for 10m", "--alternative", f"gpu={LEFT}")
    options = ("--target", "gpu=", *alternatives, "--junit", str(junit))
    done, report = fleet.report(*PYTEST, cwd=suite, options=options)

    assert done.status == 0, done.text
    assert f"gpu: alternative 2 counts from now on: {LEFT}" in done.err
    assert f"target gpu ran on alternative 2 ({LEFT})" in done.out
    (target,) = report["run"]["targets"]
    assert [(one["number"], one["selector"]) for one in target["alternatives"]] == [(2, LEFT)]
    properties = {one.get("name"): one.get("value") for one in ET.parse(junit).iter("property")}
    assert properties["alternative"] == f"alternative 2 ({LEFT})"


def test_an_estimate_names_the_alternative_by_which_a_target_would_begin(fleet: Standing, suite: Path) -> None:
    alternatives = ("--alternative", f"gpu={NOWHERE} for 1h", "--alternative", f"gpu={LEFT}")
    options = ("--target", "gpu=", *alternatives)
    estimated = crossfleet("estimate", "--data", str(fleet.data), *options, "--", *PYTEST, cwd=suite)
    assert "by its alternative 2" in estimated.out, estimated.text
    waiting = crossfleet("estimate", "--data", str(fleet.data), "--wait", *options, "--", *PYTEST, cwd=suite)
    assert "begins in about 60 min" in waiting.out, waiting.text


def test_targets_that_keep_apart_take_turns_on_one_host_and_near_ones_share_it(fleet: Standing, suite: Path) -> None:
    targets = ("--target", "server=", "--target", "client=", "--target", "bench=")
    options = (*targets, "--near", "client=server", "--apart", "bench=server")
    done, report = fleet.report(*PYTEST, "-k", "other", cwd=suite, options=options)

    assert done.status == 0, done.text
    for name in ("server", "client", "bench"):
        assert set(outcomes(report, name).values()) == {"passed"}


def test_a_selector_may_ask_for_labels_of_the_run(fleet: Standing, suite: Path) -> None:
    selector = 'worker.labels["side"] == run.labels.wanted && run.target == "one" && history.failures == 0'
    options = ("--target", f"one={selector}", "--label", "wanted=left")
    done, _ = fleet.report(*PYTEST, cwd=suite, options=options)
    assert done.status == 0, done.text


def test_the_cheaper_of_two_workers_is_taken_and_the_report_says_what_that_cost(suite: Path, tmp_path: Path) -> None:
    workers = ("--worker", "a-dear,cost_per_hour=90", "--worker", "b-cheap,cost_per_hour=36")
    with up(tmp_path / "fleet", *workers, "--slots", "2") as fleet:
        options = ("--prefer-least", "cost_per_hour")
        done, report = fleet.report(*PYTEST, "-n", "1", "-k", "other", cwd=suite, options=options)
    assert done.status == 0, done.text
    assert {case["worker"] for case in report["cases"]} == {"b-cheap"}
    assert 0 < report["run"]["cost"] < 1
    assert "by the label cost_per_hour of its workers" in done.out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--alternative", "gqu=worker.slots > 1"), "there is no target gqu; the targets are gpu, cpu"),
        (("--alternative", "gpu=worker.slots > 1 for 2m"), "nothing follows the last one"),
        (("--alternative", "gpu=worker.slts > 1 for 2m", "--alternative", "gpu="), "did you mean 'slots'?"),
        (("--near", "gpu=cqu"), "there is no target cqu"),
        (("--near", "gpu=cpu", "--near", "cpu=gpu"), "needs go in a circle"),
        (("--apart", "gpu=gpu"), "gpu itself: name other targets"),
        (("--alternative", "gpu=run.projct == 'x'"), "did you mean 'project'?"),
        (("--prefer-least", "cost per hour"), "is no name of a label or attribute"),
    ],
)
def test_mistakes_are_named_with_their_mend(fleet: Standing, suite: Path, options: tuple[str, ...], told: str) -> None:
    done = fleet.run(*PYTEST, cwd=suite, options=("--target", "gpu=", "--target", "cpu=", *options))
    assert done.status == 2, done.text
    assert told in done.text

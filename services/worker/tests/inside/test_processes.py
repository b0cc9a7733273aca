"""Which process of a slot executed a case: what makes an order of cases repeatable."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.worker.tests.shim.driver import Shim, suite

CRASHING = """
    import os
    def test_0(): ...
    def test_1(): ...
    def test_dies():
        os._exit(3)
    def test_3(): ...
    def test_4(): ...
    """


def placed(results: list[dict]) -> list[tuple[int, int, int]]:
    return [(result["case"], result["process"], result["position"]) for result in results]


def test_a_result_names_the_process_that_executed_it_and_its_place_there(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=CRASHING))
    results, _ = shim.finish(0, 1, [1, 0, 2, 3, 4])
    assert placed(results) == [(1, 1, 1), (0, 1, 2), (2, 1, 3)]
    results, _ = shim.finish(0, 2, [3, 4])
    assert placed(results) == [(3, 2, 1), (4, 2, 2)]


def test_one_process_goes_on_over_attempts(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=CRASHING))
    shim.run(0, 1, [0, 1], last=False)
    shim.run(0, 2, [3, 4], last=True)
    shim.op("finished", attempt=2)
    assert placed([*shim.all("result", attempt=1), *shim.all("result", attempt=2)]) == [
        (0, 1, 1),
        (1, 1, 2),
        (3, 1, 3),
        (4, 1, 4),
    ]


def test_the_collection_says_what_executes_it(shim: Shim, tmp_path: Path) -> None:
    collected = shim.open(suite(tmp_path, test_a=CRASHING), env={"PYTHONHASHSEED": "7"})
    runner = collected["runner"]
    assert runner["seeds"] == {"PYTHONHASHSEED": "7"}
    assert len(runner["environment_digest"]) == 64
    assert runner["pytest"].split(".")[0].isdigit()
    assert runner["python"].startswith("CPython")
    assert Path(runner["executable"]).exists()


@pytest.mark.parametrize("words", [["--fleet"], ["--fleet", "--fleet-slots=2"]])
def test_a_suite_may_ask_for_a_fleet_where_it_is_one_already(shim: Shim, tmp_path: Path, words: list[str]) -> None:
    folder = suite(tmp_path, test_a=CRASHING)
    (folder / "pytest.ini").write_text(f"[pytest]\naddopts = {' '.join(words)}\n")
    shim.open(folder)
    results, _ = shim.finish(0, 1, [0])
    assert [result["outcome"] for result in results] == ["passed"]

"""What is collected, and what happens when it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfleet.api.types.v1 import result_pb2
from crossfleet.worker.translate.upward import allocation_ended
from services.worker.tests.shim.driver import PYTHON, Shim, suite

TWO = """
    import pytest
    @pytest.mark.slow
    def test_slow(): ...
    def test_fast(): ...
    class TestGroup:
        class TestInner:
            def test_deep(self): ...
    """


def test_cases_have_groups_lines_and_a_digest_that_is_the_same_twice(shim: Shim, tmp_path: Path) -> None:
    first = shim.open(suite(tmp_path, test_a=TWO))
    groups = [case["group"] for case in first["cases"]]
    assert groups == [["test_a.py"], ["test_a.py"], ["test_a.py", "TestGroup", "TestInner"]]
    assert [case["lineno"] for case in first["cases"]] == [2, 4, 7]
    shim.send(op="collection", allocation="A")
    again = shim.wait(lambda m: m["op"] == "collected", fresh=True)
    assert again == first
    shim.close()
    shim.begin(tmp_path)
    second = shim.wait(lambda m: m["op"] == "collected", fresh=True)
    assert second["digest"] == first["digest"]


def test_selection_by_k_and_m_and_ids_is_pytests(shim: Shim, tmp_path: Path) -> None:
    suite(tmp_path, test_a=TWO, pytest_ini="[pytest]\nmarkers = slow\n")
    collected = shim.open(tmp_path, "-m", "not slow", "-k", "fast or deep", "test_a.py")
    assert [case["id"] for case in collected["cases"]] == [
        "test_a.py::test_fast",
        "test_a.py::TestGroup::TestInner::test_deep",
    ]
    assert collected["deselected"] == 1


def test_addopts_that_distribute_or_write_reports_or_debug_are_neutralised(shim: Shim, tmp_path: Path) -> None:
    ini = "[pytest]\naddopts = -n 2 --dist loadfile --junitxml=report.xml -x --pdb\n"
    suite(tmp_path, test_a="def test_0(): assert 0\ndef test_1(): ...", pytest_ini=ini)
    collected = shim.open(tmp_path, slots=2, plugins=True)
    assert len(collected["cases"]) == 2
    results, finished = shim.finish(0, 1, [0, 1])
    assert [r["outcome"] for r in results] == ["failed", "passed"]
    assert finished["cause"] == "done"
    assert shim.close()["exit"] == 1
    assert not (tmp_path / "report.xml").exists()


def test_a_collection_error_is_named_and_nothing_can_run(shim: Shim, tmp_path: Path) -> None:
    suite(tmp_path, test_a="import nothing_of_this_name", test_b="def test(): ...")
    collected = shim.open(tmp_path)
    assert [error["id"] for error in collected["errors"]] == ["test_a.py"]
    assert "nothing_of_this_name" in collected["errors"][0]["message"]
    assert (collected["cases"], collected["withheld"]) == ([], 1)
    assert shim.close()["exit"] == 2


def test_with_the_option_the_other_files_run_in_spite_of_the_error(shim: Shim, tmp_path: Path) -> None:
    suite(tmp_path, test_a="import nothing_of_this_name", test_b="def test(): ...")
    collected = shim.open(tmp_path, "--continue-on-collection-errors")
    assert len(collected["errors"]) == len(collected["cases"]) == 1
    results, _ = shim.finish(0, 1, [0])
    assert results[0]["outcome"] == "passed"


@pytest.mark.parametrize(
    ("argument", "exit_status", "word"),
    [("--no-such-option", 4, "unrecognized arguments"), ("missing.py", 4, "file or directory not found")],
)
def test_wrong_usage_fails_with_pytests_words_and_status(
    shim: Shim, tmp_path: Path, argument: str, exit_status: int, word: str
) -> None:
    closed = shim.open(suite(tmp_path, test_a=TWO), argument)
    assert (closed["op"], closed["cause"], closed["exit"]) == ("closed", "failed", exit_status)
    assert word in closed["message"]


def test_no_tests_is_an_empty_collection_and_status_5(shim: Shim, tmp_path: Path) -> None:
    collected = shim.open(suite(tmp_path, test_a=TWO), "-k", "nothing")
    assert collected["cases"] == []
    assert shim.close()["exit"] == 5


def test_an_exit_while_collecting_fails_and_says_so(shim: Shim, tmp_path: Path) -> None:
    hook = "import pytest\ndef pytest_collection_modifyitems(): pytest.exit('not here', returncode=9)"
    closed = shim.open(suite(tmp_path, conftest=hook, test_a=TWO))
    assert (closed["cause"], closed["exit"]) == ("failed", 9)
    assert "not here" in closed["message"]
    assert allocation_ended(closed).ending == result_pb2.SUITE_ENDING_RUNNER_ENDED


def test_a_process_that_dies_while_collecting_is_not_taken_for_a_suite_that_ended(shim: Shim, tmp_path: Path) -> None:
    closed = shim.open(suite(tmp_path, test_a="__import__('os')._exit(9)"))
    assert (closed["cause"], closed["exit"]) == ("failed", 9)
    assert allocation_ended(closed).ending == result_pb2.SUITE_ENDING_UNSPECIFIED


def test_an_interpreter_that_is_not_there_fails_the_allocation(shim: Shim, tmp_path: Path) -> None:
    closed = shim.open(suite(tmp_path, test_a=TWO), python="/nowhere/python")
    assert closed["cause"] == "failed"
    assert "/nowhere/python" in closed["message"]


def test_a_collection_that_hangs_is_ended_with_its_stacks(shim: Shim, tmp_path: Path) -> None:
    suite(tmp_path, test_a="import threading\ndef wait_for_ever(): threading.Event().wait(300)\nwait_for_ever()")
    closed = shim.open(tmp_path, limits={"collect_seconds": 2, "grace_seconds": 0.5})
    assert closed["cause"] == "failed"
    assert "longer than its limit of 2 s" in closed["message"]
    assert "wait_for_ever" in closed["message"]


def test_ids_that_repeat_or_hold_odd_characters_run(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import pytest
        @pytest.mark.parametrize("s", ["a/b::c", "[x]", "", "#2", "ä\\n\\udc80"])
        def test_odd(s): ...
        @pytest.mark.parametrize("s", [1, 2])
        def test_twice(s): ...
        """,
        conftest="""
        def pytest_collection_modifyitems(items):
            items += items[-2:]
        """,
    )
    collected = shim.open(tmp_path)
    ids = [case["id"] for case in collected["cases"]]
    assert len(set(ids)) == len(ids) == 9
    assert ids[-2:] == ["test_a.py::test_twice[1]#2", "test_a.py::test_twice[2]#2"]
    results, _ = shim.finish(0, 1, list(range(9)))
    assert {r["outcome"] for r in results} == {"passed"}


def test_doctests_and_unittest_are_cases(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a='''
        """
        >>> 1 + 1
        2
        """
        import unittest
        class TestU(unittest.TestCase):
            def test_subs(self):
                for n in range(3):
                    with self.subTest(n=n):
                        self.assertNotEqual(n, 1, "one is bad")
            @unittest.skip("why")
            def test_skipped(self): ...
            @unittest.expectedFailure
            def test_expected(self): self.fail()
        ''',
    )
    collected = shim.open(tmp_path, "--doctest-modules")
    ids = [case["id"] for case in collected["cases"]]
    shim.finish(0, 1, list(range(len(ids))))
    assert shim.outcomes(collected) == {
        "test_a.py::test_a": "passed",
        "test_a.py::TestU::test_subs": "failed",
        "test_a.py::TestU::test_skipped": "skipped",
        "test_a.py::TestU::test_expected": "xfailed",
    }
    failed = {ids[result["case"]]: result["details"] for result in shim.all("result", outcome="failed")}
    assert "one is bad" in failed["test_a.py::TestU::test_subs"]


def test_a_failed_subtest_fails_its_case(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import pytest
        def test_subtests(request):
            if "subtests" not in request.fixturenames and int(pytest.__version__.split(".")[0]) < 9:
                assert 0, "k=1 inner fails"
            subtests = request.getfixturevalue("subtests")
            with subtests.test("inner", k=1): assert 0, "inner fails"
            with subtests.test("fine"): ...
        """,
    )
    shim.open(tmp_path)
    results, _ = shim.finish(0, 1, [0])
    assert results[0]["outcome"] == "failed"
    assert "inner fails" in results[0]["details"]
    assert "k=1" in results[0]["details"]


def test_outcomes_of_xfail_are_pytests(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import pytest
        @pytest.mark.xfail
        def test_xpass(): ...
        @pytest.mark.xfail(strict=True)
        def test_strict(): ...
        @pytest.mark.xfail(raises=ValueError)
        def test_other(): raise TypeError
        @pytest.mark.xfail(run=False, reason="dangerous")
        def test_not_run(): ...
        def test_imperative(): pytest.xfail("now")
        @pytest.fixture
        def skips(): pytest.skip("fixture says")
        def test_skipping(skips): ...
        """,
    )
    shim.open(tmp_path)
    results, _ = shim.finish(0, 1, list(range(6)))
    assert [r["outcome"] for r in results] == ["xpassed", "failed", "failed", "xfailed", "xfailed", "skipped"]
    assert results[5]["message"] == "fixture says"
    assert results[0]["durations"][1] >= 0


def test_a_module_that_skips_itself_is_told(shim: Shim, tmp_path: Path) -> None:
    suite(tmp_path, test_a="import pytest\npytest.importorskip('nothing_of_this_name')", test_b="def test(): ...")
    collected = shim.open(tmp_path)
    assert [skip["id"] for skip in collected["skipped"]] == ["test_a.py"]
    assert "nothing_of_this_name" in collected["skipped"][0]["message"]
    assert len(collected["cases"]) == 1


PATHS = """
    import json, sys, pathlib
    def test_path():
        pathlib.Path("path.json").write_text(json.dumps([sys.path, sorted(sys.modules), sys.argv]))
    """


@pytest.mark.parametrize("as_module", [False, True])
def test_sys_path_is_what_pytest_itself_would_give(shim: Shim, tmp_path: Path, as_module: bool) -> None:
    import json

    suite(tmp_path, test_a=PATHS)
    shim.open(tmp_path, "--import-mode=importlib", as_module=as_module)
    shim.finish(0, 1, [0])
    path, modules, argv = json.loads((tmp_path / "path.json").read_text())
    assert path[0] == (str(tmp_path) if as_module else str(Path(PYTHON).parent))
    assert not any("inside" in entry for entry in path)
    assert "slot" not in modules
    assert argv[1:] == ["--import-mode=importlib"]


def test_a_collection_too_large_for_one_message_says_so(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import pytest
        @pytest.mark.parametrize("n", range(36), ids=lambda n: str(n) + "x" * 500_000)
        def test_long(n): ...
        """,
    )
    closed = shim.open(tmp_path)
    assert closed["cause"] == "failed"
    assert "select fewer cases at a time" in closed["message"]


NAMED = """
    import pytest
    @pytest.mark.xdist_group("db")
    class TestDatabase:
        def test_0(self): ...
        @pytest.mark.xdist_group(name="web")
        def test_1(self): ...
    def test_2(): ...
    @pytest.mark.xdist_group
    def test_3(): ...
    """


@pytest.mark.parametrize("plugins", [False, True])
def test_groups_that_a_suite_names_are_told_with_and_without_xdist(shim: Shim, tmp_path: Path, plugins: bool) -> None:
    collected = shim.open(suite(tmp_path, test_a=NAMED), "--strict-markers", plugins=plugins)

    assert [case.get("named_group", "") for case in collected["cases"]] == ["db", "db_web", "", "default"]
    assert collected["cases"][0]["id"] == "test_a.py::TestDatabase::test_0"


def test_another_group_is_another_collection(shim: Shim, tmp_path: Path) -> None:
    first = shim.open(suite(tmp_path, test_a=NAMED))
    shim.close()
    suite(tmp_path, test_a=NAMED.replace('"web"', '"other"'))
    shim.begin(tmp_path)
    second = shim.wait(lambda m: m["op"] == "collected", fresh=True)

    assert [case["id"] for case in first["cases"]] == [case["id"] for case in second["cases"]]
    assert first["digest"] != second["digest"]


def test_what_failed_last_and_what_is_new_is_to_go_first(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a="def test_0(): assert 0\ndef test_1(): ..."), "-p", "cacheprovider")
    shim.finish(0, 1, [0, 1])
    shim.close()
    suite(tmp_path, test_b="def test_new(): ...")

    def first(*arguments: str) -> list[str]:
        shim.begin(tmp_path, *arguments)
        collected = shim.wait(lambda m: m["op"] == "collected", fresh=True)
        shim.send(op="close", allocation="A")
        shim.wait(lambda m: m["op"] == "closed", fresh=True)
        return [case["id"] for case in collected["cases"] if case.get("first")]

    assert first("--nf") == ["test_b.py::test_new"]
    assert first() == []
    assert first("--ff") == ["test_a.py::test_0"]

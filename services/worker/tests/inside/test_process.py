"""The process in which cases run: its environment, its seeds, its folders, and what is done when it cannot be forked."""

from __future__ import annotations

from pathlib import Path

from services.worker.tests.shim.driver import Shim, suite


def test_slots_have_seeds_of_their_own(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        conftest="import random, numpy.random",
        test_a="""
        import random, sys
        def test_0(): print(random.random(), sys.modules["numpy.random"].seeds)
        def test_1(): print(random.random(), sys.modules["numpy.random"].seeds)
        """,
    )
    # The real one is not needed to see that it is reseeded, with what, and how often.
    suite(tmp_path / "numpy", __init__="", random="seeds = []\nseed = seeds.append")
    shim.open(tmp_path, "-p", "no:cacheprovider", slots=2, as_module=True)
    shim.run(0, 1, [0])
    shim.run(1, 2, [1])
    shim.op("finished", attempt=1)
    shim.op("finished", attempt=2)
    printed = [result["sections"][0][1].split(" ", 1) for result in shim.all("result")]
    assert printed[0][0] != printed[1][0]
    seeds = [text.strip("[]\n") for _, text in printed]
    assert seeds[0] != seeds[1]
    assert all(0 <= int(seed) < 2**32 for seed in seeds)


def test_a_slot_looks_like_a_worker_of_xdist(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import os
        def test_worker(worker_id, request, tmp_path):
            assert worker_id == "gw1" == os.environ["PYTEST_XDIST_WORKER"]
            assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "2"
            assert os.environ["TRACEPARENT"] == "00-1-2-3"
            assert request.config.workerinput["workercount"] == 2
            assert os.getpgrp() == os.getpid()
            assert tmp_path.parent.name == "popen-gw1"
        """,
    )
    shim.open(tmp_path, slots=2, plugins=True, env={"TRACEPARENT": "00-1-2-3"})
    results, _ = shim.finish(1, 1, [0])
    assert results[0].get("details", "") == ""
    assert results[0]["outcome"] == "passed"


def test_a_given_basetemp_is_shared_without_deleting_each_others_files(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path / "suite",
        test_a="""
        import pytest
        @pytest.mark.parametrize("n", range(20))
        def test_n(n, tmp_path):
            (tmp_path / "f").write_text("x")
            assert [p.name for p in tmp_path.iterdir()] == ["f"]
        """,
    )
    base = tmp_path / "base"
    shim.open(tmp_path / "suite", f"--basetemp={base}", slots=2)
    shim.run(0, 1, list(range(10)))
    shim.run(1, 2, list(range(10, 20)))
    shim.op("finished", attempt=1)
    shim.op("finished", attempt=2)
    assert {r["outcome"] for r in shim.all("result")} == {"passed"}
    assert len(list(base.glob("popen-gw*/test_n*0/f"))) == 20


THREADED = """
    import os, threading, pytest
    threading.Thread(target=threading.Event().wait, daemon=True, name="early").start()
    @pytest.mark.parametrize("n", range(6))
    def test_n(n):
        print(os.environ["PYTEST_XDIST_WORKER"])
        assert n != 2
    def test_dies(): os._exit(3)
    """


def test_threads_at_import_forbid_the_fork_and_slots_collect_for_themselves(shim: Shim, tmp_path: Path) -> None:
    collected = shim.open(suite(tmp_path, test_a=THREADED), slots=2)
    assert not collected["safe_to_fork"]
    assert "early" in collected["reason"]
    shim.run(0, 1, [0, 2, 4, 6, 5])
    shim.run(1, 2, [1, 3])
    assert shim.op("finished", attempt=1)["left"] == [5]
    assert shim.op("finished", attempt=2)["cause"] == "done"
    shim.finish(0, 3, [5])
    outcomes = {r["case"]: r["outcome"] for r in shim.all("result")}
    assert outcomes == {0: "passed", 1: "passed", 2: "failed", 3: "passed", 4: "passed", 5: "passed", 6: "crashed"}
    assert shim.op("result", case=1)["sections"][0][1] == "gw1\n"
    assert shim.close()["cause"] == "done"


def test_a_process_that_collects_other_cases_says_which(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import os, threading, pytest
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        @pytest.mark.parametrize("pid", [os.getpid()])
        def test_pid(pid): ...
        """,
    )
    shim.open(tmp_path)
    results, finished = shim.finish(0, 1, [0])
    assert results == []
    assert finished["cause"] == "environment"
    assert "test_pid" in finished["message"]
    assert finished["left"] == [0]


def test_multiprocessing_in_each_start_method_works_in_a_slot(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import multiprocessing, operator, pytest
        @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
        def test_pool(method):
            with multiprocessing.get_context(method).Pool(2) as pool:
                assert pool.starmap(operator.add, [(1, 2), (3, 4)]) == [3, 7]
        """,
    )
    shim.open(tmp_path)
    results, _ = shim.finish(0, 1, [0, 1, 2])
    assert [r["outcome"] for r in results] == ["passed"] * 3


def test_plugins_of_the_suite_hear_reports_in_the_slot(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        conftest="""
        import os, pathlib
        def pytest_runtest_logreport(report):
            with pathlib.Path("heard-" + os.environ["PYTEST_XDIST_WORKER"]).open("a") as file:
                file.write(report.when + " ")
        def pytest_sessionfinish(session):
            pathlib.Path("sessions").open("a").write("finish ")
        """,
        test_a="def test(record_property): record_property('k', {1})",
    )
    shim.open(tmp_path)
    results, _ = shim.finish(0, 1, [0])
    assert results[0]["properties"] == [["k", "{1}"]]
    shim.close()
    assert (tmp_path / "heard-gw0").read_text() == "setup call teardown "
    assert (tmp_path / "sessions").read_text() == "finish "


def test_exit_handlers_of_the_zygote_run_once_and_those_of_cases_run_in_the_slot(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        conftest="""
        import atexit, pathlib
        atexit.register(lambda: pathlib.Path("exits").open("a").write("zygote "))
        """,
        test_a="""
        import atexit, pathlib
        def test_registers(): atexit.register(lambda: pathlib.Path("exits").open("a").write("slot "))
        """,
    )
    shim.open(tmp_path)
    shim.finish(0, 1, [0])
    shim.close()
    assert (tmp_path / "exits").read_text() == "slot zygote "

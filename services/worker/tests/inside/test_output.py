"""What cases print reaches their results: all of it, in the right one, odd bytes included, floods capped."""

from __future__ import annotations

from pathlib import Path

from services.worker.tests.shim.driver import Shim, suite


def test_200_outputs_in_each_of_two_slots_are_right(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import os, sys, pytest
        @pytest.mark.parametrize("n", range(400))
        def test_n(n):
            print("python", n)
            os.write(1, b"descriptor %d\\n" % n)
            print("error", n, file=sys.stderr)
        """,
    )
    shim.open(tmp_path, slots=2)
    shim.run(0, 1, list(range(0, 400, 2)))
    shim.run(1, 2, list(range(1, 400, 2)))
    shim.op("finished", attempt=1)
    shim.op("finished", attempt=2)
    results = shim.all("result")
    assert len(results) == 400
    for result in results:
        n = result["case"]
        sections = dict(result["sections"])
        assert sorted(sections["Captured stdout call"].splitlines()) == [f"descriptor {n}", f"python {n}"]
        assert sections["Captured stderr call"] == f"error {n}\n"


def test_bytes_that_are_no_text_come_back_as_they_were(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import os
        def test_bytes():
            os.write(1, bytes(range(128, 256)))
        """,
    )
    shim.open(tmp_path)
    results, _ = shim.finish(0, 1, [0])
    text = results[0]["sections"][0][1]
    assert text.encode("utf-8", "surrogateescape") == bytes(range(128, 256))


def test_a_flood_is_capped_with_a_mark_and_keeps_head_and_tail(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        def test_flood():
            print("head")
            for _ in range(1000): print("x" * 10_000)
            print("tail")
        """,
    )
    shim.open(tmp_path, limits={"output_bytes": 10_000})
    results, _ = shim.finish(0, 1, [0])
    text = results[0]["sections"][0][1]
    assert len(text) < 11_000
    assert text.startswith("head")
    assert text.endswith("tail\n")
    assert "characters cut here" in text


def test_output_without_capture_is_live_and_names_its_slot(shim: Shim, tmp_path: Path) -> None:
    suite(tmp_path, test_a="def test_prints(): print('live words')")
    shim.open(tmp_path, "-s", slots=2)
    shim.run(1, 1, [0])
    logged = shim.wait(lambda m: m["op"] == "log" and "live words" in m["data"])
    assert (logged["slot"], logged["stream"]) == (1, "stdout")


def test_a_live_flood_is_cut_and_blocks_nobody(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import os
        def test_flood():
            for _ in range(500): os.write(1, b"y" * 99_999 + b"\\n")
        """,
    )
    shim.open(tmp_path, "-s")
    results, _ = shim.finish(0, 1, [0])
    assert results[0]["outcome"] == "passed"
    live = sum(len(m["data"]) for m in shim.all("log", slot=0))
    assert live < 18 * 1024 * 1024
    assert any("the rest is cut" in m["data"] for m in shim.all("log", slot=0))


def test_fixtures_of_capture_and_subprocess_output_work_in_a_slot(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import subprocess, sys
        def test_capfd(capfd):
            subprocess.run([sys.executable, "-c", "print(42)"], check=True)
            assert capfd.readouterr().out == "42\\n"
        def test_capsys(capsys):
            print("a"); assert capsys.readouterr().out == "a\\n"
        def test_child():
            subprocess.run([sys.executable, "-c", "print('from child')"], check=True)
        def test_caplog(caplog):
            import logging; logging.warning("w"); assert "w" in caplog.text
        """,
    )
    shim.open(tmp_path)
    results, _ = shim.finish(0, 1, [0, 1, 2, 3])
    assert [r["outcome"] for r in results] == ["passed"] * 4
    assert results[2]["sections"] == [["Captured stdout call", "from child\n"]]


def test_each_traceback_after_the_first_stands_below_a_title(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import pytest, unittest
        @pytest.fixture
        def broken():
            yield
            raise OSError("late")
        def test_twice(broken): assert 0, "first"
        def test_once(): assert 0
        class TestParts(unittest.TestCase):
            def test_parts(self):
                for n in (1, 2):
                    with self.subTest(n=n):
                        assert n == 0
        """,
    )
    shim.open(tmp_path)
    results, _ = shim.finish(0, 1, [0, 1, 2])
    titles = [
        [line.strip("_ ") for line in result["details"].splitlines() if line.startswith("___")] for result in results
    ]
    assert titles == [
        ["ERROR at teardown of test_twice"],
        [],
        ["TestParts.test_parts (n=1)", "TestParts.test_parts (n=2)"],
    ]

"""Programs that list their cases: what the shim makes of batches, crashes, limits and ends that nobody foresaw."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from services.worker.tests.shim.driver import Message, Shim, gone, pause

PROGRAMS = "crossfleet.worker.shim.programs"
FAKE = """#!{python}
import os, sys, time
CASES = [{cases}]
if "--gtest_list_tests" in sys.argv:
    print("S.")
    for name in CASES: print("  " + name)
    raise SystemExit
chosen = next(w for w in sys.argv if w.startswith("--gtest_filter=")).partition("=")[2].split(":")
def run(name):
    print("[ RUN      ] S." + name, flush=True)
    {body}
    print("[       OK ] S." + name + " (1 ms)", flush=True)
{start}
for identity in chosen: run(identity[2:])
{end}
"""


def fake(folder: Path, cases: str, *, body: str = "pass", start: str = "", end: str = "") -> str:
    """A program that speaks as GoogleTest does; `body` is what a case does, `start` and `end` what is around them."""
    listed = ", ".join(repr(name) for name in cases.split())
    script = folder / "fake"
    script.write_text(FAKE.format(python=sys.executable, cases=listed, body=body, start=start, end=end))
    script.chmod(0o755)
    return str(script)


def opened(shim: Shim, folder: Path, script: str, **fields: Any) -> Message:
    return shim.open(
        folder, script, runner="program", program=f"{PROGRAMS}.googletest:GoogleTest", python=None, **fields
    )


def unittests(shim: Shim, folder: Path, text: str, *words: str, **fields: Any) -> Message:
    (folder / "test_it.py").write_text(textwrap.dedent(text))
    return shim.open(folder, *words, runner="program", program=f"{PROGRAMS}.unittests:Unittest", **fields)


def test_a_crash_names_its_case_and_the_rest_goes_on_in_a_new_process(shim: Shim, tmp_path: Path) -> None:
    dies = "print('last', flush=True); name == 'b' and os.kill(os.getpid(), 11); name == 'c' and os._exit(0)"
    collected = opened(shim, tmp_path, fake(tmp_path, "a b c d", body=dies))

    results, finished = shim.finish(0, 1, [0, 1, 2, 3])

    assert shim.outcomes(collected) == {"S.a": "passed", "S.b": "crashed", "S.c": "crashed", "S.d": "passed"}
    assert (results[1]["signal"], results[1]["message"]) == (
        11,
        "the process was killed by SIGSEGV (segmentation fault)",
    )
    assert results[1]["sections"] == [["Captured output before the end", "last"]]
    assert results[2]["message"] == "the process exited with status 0"
    assert (finished["cause"], finished.get("left")) == ("done", None)


def test_where_nobody_knows_who_died_each_case_is_tried_alone(shim: Shim, tmp_path: Path) -> None:
    start = "if 'S.b' in chosen: os._exit(7)"
    collected = opened(shim, tmp_path, fake(tmp_path, "a b c", start=start))

    results, finished = shim.finish(0, 1, [0, 1, 2])

    assert shim.outcomes(collected) == {"S.a": "passed", "S.b": "error", "S.c": "passed"}
    assert "status 7" in next(result["message"] for result in results if result["case"] == 1)
    assert finished["cause"] == "done"


def test_a_process_that_fails_after_its_cases_is_reported_though_each_passed(shim: Shim, tmp_path: Path) -> None:
    opened(shim, tmp_path, fake(tmp_path, "a b", end="print('leaked 4 bytes'); os.abort()"))

    results, _ = shim.finish(0, 1, [0, 1])

    assert [result["outcome"] for result in results] == ["passed", "passed", "error"]
    assert (results[2]["id"], results[2]["signal"]) == ("fake (exit)", 6)
    assert "although no case of it failed" in results[2]["message"]


def test_a_case_over_its_time_is_named_with_its_children_ended(shim: Shim, tmp_path: Path) -> None:
    # Started before any case has its time: a busy machine has seconds for that.
    starts = (
        "if 'S.b' in chosen: import subprocess; "
        "open('pid', 'w').write(str(subprocess.Popen(['sleep', '300'], start_new_session=True).pid))"
    )
    script = fake(tmp_path, "a b c", body="name == 'b' and time.sleep(300)", start=starts)
    collected = opened(shim, tmp_path, script, limits={"case_seconds": 1})

    shim.finish(0, 1, [0, 1, 2])

    assert shim.outcomes(collected) == {"S.a": "passed", "S.b": "timed_out", "S.c": "passed"}
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_program_that_hangs_before_any_case_has_the_time_of_its_cases(shim: Shim, tmp_path: Path) -> None:
    collected = opened(shim, tmp_path, fake(tmp_path, "a", start="time.sleep(300)"), limits={"case_seconds": 1})

    shim.finish(0, 1, [0])

    assert shim.outcomes(collected) == {"S.a": "timed_out"}


def test_a_cancelled_attempt_has_no_result_and_the_next_one_runs(shim: Shim, tmp_path: Path) -> None:
    collected = opened(shim, tmp_path, fake(tmp_path, "a b", body="name == 'a' and time.sleep(300)"))
    shim.run(0, 1, [0])
    shim.run(0, 2, [1])
    shim.op("started", attempt=1)

    shim.send(op="cancel", attempts=[1], grace=1)

    assert shim.op("finished", attempt=1)["cause"] == "cancelled"
    assert shim.op("finished", attempt=2)["cause"] == "done"
    assert shim.outcomes(collected) == {"S.b": "passed"}


def test_a_case_over_the_memory_limit_is_found_by_trying_each_alone(shim: Shim, tmp_path: Path) -> None:
    food = "if name == 'b': food = bytearray(300 << 20); time.sleep(300)"
    collected = opened(shim, tmp_path, fake(tmp_path, "a b c", body=food), memory_bytes=100 << 20)

    results, finished = shim.finish(0, 1, [0, 1, 2])

    assert shim.outcomes(collected) == {"S.a": "passed", "S.b": "crashed", "S.c": "passed"}
    assert "100 MiB" in next(result["message"] for result in results if result["case"] == 1)
    assert finished["cause"] == "done"


def test_closing_ends_what_runs(shim: Shim, tmp_path: Path) -> None:
    start = "open('pid', 'w').write(str(os.getpid()))"
    opened(shim, tmp_path, fake(tmp_path, "a", body="time.sleep(300)", start=start))
    shim.run(0, 1, [0])
    shim.op("started", attempt=1)

    assert shim.close()["cause"] == "done"
    assert shim.op("finished", attempt=1)["cause"] == "cancelled"
    assert gone(int((tmp_path / "pid").read_text()))


def test_results_of_a_program_come_again_to_the_next_agent(shim: Shim, tmp_path: Path) -> None:
    body = "while name == 'b' and not os.path.exists('go'): time.sleep(0.01)"
    collected = opened(shim, tmp_path, fake(tmp_path, "a b", body=body))
    shim.acknowledge = False
    shim.run(0, 1, [0, 1])
    shim.op("result", case=0)
    shim.detach()
    (tmp_path / "go").touch()

    attached = shim.attach()

    (allocation,) = attached["allocations"]
    assert allocation["runner"] == "program"
    shim.op("finished", attempt=1)
    assert shim.outcomes(collected) == {"S.a": "passed", "S.b": "passed"}


def test_a_flood_of_cases_loses_none(shim: Shim, tmp_path: Path) -> None:
    names = " ".join(f"case{number}" for number in range(2_000))
    collected = opened(shim, tmp_path, fake(tmp_path, names, body="print('z' * 200)"))

    _, finished = shim.finish(0, 1, list(range(2_000)))

    assert finished["cause"] == "done"
    assert set(shim.outcomes(collected).values()) == {"passed"}
    assert len(shim.outcomes(collected)) == 2_000


def test_a_listing_that_hangs_or_crashes_is_an_error_of_the_suite(shim: Shim, tmp_path: Path) -> None:
    script = tmp_path / "slow"
    script.write_text(f"#!{sys.executable}\nimport time\nprint('so far', flush=True)\ntime.sleep(300)\n")
    script.chmod(0o755)

    collected = opened(shim, tmp_path, str(script), limits={"collect_seconds": 1})

    (error,) = collected["errors"]
    assert "limit of 1 s" in error["message"]
    assert "so far" in error["details"]
    assert shim.close()["cause"] == "done"


def test_a_program_that_is_not_there_and_one_that_is_of_no_such_kind(shim: Shim, tmp_path: Path) -> None:
    missing = opened(shim, tmp_path, "/no/such/program")
    assert (missing["cause"], missing["exit"]) == ("failed", 0)
    assert "/no/such/program" in missing["message"]
    shim.messages.clear()

    other = opened(shim, tmp_path, "/bin/false")
    assert (other["cause"], other["exit"]) == ("failed", 4)
    assert "GoogleTest" in other["message"]


def test_results_that_cannot_be_read_are_errors_that_say_so(shim: Shim, tmp_path: Path) -> None:
    script = tmp_path / "odd"
    script.write_text("#!/bin/sh\ncase $* in *list-tests*) echo '<M><TestCase><Name>a</Name></TestCase></M>';; *)\n"
        'while [ "$1" != --out ]; do shift; done; echo "<<<" > "$2"; sleep 300;; esac\n')  # fmt: skip
    script.chmod(0o755)
    shim.open(tmp_path, str(script), runner="program", program=f"{PROGRAMS}.catch2:Catch2", python=None)

    results, _ = shim.finish(0, 1, [0])

    assert results[0]["outcome"] == "error"
    assert "no XML" in results[0]["message"]


SUITE = """
import os, sys, time, unittest

class A(unittest.TestCase):
    @classmethod
    def setUpClass(cls): print("up", flush=True)
    def test_ok(self): print("said"); sys.stderr.write("err")
    def test_fails(self): self.assertEqual(1, 2, "why")
    def test_breaks(self): raise RuntimeError("boom")
    @unittest.skip("reason")
    def test_skipped(self): pass
    @unittest.expectedFailure
    def test_expected(self): self.fail()
    @unittest.expectedFailure
    def test_unexpected(self): pass
    def test_subtests(self):
        for number in range(3):
            with self.subTest(number=number): self.assertNotEqual(number, 1)

class B(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise OSError("no database")
    def test_one(self): pass

class C(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise unittest.SkipTest("not here")
    def test_one(self): pass

class D(unittest.TestCase):
    @classmethod
    def tearDownClass(cls): raise OSError("left over")
    def test_one(self): pass
"""


def test_unittests_outcomes_are_told_case_by_case(shim: Shim, tmp_path: Path) -> None:
    collected = unittests(shim, tmp_path, SUITE)

    results, _ = shim.finish(0, 1, list(range(len(collected["cases"]))))

    listed = {r["case"]: r for r in results if "id" not in r}
    found = {collected["cases"][case]["id"].partition(".")[2]: result for case, result in listed.items()}
    assert {name: result["outcome"] for name, result in found.items()} == {
        "A.test_ok": "passed",
        "A.test_fails": "failed",
        "A.test_breaks": "error",
        "A.test_skipped": "skipped",
        "A.test_expected": "xfailed",
        "A.test_unexpected": "xpassed",
        "A.test_subtests": "failed",
        "B.test_one": "error",
        "C.test_one": "skipped",
        "D.test_one": "passed",
    }
    assert found["A.test_ok"]["sections"] == [["Captured stdout", "said\n"], ["Captured stderr", "err"]]
    assert found["A.test_subtests"]["message"].startswith("(number=1) AssertionError")
    assert "RuntimeError: boom" in found["A.test_breaks"]["details"]
    assert found["B.test_one"]["message"] == "setUpClass: OSError: no database"
    assert [(r["id"], r["outcome"]) for r in results if "id" in r] == [("test_it.D (tearDownClass)", "error")]


def test_one_interpreter_serves_the_attempts_of_a_slot(shim: Shim, tmp_path: Path) -> None:
    collected = unittests(
        shim,
        tmp_path,
        """
        import os, unittest
        class A(unittest.TestCase):
            def test_a(self): print(os.getpid())
            def test_b(self): print(os.getpid())
            def test_c(self): os._exit(3)
            def test_d(self): print(os.getpid())
        """,
    )
    assert len(collected["cases"]) == 4

    shim.run(0, 1, [0], last=False)
    shim.op("finished", attempt=1)
    shim.run(0, 2, [1, 2, 3])
    shim.op("finished", attempt=2)

    said = {m["case"]: m["sections"][0][1] for m in shim.all("result") if m["outcome"] == "passed"}
    assert said[0] == said[1] != said[3]
    assert [m["case"] for m in shim.all("result", outcome="crashed")] == [2]
    assert shim.close()["cause"] == "done"


def test_an_interpreter_that_dies_while_it_waits_costs_no_case(shim: Shim, tmp_path: Path) -> None:
    text = "import os, unittest\nclass A(unittest.TestCase):\n    def test_a(self): print(os.getpid())\n"
    collected = unittests(shim, tmp_path, text + "    def test_b(self): pass\n")
    shim.run(0, 1, [0], last=False)
    shim.op("finished", attempt=1)
    waiting = int(shim.all("result")[0]["sections"][0][1])

    os.kill(waiting, signal.SIGKILL)
    shim.run(0, 2, [1])

    assert shim.op("finished", attempt=2)["cause"] == "done"
    assert set(shim.outcomes(collected).values()) == {"passed"}


@pytest.mark.parametrize(
    ("words", "exit", "text"),
    [(["--nonsense"], 4, "unrecognized arguments"), (["-k", "nothing_like_it"], None, "")],
)
def test_words_that_unittest_refuses_and_words_that_select_nothing(
    shim: Shim, tmp_path: Path, words: list[str], exit: int | None, text: str
) -> None:
    answer = unittests(shim, tmp_path, SUITE, "discover", *words)

    assert answer.get("exit") == exit
    assert answer.get("cases", []) == []
    assert text in answer.get("message", "")


def test_a_hanging_unittest_shows_where_it_stands(shim: Shim, tmp_path: Path) -> None:
    text = "import time, unittest\nclass A(unittest.TestCase):\n    def test_hangs(self): self.stuck()\n"
    text += "    def stuck(self): time.sleep(300)\n"
    unittests(shim, tmp_path, text, limits={"case_seconds": 2})

    results, _ = shim.finish(0, 1, [0])

    assert results[0]["outcome"] == "timed_out"
    assert "stuck" in results[0]["details"]


def test_stacks_of_a_unittest_can_be_asked_for_while_it_runs(shim: Shim, tmp_path: Path) -> None:
    text = "import time, unittest\nclass A(unittest.TestCase):\n    def test_waits(self): self.stuck()\n"
    unittests(shim, tmp_path, text + "    def stuck(self): open('stuck', 'w').close(); time.sleep(300)\n")
    shim.run(0, 1, [0])
    shim.op("started", attempt=1)
    while not (tmp_path / "stuck").exists():
        pause()

    shim.send(op="inspect", request=7, attempts=[1], stacks=True)

    answer = shim.op("inspected", request=7)
    assert answer["case"] == 0
    assert "in stuck" in answer["stacks"]


def test_a_module_that_cannot_be_imported_is_an_error_and_the_others_run(shim: Shim, tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text("import nothing_like_it")

    collected = unittests(shim, tmp_path, "import unittest\nclass A(unittest.TestCase):\n    def test_a(self): pass\n")

    assert [case["id"] for case in collected["cases"]] == ["test_it.A.test_a"]
    assert [error["id"] for error in collected["errors"]] == ["test_broken"]
    assert collected["errors"][0]["message"] == "ModuleNotFoundError: No module named 'nothing_like_it'"
    assert collected["go_on"]

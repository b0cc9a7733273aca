"""`crossfleet simulate` with real schedulers: ours, an example, and ones with something wrong."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from tests.commands import crossfleet
from tests.conformance.distorting import Distorted, said, served

EXAMPLE = Path(__file__).parents[2] / "examples" / "schedulers" / "python" / "scheduler.py"


@pytest.fixture
def first_come() -> Iterator[str]:
    """The address of a scheduler that serves whoever came first."""
    with subprocess.Popen([sys.executable, str(EXAMPLE), "127.0.0.1:0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
        process.kill()


@pytest.fixture
def contended(tmp_path) -> Path:
    """One project asks for everything, a second later another for as much."""
    rows: list[dict[str, Any]] = [{"type": "trace", "title": "contended"}]
    rows += [{"type": "worker", "at": 0, "worker_id": f"w{at}", "slots": 4} for at in range(2)]
    for at, project in enumerate(("early", "late")):
        groups = ({"type": "group", "at": at, "group_id": f"{project}-{one}", "project": project} for one in range(20))
        rows += [{**one, "cases": [[5, 20]], "request": {"slots_max": 2}} for one in groups]
    path = tmp_path / "contended.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


async def simulated(*words: str, cwd: Path, status: int = 0):
    """What the command said, which ended with that status."""
    async with crossfleet("simulate", *words, cwd=cwd) as command:
        finished = await command.finished()
    assert finished.status == status, finished.text
    return finished


async def test_a_fair_scheduler_and_one_that_serves_who_came_first_are_told_apart(contended, first_come, tmp_path):
    words = (str(contended), "--scheduler", "default", "--scheduler", f"fifo={first_come}", "--html", "page.html")
    finished = await simulated(*words, "--output", "json", cwd=tmp_path)
    document = json.loads(finished.out)
    fair, fifo = document["simulations"]
    assert (fair["name"], fair["scheduler"]["name"]) == ("default", "crossfleet-default")
    assert (fifo["name"], fifo["scheduler"]["name"]) == ("fifo", "first-come-first-served")
    for one in (fair, fifo):
        assert one["groups"] == {"submitted": 40, "finished": 40, "unsatisfiable": 0, "stuck": 0}
        assert (one["cases"], one["refused"]) == (800, {})
        assert one["makespan_seconds"] == pytest.approx(500, rel=0.1), "4,000 seconds of work on 8 slots"
    assert fair["fairness"] > 0.97
    assert fifo["fairness"] < 0.8
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == 4
    assert "<script" not in page
    assert "fifo: first-come-first-served 1" in page


async def test_other_weights_than_the_traces_move_what_projects_get(contended, tmp_path):
    words = (str(contended), "--project-weights", "late=7", "--output", "json")
    finished = await simulated(*words, cwd=tmp_path)
    (one,) = json.loads(finished.out)["simulations"]
    early, late = one["projects"]
    assert (early["weight"], late["weight"]) == (1, 7)
    assert late["got"] > 2 * early["got"], "slots are kept until their group has no work left"


async def test_the_same_trace_comes_to_the_same_twice(tmp_path):
    async with crossfleet(
        "simulate", "--generate", "gangs", "--workers", "8", "--hours", "0.2", "--losses", "40", cwd=tmp_path
    ) as command:
        generated = await command.finished()
    (tmp_path / "trace.jsonl").write_text(generated.out)
    seen = []
    for _ in range(2):
        finished = await simulated("trace.jsonl", "--output", "json", cwd=tmp_path)
        (one,) = json.loads(finished.out)["simulations"]
        del one["plan_seconds"]
        seen.append(one)
    assert seen[0] == seen[1]
    assert seen[0]["groups"]["finished"] == seen[0]["groups"]["submitted"] > 10
    assert seen[0]["wide_waits"]["count"] > 0
    assert seen[0]["workers_lost"] > 0


async def test_what_a_scheduler_proposes_that_does_not_hold_is_refused_and_counted(contended, tmp_path):
    def oversubscribe(plan: scheduler_pb2.ScheduleResponse) -> None:
        for one in [*plan.allocate]:
            if not one.group_id.startswith("simulation"):
                plan.allocate.add(group_id=one.group_id, worker_id=one.worker_id, slots=4)

    async with served(said(oversubscribe)) as running:
        finished = await simulated(
            str(contended), "--scheduler", f"mad={running.address}", "--output", "json", cwd=tmp_path
        )
    (mad,) = json.loads(finished.out)["simulations"]
    assert mad["groups"]["finished"] == 40
    assert mad["refused"]["RESOURCES_UNAVAILABLE"] > 0
    assert mad["last_refusal"]


async def test_a_scheduler_that_says_nothing_ends_the_simulation_with_a_reason(contended, tmp_path):
    async with served(Distorted(says=lambda plan: iter(()))) as running:
        words = (str(contended), "--scheduler", running.address, "--limit", "0.5")
        finished = await simulated(*words, cwd=tmp_path, status=3)
    assert "has not placed, within 0.5 s, a most urgent group" in finished.err, finished.text


async def test_a_scheduler_that_is_not_there_is_told_before_any_is_played(contended, tmp_path):
    words = (str(contended), "--scheduler", "default", "--scheduler", "gone=localhost:1")
    finished = await simulated(*words, cwd=tmp_path, status=3)
    assert "no scheduler answers at localhost:1" in finished.err, finished.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give one of: a TRACE to play, --generate KIND"),
        (("none.jsonl",), "No such file or directory: none.jsonl"),
        (("bad.jsonl",), "bad.jsonl: line 2: slots: "),
        (("bad.jsonl", "--scheduler", "default", "--scheduler", "default"), "a name of its own"),
        (("bad.jsonl", "--scheduler", "nonsense"), "neither unix:/PATH nor HOST:PORT"),
        (("bad.jsonl", "--generate", "day"), "give one of"),
        (("bad.jsonl", "--project-weights", "ml=0"), "'ml=0': write project=weight"),
        (("--generate", "dya"), "invalid choice: 'dya'"),
    ],
)
async def test_what_cannot_be_played_is_refused_with_the_mend(words, said, tmp_path):
    (tmp_path / "bad.jsonl").write_text(
        '{"type": "trace"}\n{"type": "worker", "at": 0, "worker_id": "w", "slots": 0}\n'
    )
    finished = await simulated(*words, cwd=tmp_path, status=2)
    assert said in finished.err, finished.text


async def test_a_run_that_was_carried_out_is_recorded_and_played(tmp_path):
    cases = "\n".join(f"def test_{one}(): time.sleep(0.02)" for one in "abcd")
    (tmp_path / "test_it.py").write_text(f"import time\n{cases}\n")
    data = ("--data", str(tmp_path / "data"))
    named = ("--project", "mine", "--deadline", "1h", "--priority", "batch")
    for words in (
        ("run", *data, "--", "pytest", "-q", "test_it.py::test_a"),
        ("admin", "priority", "set", "batch", "-10", "--preemptible", "--grace", "30s", *data),
        ("run", *data, *named, "--", "pytest", "-q", "test_it.py"),
    ):
        async with crossfleet(*words, cwd=tmp_path) as command:
            finished = await command.finished()
            assert finished.status == 0, finished.text
    recorded = await simulated("--record", "--last", "1", *data, cwd=tmp_path)
    rows = [json.loads(line) for line in recorded.out.splitlines()]
    (group,) = [row for row in rows if row["type"] == "group"]
    assert (group["project"], len(group["cases"])) == ("mine", 4)
    assert 0 < group["setup_seconds"] < 30, "the suite was collected before its first case"
    assert all(0.02 <= one < 5 for one in group["cases"])
    assert group["deadline"] == pytest.approx(3600, abs=0.1)
    assert group["priority_class"] == "batch"
    assert rows[0]["priority_classes"] == {"batch": {"priority": -10, "preemptible": True, "grace_seconds": 30}}
    (tmp_path / "recorded.jsonl").write_text(recorded.out)
    finished = await simulated("recorded.jsonl", cwd=tmp_path)
    assert "1 of 1" in finished.out, finished.text
    assert "0 of 1" in finished.out, "no deadline was missed"

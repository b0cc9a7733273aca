"""The report of a finished run for people."""

from __future__ import annotations

from collections.abc import Iterator

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.reporting.matrix import matrix, slowest
from crossfleet.cli.reporting.paint import Paint
from crossfleet.cli.reporting.table import table
from crossfleet.cli.reporting.times import span
from crossfleet.cli.running.conclusion import nothing_to_execute
from crossfleet.cli.running.results import RunResults
from crossfleet.cli.running.view import duration, failure_line

MOST_TRACEBACKS = 50
CAUSE_LINES = 30
_STYLES = {
    run_pb2.RUN_VERDICT_PASSED: "green",
    run_pb2.RUN_VERDICT_FAILED: "red",
    run_pb2.RUN_VERDICT_INFRASTRUCTURE: "red",
    run_pb2.RUN_VERDICT_CANCELLED: "yellow",
}


def report(results: RunResults, paint: Paint, *, quiet: int = 0) -> Iterator[str]:
    """The parts of the report, each ending without a newline. `quiet` 1 leaves tracebacks out, 2 all but the verdict."""
    if quiet < 2:
        if quiet < 1:
            yield from failures(results, paint)
        targets = [target.name for target in results.run.targets] or sorted({case.target for case in results.cases})
        heads, rows = matrix(results.cases, targets)
        yield "\n" + table(heads, rows, right=frozenset(range(1, len(heads))), paint=paint)
        if quiet < 1 and (slow := slowest(results.cases)):
            lines = [f"  {case.seconds:8.2f} s  {case.case_id} [{case.target}]" for case in slow]
            yield "\n".join(["", paint("slowest", "bold"), *lines])
        bad = results.failures()
        if bad:
            yield "\n".join(["", paint("failures", "bold"), *(paint(failure_line(case), "red") for case in bad)])
        yield from _troubles(results.run, paint)
    yield verdict_line(results.run, paint)


def failures(results: RunResults, paint: Paint) -> Iterator[str]:
    """Tracebacks with captured output, as pytest shows them; the first MOST_TRACEBACKS of them."""
    bad = results.failures()
    for case in bad[:MOST_TRACEBACKS]:
        detail = results.detail(case)
        if detail is None:
            continue
        yield "\n" + paint(f" {case.case_id} [{case.target}] ".center(79, "_"), "red")
        yield _indented(_text(detail.details)) or case.message
        for section in detail.sections:
            yield f" {section.title} ".center(79, "-")
            yield _text(section.content)
    if len(bad) > MOST_TRACEBACKS:
        yield f"\n{len(bad) - MOST_TRACEBACKS} more failures: their tracebacks are in the JUnit and JSON reports"


def verdict_line(run: run_pb2.Run, paint: Paint) -> str:
    """`PASSED in 12 s: 4981 cases, 4900 passed, 81 skipped (run-...)`."""
    counts = run.counts
    words = [
        f"{getattr(counts, field)} {word if getattr(counts, field) > 1 else word.removesuffix('s')}"
        for field, word in (
            ("passed", "passed"),
            ("failed", "failed"),
            ("errors", "errors"),
            ("crashed", "crashed"),
            ("timed_out", "timed out"),
            ("skipped", "skipped"),
            ("xfailed", "xfailed"),
            ("xpassed", "xpassed"),
            ("cancelled", "cancelled"),
            ("not_run", "not run"),
            ("pending", "pending"),
        )
        if getattr(counts, field)
    ]
    name = run_pb2.RunVerdict.Name(run.verdict).removeprefix("RUN_VERDICT_").replace("UNSPECIFIED", "UNFINISHED")
    if nothing_to_execute(run) and run.verdict == run_pb2.RUN_VERDICT_PASSED:
        name = "NO TESTS"
    took = duration(span(run.created_at, run.finished_at))
    told = any(target.cause for target in run.targets)  # the report shows each target's own
    cause = f" ({run.cause})" if run.cause and not told else ""
    cases = "1 case" if counts.total == 1 else f"{counts.total} cases"
    text = f"{name} in {took}: {cases}, {', '.join(words) or 'none ran'}{cause}  [{run.run_id}]"
    return paint(text, _STYLES.get(run.verdict, "yellow"))


def _troubles(run: run_pb2.Run, paint: Paint) -> Iterator[str]:
    for target in run.targets:
        if target.cause:
            details = target.cause_details.splitlines()[-CAUSE_LINES:]
            style = "yellow" if run.verdict == run_pb2.RUN_VERDICT_PASSED else "red"
            yield "\n".join([paint(f"target {target.name}: {target.cause}", style), *details])
        elif target.waiting_reason and run.verdict != run_pb2.RUN_VERDICT_PASSED:
            yield paint(f"target {target.name} waited: {target.waiting_reason}", "yellow")


def _indented(text: str) -> str:
    """Pytest strips the text of a failure as a whole, and with it the indentation of a first line of source."""
    return "    " + text if text.startswith(("def ", "async def ", "class ", "@")) else text


def _text(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace").rstrip("\n")


def outcome_word(outcome: result_pb2.Outcome.ValueType) -> str:
    """`timed_out` of OUTCOME_TIMED_OUT."""
    return result_pb2.Outcome.Name(outcome).removeprefix("OUTCOME_").lower()

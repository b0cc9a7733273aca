"""The Markdown summary of a run, for the page that a CI service shows beside a job. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.reporting.captured import decoded, middle_cut, written
from crossfleet.cli.reporting.case_lines import word_of
from crossfleet.cli.reporting.deadlines import kept
from crossfleet.cli.reporting.earlier import of_models
from crossfleet.cli.reporting.headlines import target_mark
from crossfleet.cli.reporting.locations import location_of
from crossfleet.cli.reporting.matrix import matrix, slowest
from crossfleet.cli.reporting.paint import plain
from crossfleet.cli.reporting.text import used, verdict_line
from crossfleet.cli.running.results import RunResults

LIMIT_BYTES = 1024 * 1024 - 1024
"""GitHub takes 1 MiB a step, and shows nothing at all of a larger one."""
_DETAILS = 12_000
_MESSAGE = 300
_MOST_ARTIFACTS = 50
_CUT = "\n\n_The rest was left out: this summary is as large as the service takes._\n"
# Signs that begin something in Markdown; as entities they are always text.
_SIGNS = re.compile(r"[\\`*_{}\[\]()#|~@<>&$]")


def summary(results: RunResults, limit: int = LIMIT_BYTES) -> str:
    """The summary, at most `limit` bytes of UTF-8: what does not fit is left out, with a mark, a block at a time."""
    text, left = "", limit - len(_CUT.encode())
    for block in _blocks(results):
        size = len(block.encode("utf-8", "replace"))
        if size > left:
            return text + _CUT if limit > len(_CUT) else ""
        text += block
        left -= size
    return text


def escaped(text: str) -> str:
    """Text on one line that is nothing but text, in a table too."""
    return _SIGNS.sub(lambda sign: f"&#{ord(sign[0])};", " ".join(written(text).split()))


def _blocks(results: RunResults) -> Iterator[str]:
    run = results.run
    mark = "✅" if run.verdict == run_pb2.RUN_VERDICT_PASSED else "❌"
    yield f"### {mark} {escaped(verdict_line(run, plain, results.warnings()))}\n\n"
    if kept(run):
        yield f"{escaped(kept(run))}\n\n"
    yield from _matrix(results)
    for target in run.targets:
        if target.alternatives:
            yield f"target {escaped(target.name)} ran on {escaped(used(target))}\n\n"
        if target.cause:
            text = f"**target {escaped(target.name)}: {escaped(target.cause)}**\n\n"
            yield text + _block_of(target.cause_details) if target.cause_details else text
        if target.comparison:
            yield f"target {escaped(target.name)} {escaped(target.comparison)}\n\n"
    yield from _failures(results)
    yield from _flaky(results)
    yield from _slowest(results)
    yield from _artifacts(results)


def _matrix(results: RunResults) -> Iterator[str]:
    targets = [target.name for target in results.run.targets] or sorted({case.target for case in results.cases})
    heads, rows = matrix(results.cases, targets)
    lines = [_row(heads), _row(["---", *("---:" for _ in targets)], escape=False), *map(_row, rows)]
    yield "\n".join(lines) + "\n\n"


def _row(cells: list[str], *, escape: bool = True) -> str:
    return f"| {' | '.join(map(escaped, cells) if escape else cells)} |"


def _failures(results: RunResults) -> Iterator[str]:
    bad = results.failures()
    if bad:
        yield f"#### {len(bad)} failed\n\n"
    for case in bad:
        detail = results.detail(case)
        place = location_of(case, detail, results.run.spec.suite.root)
        title = f"<code>{escaped(case.case_id)}</code>{_mark(results, case)}"
        message = escaped(middle_cut(case.message, _MESSAGE))
        lines = [f"<details><summary>{word_of(case.outcome)} {title} {message}</summary>", ""]
        lines += [escaped(str(place)), ""] if place.line else []
        text = decoded(detail.details) if detail is not None else ""
        for section in detail.sections if detail is not None else ():
            text += f"\n----- {section.title} -----\n{decoded(section.content)}"
        yield "\n".join([*lines, _block_of(text) if text else "", "</details>\n\n"])


def _mark(results: RunResults, case: result_pb2.CaseRecord) -> str:
    mark = target_mark(results, case.target)
    return f" {escaped(mark)}" if mark else ""


def _block_of(text: str) -> str:
    """Text as it is, between tags of their own lines: only HTML has a meaning there, and that is escaped."""
    return f"<pre>\n{html.escape(written(middle_cut(text, _DETAILS)))}\n</pre>\n"


def _flaky(results: RunResults) -> Iterator[str]:
    again = results.flaky()
    if again:
        lines = [
            f"- <code>{escaped(case.case_id)}</code>{_mark(results, case)} {escaped(case.message)}{_models(case)}"
            for case in again
        ]
        yield "\n".join([f"#### {len(again)} passed only when tried again", "", *lines, "", ""])


def _models(case: result_pb2.CaseRecord) -> str:
    models = of_models(case)
    return f" ({escaped(models)})" if models else ""


def _slowest(results: RunResults) -> Iterator[str]:
    slow = slowest(results.cases)
    if slow:
        lines = [f"- {case.seconds:.2f} s <code>{escaped(case.case_id)}</code>{_mark(results, case)}" for case in slow]
        yield "\n".join(["<details><summary>slowest</summary>", "", *lines, "", "</details>\n\n"])


def _artifacts(results: RunResults) -> Iterator[str]:
    files = results.artifacts
    if files:
        lines = [
            f"- {escaped(each.name)} &#91;{escaped(each.target)}&#93;, {each.size_bytes} bytes"
            for each in files[:_MOST_ARTIFACTS]
        ]
        command = f"<code>crossfleet artifacts get {escaped(results.run.run_id)} --into DIR</code>"
        head = f"<details><summary>{_count(files)} left by tests</summary>"
        yield "\n".join([head, "", command, "", *lines, "", "</details>\n\n"])
    waiting = results.waiting
    if waiting:
        lines = [
            f"- {escaped(each.name)} &#91;{escaped(each.target)}&#93;, on {escaped(each.worker_id)}"
            for each in waiting[:_MOST_ARTIFACTS]
        ]
        head = f"<details><summary>{_count(waiting)} missing: not stored yet</summary>"
        yield "\n".join([head, "", *lines, "", "</details>\n\n"])


def _count(files: Sequence[object]) -> str:
    return f"{len(files)} file{'s' * (len(files) != 1)}"

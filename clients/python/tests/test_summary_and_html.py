"""The Markdown summary and the HTML report: complete, within their limits, and safe whatever tests printed."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from clients.python.tests.sample_run import case, finished
from crossfleet.api.coordinator.v1.artifact_service_pb2 import Artifact
from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.html.page import embedded, page
from crossfleet.cli.reporting.markdown import LIMIT_BYTES, escaped, summary
from crossfleet.cli.running.results import RunResults

NASTY = "</script><script>alert(1)</script> <!-- | a `b` **c** [d](e) \\ &lt; @someone #12 $x$ <img src=x onerror=y>\x00\x1b[31m é"
text = st.text() | st.text(alphabet="<>/!-scriptpe&'\"|`\\\n\r\x00\x1b[ \u2028")


class Elements(HTMLParser):
    """What a browser would see: the elements in order, and the text of each script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._in_script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.attributes += attrs
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False


def nasty(said: str = NASTY) -> RunResults:
    content = said.encode("utf-8", "surrogatepass")
    clean = said.encode("utf-8", "replace").decode()
    one = case(
        f"t.py::test[{clean}]",
        "failed",
        message=clean,
        details=content + b"\xff",
        sections=[(clean, content)],
        properties={clean: clean},
    )
    other = case(f"t.py::test[{clean}]", "passed", target="gpu")
    found = finished(one, other, suite=clean)
    return replace(found, artifacts=(Artifact(target="gpu", name=clean, size_bytes=3),))


def data_of(page: str) -> Any:
    return json.loads(Elements(page).scripts[0])


def test_the_summary_has_verdict_matrix_failures_and_artifacts() -> None:
    found = finished(
        case(
            "t.py::a", "failed", message="no", details=b"t.py:3: ValueError", sections=[("Captured stdout call", b"hi")]
        ),
        case("t.py::a", "passed", target="gpu"),
        case("t.py::b", "flaky", target="gpu"),
    )
    text = summary(replace(found, artifacts=(Artifact(target="gpu", name="w/0/x.png", size_bytes=3),)))
    assert text.startswith("### ❌ FAILED in 1 m 15 s")
    assert "|  | default | gpu |" in text
    assert "FAILED <code>t.py::a</code> &#91;default&#93; no</summary>" in text
    assert all(
        part in text for part in ("t.py:3", "hi\n</pre>", "w/0/x.png", "passed only when tried again", "slowest")
    )


@given(text)
def test_no_text_breaks_the_summarys_table_or_brings_markup(said: str) -> None:
    written = summary(nasty(said))
    outside = re.sub(r"<pre>\n.*?\n</pre>", "", written, flags=re.DOTALL)
    rows = [line for line in outside.splitlines() if line.startswith("| ")]
    assert len(rows) == 4  # heads, rule, one file, sum
    assert {line.count("|") for line in rows} == {4}
    allowed = {"details", "summary", "code", "pre"}
    assert set(Elements(written).found) <= allowed
    assert not Elements(written).attributes


@given(text)
def test_a_renderer_makes_of_any_text_one_table_and_no_elements_of_its_own(said: str) -> None:
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(summary(nasty(said)))
    elements = Elements(rendered)
    ours = {
        "h3",
        "h4",
        "p",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "details",
        "summary",
        "code",
        "pre",
        "ul",
        "li",
    }
    assert set(elements.found) <= ours
    assert [elements.found.count(tag) for tag in ("table", "th", "td", "details")] == [1, 3, 6, 3]
    assert {name for name, _ in elements.attributes} <= {"style"}  # how the table aligns its columns


@given(text)
def test_escaped_text_is_one_line_that_reads_as_it_was(said: str) -> None:
    shown = escaped(said)
    assert not re.search(r"[\r\n|<>`*\[\]@#$\\]", re.sub(r"&#\d+;", "", shown))
    plain = " ".join(said.split())
    if said.isascii() and all(sign.isprintable() or sign in "\t\r\n" for sign in said):
        assert html.unescape(shown) == plain


@pytest.mark.parametrize("limit", [0, 200, 5_000, 100_000])
def test_the_summary_stays_within_its_limit_and_says_that_it_was_cut(limit: int) -> None:
    cases = [case(f"t.py::é{n}", "failed", message="é" * 300, details="é\n".encode() * 8000) for n in range(40)]
    written = summary(finished(*cases), limit)
    assert len(written.encode()) <= max(limit, 0)
    assert not written or "left out" in written
    assert written.count("<details>") == written.count("</details>")


def test_a_thousand_failures_fit_githubs_limit() -> None:
    cases = [case(f"t.py::t{n}", "failed", details=b"x" * 250_000) for n in range(1000)]
    assert len(summary(finished(*cases)).encode()) <= LIMIT_BYTES < 1024 * 1024


@given(text)
def test_no_text_ends_the_pages_data_or_becomes_an_element(said: str) -> None:
    written = page(nasty(said))
    elements = Elements(written)
    assert elements.found == Elements(page(finished())).found
    assert data_of(written)["cases"]["outcome"] == [2, 1]


@given(st.recursive(text | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(text, inner)))
def test_what_is_embedded_reads_back(data: Any) -> None:
    written = embedded(data)
    assert json.loads(written) == data
    assert not re.search("[<>&]", written)


def test_the_page_holds_every_case_with_what_is_known_of_it() -> None:
    data = data_of(page(nasty("said")))
    assert data["names"] == [[0, "test[said]"]]
    assert data["messages"] == {"0": "said"}
    assert data["details"]["0"]["text"] == "said\\xff"
    assert data["details"]["0"]["sections"] == [["said", "said"]]
    assert [target["name"] for target in data["targets"]] == ["default", "gpu"]
    assert data["artifacts"] == [["gpu", "said", 3, ""]]


def test_the_page_shows_what_failed_before_a_rerun() -> None:
    flaky = case("t.py::b", "flaky")
    record = flaky[0]
    one = record.earlier.add(
        outcome=result_pb2.OUTCOME_FAILED, worker_id="w", slot=1, details=b"Traceback of the first"
    )
    one.sections.add(title="Captured stdout call", content=b"printed first")
    (detail,) = data_of(page(finished(flaky)))["details"].values()
    title, shown = detail["sections"][0]
    assert title == "FAILED at execution 1 on slot 1 of w"
    assert ("Traceback of the first" in shown, "printed first" in shown) == (True, True)


def test_the_page_needs_no_network_and_runs_only_its_own_script_and_style() -> None:
    written = page(nasty())
    policy = html.unescape(re.findall(r'Content-Security-Policy" content="([^"]*)"', written)[0])
    style = re.findall(r"<style>(.*?)</style>", written, re.DOTALL)[0]
    for text, kind in ((Elements(written).scripts[1], "script-src"), (style, "style-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert not [value for name, value in Elements(written).attributes if name in ("src", "href", "style", "onclick")]
    assert not re.search(r"url\(|@import|https?://", style + Elements(written).scripts[1])


def test_the_script_makes_no_markup_of_data() -> None:
    script = Elements(page(finished())).scripts[1]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script)


def test_thirty_thousand_cases_fit_a_few_megabytes() -> None:
    cases = [
        case(f"tests/unit/part_{n % 50}/test_module_{n % 300}.py::TestClass::test_method_{n}[a-{n % 7}]", "passed")
        for n in range(30_000)
    ]
    assert len(page(finished(*cases)).encode()) < 3_000_000


def test_details_beyond_the_pages_limit_are_left_out_last_those_of_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossfleet.cli.reporting.html.contents.MOST_CHARACTERS", 1000)
    passed = [case(f"t.py::p{n}", "passed", details=b"x" * 300) for n in range(5)]
    data = data_of(page(finished(*passed, case("t.py::f", "failed", details=b"y" * 300))))
    assert len(data["cases"]["name"]) == 6
    assert "5" in data["details"]
    assert 0 < len(data["details"]) < 4


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium here")
def test_a_browser_draws_the_page_under_its_own_policy(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(page(nasty()), encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--virtual-time-budget=2000", "--dump-dom", f"file://{tmp_path / 'report.html'}#case=0"]
    drawn = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False).stdout
    assert re.search(r'<div id="row-0"[^>]*>', drawn)
    assert html.escape("</script><script>alert(1)</script>", quote=False) in drawn
    assert "traceback" in drawn
    assert "<img" not in drawn


def test_what_a_target_was_compared_with_stands_in_both() -> None:
    results = finished(case("t.py::test_a", "passed", target="gpu"))
    results.run.targets[0].unchanged_since = "run-1"
    results.run.targets[0].comparison = "runs, since build has left no artifact in CROSSFLEET_ARTIFACTS"
    name = results.run.targets[0].name
    assert f"target {name} runs, since build has left no artifact" in html.unescape(summary(results))
    assert results.run.targets[0].comparison in [one["comparison"] for one in data_of(page(results))["targets"]]
    assert "run-1" in [one["unchanged"] for one in data_of(page(results))["targets"]]


def test_one_file_that_is_left_is_counted_in_the_singular() -> None:
    results = finished(case("t.py::test_a", "passed"))
    assert "1 file left by tests" in summary(replace(results, artifacts=(Artifact(name="local/0/a", size_bytes=3),)))

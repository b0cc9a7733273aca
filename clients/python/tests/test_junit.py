"""The JUnit report, as Jenkins and GitLab read it."""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml

from clients.python.tests.sample_run import case, finished
from crossfleet.api.types.v1 import run_pb2
from crossfleet.cli.reporting import junit


@given(st.binary(), st.text())
def test_no_bytes_break_the_junit_report(content: bytes, name: str) -> None:
    name = name.encode("utf-8", "replace").decode()
    one = case(
        f"t.py::{name}", "failed", message=name, details=content, sections=[(name, content)], properties={name: name}
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.xml"
        junit.write(finished(one, case(f"t.py::{name}", "passed", target="gpu"), suite=name), path)
        first, second = JUnitXml.fromfile(str(path))
    assert (first.tests, first.failures, second.tests, second.failures) == (1, 1, 1, 0)


def test_junit_cases_have_places_properties_and_names_that_are_unique_in_the_file(tmp_path: Path) -> None:
    failed = case(
        "t.py::a", "failed", message="ValueError: no", details=b"t.py:7: ValueError", properties={"seed": "3"}
    )
    path = tmp_path / "out.xml"
    junit.write(finished(failed, case("t.py::a", "passed", target="gpu"), root="sub"), path)
    found = {each.get("name"): each for each in ET.parse(path).iter("testcase")}
    assert set(found) == {"a [default]", "a [gpu]"}
    one = found["a [default]"]
    assert found["a [gpu]"].find("properties") is None
    assert (one.get("file"), one.get("line")) == ("sub/t.py", "7")
    assert {each.get("name"): each.get("value") for each in one.iter("property")} == {
        "worker": "w1",
        "slot": "0",
        "seed": "3",
    }
    assert one.find("failure").get("type") == "ValueError"  # type: ignore[union-attr]
    assert ET.parse(path).find("testsuite").get("timestamp", "").endswith("Z")  # type: ignore[union-attr]


def test_a_case_that_passed_by_a_second_execution_says_where_and_why(tmp_path: Path) -> None:
    told = "executed a second time, on w1: on w2 it had lasted 40 s"
    junit.write(finished(case("t.py::a", "passed", message=told)), tmp_path / "out.xml")
    found = {each.get("name"): each.get("value") for each in ET.parse(tmp_path / "out.xml").iter("property")}
    assert (found["note"], found["worker"]) == (told, "w1")


def test_output_of_cases_that_passed_does_not_swell_the_junit_report(tmp_path: Path) -> None:
    junit.write(finished(case("t.py::a", "passed", sections=[("Captured stdout call", b"said")])), tmp_path / "out.xml")
    assert "said" not in (tmp_path / "out.xml").read_text()


def test_a_target_that_was_skipped_is_one_skipped_case(tmp_path: Path) -> None:
    results = finished(case("t.py::a", "failed", target="cpu"))
    results.run.targets.add(
        name="gpu", state=run_pb2.TARGET_STATE_SKIPPED, cause="skipped: it needs cpu, which did not pass"
    )
    junit.write(results, tmp_path / "out.xml")
    _, gpu = JUnitXml.fromfile(str(tmp_path / "out.xml"))
    assert (gpu.tests, gpu.skipped) == (1, 1)
    (one,) = gpu
    assert (one.name, one.result[0].message) == ("target gpu", "skipped: it needs cpu, which did not pass")

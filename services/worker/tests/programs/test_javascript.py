"""What node's runner and Vitest say."""

from __future__ import annotations

import json

import pytest

from crossfleet.worker.shim.programs.nodetest import NodeTest
from crossfleet.worker.shim.programs.program import Command, Listing, Output
from crossfleet.worker.shim.programs.vitest import Vitest
from services.worker.tests.programs.reading import ended, heard, outcomes, started


def lines(*events: dict[str, object]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def test_nodes_options_stay_and_its_files_are_replaced_by_one() -> None:
    program = NodeTest(
        ["node", "--import", "tsx", "--test", "--test-reporter=tap", "--test-concurrency", "4", "a/*.js"], "/"
    )

    listing, batch = program.listing("/r"), program.batch(["a/x.js", "a/y.js"], "/r")

    assert isinstance(listing, Command)
    assert list(listing.argv)[3:] == ["--import", "tsx", "--test", "a/*.js"]
    assert list(batch.command.argv)[:3] == ["node", "--import", "tsx"]
    assert (batch.ids, batch.command.argv[-1]) == (["a/x.js"], "a/x.js")
    assert not {"tap", "4", "--test"} & set(batch.command.argv)


def test_nodes_tests_are_cases_of_their_file_whose_verdict_is_its_processes() -> None:
    text = lines(
        {"type": "test:start", "name": "group", "nesting": 0},
        {"type": "test:start", "name": "fine", "nesting": 1},
        {"type": "test:pass", "name": "fine", "nesting": 1, "milliseconds": 250},
        {"type": "test:fail", "name": "bad", "nesting": 1, "error": "1 !== 2\nmore", "stack": "at x"},
        {"type": "test:pass", "name": "out", "nesting": 1, "skip": "no network"},
        {"type": "test:fail", "name": "later", "nesting": 1, "todo": True, "error": "x"},
        {"type": "test:fail", "name": "group", "nesting": 0, "error": "1 subtest failed"},
        {"type": "test:pass", "name": "group", "nesting": 0},
    )

    events = heard(NodeTest(["node", "--test"], "/").batch(["a.js"], "/r").reader, text, stream="results", code=1)

    assert outcomes(events) == {
        "a.js": "failed",
        "a.js::group > fine": "passed",
        "a.js::group > bad": "failed",
        "a.js::group > out": "skipped",
        "a.js::group > later": "xfailed",
        "a.js::group": "failed",
        "a.js::group#2": "passed",
    }
    assert started(events) == ["a.js"]
    assert (ended(events, "a.js::group > bad").message, ended(events, "a.js::group > bad").details) == (
        "1 !== 2",
        "at x",
    )


def test_a_file_that_fails_without_a_test_shows_what_node_said() -> None:
    reader = NodeTest(["node", "--test"], "/").batch(["a.js"], "/r").reader

    events = heard(reader, "Error: Cannot find module './missing'\n", stream="stderr", code=1)

    assert outcomes(events) == {"a.js": "failed"}
    assert "Cannot find module" in ended(events, "a.js").details


@pytest.mark.parametrize(
    "words",
    [
        ["npx", "vitest", "run", "-t", "name", "src/", "--reporter=dot", "--coverage"],
        ["node_modules/.bin/vitest", "--coverage", "src/", "-t", "name", "--outputFile=x"],
    ],
)
def test_vitests_options_stay_and_its_filters_choose_files(words: list[str]) -> None:
    program = Vitest(words, "/work")

    listing, batch = program.listing("/r"), program.batch(["src/a.test.js"], "/r")

    assert isinstance(listing, Command)
    assert {"list", "--filesOnly", "src/", "-t", "name"} <= set(listing.argv)
    assert {"run", "-t", "name", "--coverage", "src/a.test.js"} <= set(batch.command.argv)
    assert not {"src/", "--reporter=dot", "--outputFile=x"} & set(batch.command.argv)


def test_vitest_modes_that_do_not_end_are_refused() -> None:
    with pytest.raises(ValueError, match="bench"):
        Vitest(["npx", "vitest", "bench"], "/")


def test_vitests_files_are_named_from_the_folder_and_its_report_says_each_test() -> None:
    program = Vitest(["vitest"], "/work")
    found = program.listed(Output(0, "", "", json.dumps([{"file": "/work/a.test.js"}, {"file": "/work/b.test.js"}])))
    report = {
        "testResults": [
            {
                "name": "/work/a.test.js",
                "status": "failed",
                "message": "",
                "startTime": 1000,
                "endTime": 1500,
                "assertionResults": [
                    {"ancestorTitles": ["g"], "title": "one", "status": "passed", "duration": 250},
                    {"ancestorTitles": [], "title": "two", "status": "failed", "failureMessages": ["E: x\n at y"]},
                    {"ancestorTitles": [], "title": "three", "status": "todo"},
                ],
            },
            {"name": "/work/b.test.js", "status": "failed", "message": "Cannot find\nmore", "assertionResults": []},
            {"name": "/work/others.test.js", "status": "passed", "assertionResults": []},
        ]
    }

    batch = program.batch(["a.test.js", "b.test.js"], "/r")
    events = heard(batch.reader, json.dumps(report), stream="results", code=1)

    assert isinstance(found, Listing)
    assert [name for name, _ in found.cases] == ["a.test.js", "b.test.js"]
    assert outcomes(events) == {
        "a.test.js::g > one": "passed",
        "a.test.js::two": "failed",
        "a.test.js::three": "skipped",
        "a.test.js": "failed",
        "b.test.js": "error",
    }
    assert ended(events, "a.test.js").seconds == 0.5
    assert ended(events, "b.test.js").message == "Cannot find"


def test_a_vitest_that_is_too_old_to_list_is_refused_with_what_it_said() -> None:
    found = Vitest(["vitest"], "/").listed(Output(1, "", "CACError: Unknown option `--filesOnly`", ""))

    assert isinstance(found, Listing)
    assert "2.1" in found.refused
    assert "CACError" in found.refused

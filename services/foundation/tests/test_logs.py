"""What is written to the log, and what never is."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.foundation import logs
from crossfleet.foundation.log_lines import console_line, json_line
from crossfleet.foundation.redaction import without_secrets


@pytest.fixture
def lines() -> Iterator[Any]:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("worker", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logs.configure("tests", format="console", level="info", stream=None)
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_has_time_level_service_event_and_keys(lines: Any) -> None:
    logs.get_logger().bind(worker="w1").info("worker joined", slots=2)
    (line,) = lines()
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {"level": "info", "service": "worker", "event": "worker joined", "worker": "w1", "slots": 2}


async def test_bound_keys_belong_to_one_task_only(lines: Any) -> None:
    both_inside = asyncio.Barrier(2)

    async def work(run: str) -> None:
        with logs.bound(run=run):
            await both_inside.wait()
            logs.get_logger().info("inside")

    await asyncio.gather(work("r1"), work("r2"))
    logs.get_logger().info("outside")
    assert sorted(line.get("run", "-") for line in lines()) == ["-", "r1", "r2"]


def test_secrets_are_hidden_at_any_depth(lines: Any) -> None:
    logs.get_logger().info(
        "request",
        token="hunter2",
        headers={"Authorization": "Bearer hunter2", "x": [{"password": "hunter2"}]},
        text="curl -H 'authorization: Bearer hunter2' postgres://me:hunter2@db/x",
        token_file="/run/token",
        tokens=7,
    )
    (line,) = lines()
    assert "hunter2" not in json.dumps(line)
    assert line["token_file"] == "/run/token"
    assert line["tokens"] == 7


def test_what_libraries_log_comes_out_as_the_same_lines(lines: Any) -> None:
    logging.getLogger("some.library").warning("it is %s", "late")
    logging.getLogger("some.library").info("chatter")
    (line,) = lines()
    assert (line["event"], line["logger"], line["level"]) == ("it is late", "some.library", "warning")


def test_an_exception_brings_its_traceback(lines: Any) -> None:
    logs.get_logger().error("it broke", exc_info=ValueError("why"))
    assert "ValueError: why" in lines()[0]["exception"]


def test_lines_below_the_level_are_dropped(lines: Any) -> None:
    logs.get_logger().debug("detail")
    assert lines() == []


_values = st.recursive(st.none() | st.text() | st.binary() | st.floats() | st.integers(), st.lists, max_leaves=5)


@given(st.dictionaries(st.text(min_size=1), _values, max_size=4))
def test_any_value_becomes_one_line(keys: dict[str, Any]) -> None:
    event = without_secrets({**keys, "timestamp": 0.0, "level": "info", "event": "e", "service": "s"})
    assert json_line(event).count("\n") == 1
    assert json.loads(json_line(event))["event"] == "e"
    assert console_line(event).startswith("00:00:00.000 info    s: e")


def test_lone_surrogates_do_not_break_a_line() -> None:
    event = {"timestamp": 0.0, "level": "info", "event": "a\udcff", "service": "s"}
    assert json.loads(json_line(event))["event"] == "a\\udcff"
    assert console_line(event).encode()

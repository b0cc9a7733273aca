"""Structured logs to stderr: JSON for machines, text for people, never a secret.

Our own and not structlog, which imports rich, Pygments and attrs (110 ms in each process of an embedded fleet).
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Literal, TextIO

from crossfleet.foundation.log_lines import console_line, json_line
from crossfleet.foundation.redaction import without_secrets

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

_NUMBERS: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_context: ContextVar[Mapping[str, object]] = ContextVar("crossfleet_log_context", default=MappingProxyType({}))


class _Output:
    """Where the lines of this process go; replaced by `configure`."""

    service = "crossfleet"
    threshold = _NUMBERS["info"]
    stream: TextIO | None = None
    format: LogFormat = "console"


def configure(
    service: str, *, format: LogFormat = "json", level: LogLevel = "info", stream: TextIO | None = None
) -> None:
    """Sends the logs of this process to `stream` (stderr), also what libraries log with `logging` from warning up."""
    _Output.service, _Output.format, _Output.threshold, _Output.stream = service, format, _NUMBERS[level], stream
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(logging.DEBUG if level == "debug" else max(_Output.threshold, logging.WARNING))


class Logger:
    """Logs events: a fixed phrase, and what varies as keys. `log.info("worker joined", worker=name)`."""

    def __init__(self, **context: object) -> None:
        self._context = context

    def bind(self, **context: object) -> Logger:
        """A logger that adds these keys to every line."""
        return Logger(**{**self._context, **context})

    def debug(self, event: str, **keys: object) -> None:
        """For whoever looks for a fault."""
        self._write("debug", event, keys)

    def info(self, event: str, **keys: object) -> None:
        """What an operator wants to have seen later."""
        self._write("info", event, keys)

    def warning(self, event: str, *, exc_info: BaseException | None = None, **keys: object) -> None:
        """Something is not as it should be, and goes on."""
        self._write("warning", event, keys, exc_info)

    def error(self, event: str, *, exc_info: BaseException | None = None, **keys: object) -> None:
        """Something failed; `exc_info` adds its traceback."""
        self._write("error", event, keys, exc_info)

    def _write(self, level: str, event: str, keys: Mapping[str, object], error: BaseException | None = None) -> None:
        if _NUMBERS[level] < _Output.threshold:
            return
        found = {**_context.get(), **self._context, **keys}
        if error is not None:
            found["exception"] = "".join(traceback.format_exception(error)).rstrip()
        _emit(level, event, found)


_LOGGER = Logger()


def get_logger() -> Logger:
    """The logger of this process."""
    return _LOGGER


@contextmanager
def bound(**context: object) -> Iterator[None]:
    """Adds keys (run, task, attempt, worker, epoch) to every line logged inside the block, in this task only."""
    before = _context.get()
    _context.set({**before, **context})
    try:
        yield
    finally:
        _context.set(before)


class _Bridge(logging.Handler):
    """Makes what libraries log into lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for name in ("error", "warning", "info") if record.levelno >= _NUMBERS[name]), "debug")
        keys: dict[str, object] = {**_context.get(), "logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            keys["exception"] = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        _emit(level, record.getMessage(), keys)


def _emit(level: str, event: str, keys: dict[str, Any]) -> None:
    head = {"timestamp": time.time(), "level": level, "event": event, "service": _Output.service}
    line = (json_line if _Output.format == "json" else console_line)(without_secrets({**head, **keys}))
    stream = _Output.stream or sys.stderr
    try:
        stream.write(line)
        stream.flush()
    except (OSError, ValueError):  # a closed or full stderr must not stop a service
        pass

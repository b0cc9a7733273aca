"""JSON documents about runs, workers and artifacts. Their schema only grows; a break raises SCHEMA."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.reporting.locations import location_of
from crossfleet.cli.reporting.text import outcome_word
from crossfleet.cli.reporting.times import utc
from crossfleet.cli.reporting.whole import write_whole
from crossfleet.cli.running.results import RunResults
from crossfleet.cli.unheard import write_line
from crossfleet.foundation.words import word

SCHEMA = 1
_SECRET_FIELDS = frozenset(("variables",))


def write(document: Any) -> str:
    """The text of a document."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def envelope(kind: str, content: Any) -> dict[str, Any]:
    """A document with its schema version; `kind` names the field that holds the content."""
    return {"schema": SCHEMA, kind: content}


def run_document(results: RunResults) -> dict[str, Any]:
    """The JSON report of a run: verdict, targets, every case, details of what failed."""
    return envelope("run", plain(results.run)) | {
        "cases": [case_document(case, results.detail(case), results.run.spec.suite.root) for case in results.cases],
        "artifacts": [plain(artifact) for artifact in results.artifacts],
        "waiting_artifacts": [plain(artifact) for artifact in results.waiting],
        "warnings": results.warnings(),
    }


def write_report(results: RunResults, where: str) -> None:
    """Writes the JSON report to a file, as a whole, or to standard output for `-`. Raises OSError."""
    text = write(run_document(results))
    if where == "-":
        write_line(text, sys.stdout)
    else:
        write_whole(Path(where), text + "\n")


def case_document(
    case: result_pb2.CaseRecord, detail: result_pb2.CaseResult | None = None, root: str = ""
) -> dict[str, Any]:
    """One case. Output that is not UTF-8 is shown with backslashes; the file counts from the workspace."""
    document: dict[str, Any] = {
        "target": case.target,
        "id": case.case_id,
        "outcome": outcome_word(case.outcome),
        "seconds": round(case.seconds, 6),
        "message": case.message,
        "worker": case.worker_id,
        "slot": case.slot,
    }
    if case.device_model:
        document["device_model"] = case.device_model
    if case.earlier:
        document["earlier"] = [_earlier_document(one) for one in case.earlier]
    if detail is not None:
        place = location_of(case, detail, root)
        document |= {"file": place.file, "line": place.line}
        document["details"] = detail.details.decode("utf-8", "backslashreplace")
        document["sections"] = _sections(detail)
        document["properties"] = dict(detail.properties)
    return document


def _earlier_document(one: result_pb2.EarlierResult) -> dict[str, Any]:
    """A failure after which its case was run again. Without a worker: in the same slot, by a plugin of the suite."""
    model = {"device_model": one.device_model} if one.device_model else {}
    return {
        "outcome": outcome_word(one.outcome),
        "seconds": round(one.seconds, 6),
        "message": one.message,
        "worker": one.worker_id,
        "slot": one.slot,
        **model,
        "details": one.details.decode("utf-8", "backslashreplace"),
        "sections": _sections(one),
    }


def _sections(shown: result_pb2.CaseResult | result_pb2.EarlierResult) -> list[dict[str, str]]:
    return [
        {"title": section.title, "content": section.content.decode("utf-8", "backslashreplace")}
        for section in shown.sections
    ]


def plain(message: Message) -> dict[str, Any]:
    """A message as JSON values: names as in the proto, times in UTC, enums by their names, no variables of suites."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if field.has_presence and not message.HasField(field.name):
            continue
        value = getattr(message, field.name)
        if field.name in _SECRET_FIELDS:
            found[field.name] = sorted(value)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            found[field.name] = {str(key): _value(field, value[key]) for key in value}
        elif field.is_repeated:
            found[field.name] = [_value(field, each) for each in value]
        else:
            found[field.name] = _value(field, value)
    return found


def _value(field: Any, value: Any) -> Any:
    if isinstance(value, Timestamp):
        return utc(value)
    if isinstance(value, Message):
        return value.ToNanoseconds() / 1e9 if isinstance(value, Duration) else plain(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if field.enum_type is not None and isinstance(value, int):
        return word(field.enum_type, value)
    return value


def verdict_word(run: run_pb2.Run) -> str:
    """`passed` of RUN_VERDICT_PASSED."""
    return word(run_pb2.RunVerdict, run.verdict)

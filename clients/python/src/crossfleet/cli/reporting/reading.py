"""JSON reports of runs, read back: what `documents` wrote as messages again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting.documents import SCHEMA
from crossfleet.cli.reporting.last_words import LastWords
from crossfleet.cli.running.results import RunResults
from crossfleet.foundation.words import number_of

# A million cases that all passed take a quarter of this.
_MOST_BYTES = 1 << 30

_Message = TypeVar("_Message", bound=Message)


def read_report(path: Path) -> RunResults:
    """The run of a JSON report; artifacts stay where they are. Raises UsageError where it is none."""
    try:
        document = json.loads(_content(path))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is no whole JSON report: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("run"), dict) or "cases" not in document:
        raise UsageError(f"{path}: is no report of a run: `crossfleet run --json FILE` writes one")
    if document.get("schema") != SCHEMA:
        raise UsageError(f"{path}: is of schema {document.get('schema')!r}, this crossfleet reads {SCHEMA}")
    try:
        return _results(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path}: another version of crossfleet wrote it, or nobody did: {error!r}") from None


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{path}: has more than {_MOST_BYTES >> 20} MiB, which is no report of a run")
    return content


def _results(document: Mapping[str, Any]) -> RunResults:
    cases, details = [], {}
    for index, content in enumerate(document["cases"]):
        case = result_pb2.CaseRecord(
            target=content["target"],
            case_index=index,
            case_id=content["id"],
            outcome=_outcome(content),
            seconds=content["seconds"],
            message=content["message"],
            worker_id=content["worker"],
            slot=content["slot"],
            device_model=content.get("device_model", ""),
            earlier=[_earlier(one) for one in content.get("earlier", ())],
        )
        cases.append(case)
        if "details" in content:
            details[case.target, index, case.case_id] = _detail(content)
    # Of what the sessions said last a report keeps the number of warnings alone.
    counted = document.get("warnings", 0)
    said = (LastWords("", "", counted, ()),) if counted else ()
    return RunResults(filled(run_pb2.Run(), document["run"]), tuple(cases), details, last_words=said)


def _detail(content: Mapping[str, Any]) -> result_pb2.CaseResult:
    return result_pb2.CaseResult(
        details=_bytes(content["details"]), sections=_sections(content), properties=content["properties"]
    )


def _earlier(content: Mapping[str, Any]) -> result_pb2.EarlierResult:
    return result_pb2.EarlierResult(
        outcome=_outcome(content),
        seconds=content["seconds"],
        message=content["message"],
        worker_id=content["worker"],
        slot=content["slot"],
        device_model=content.get("device_model", ""),
        details=_bytes(content["details"]),
        sections=_sections(content),
    )


def _outcome(content: Mapping[str, Any]) -> Any:
    return number_of(result_pb2.Outcome, content["outcome"])


def _sections(content: Mapping[str, Any]) -> list[result_pb2.OutputSection]:
    return [
        result_pb2.OutputSection(title=section["title"], content=_bytes(section["content"]))
        for section in content["sections"]
    ]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def filled(message: _Message, values: Mapping[str, Any]) -> _Message:
    """`message` with the fields of a document; what the document hides or this version does not know is left out.

    Raises ValueError, TypeError, KeyError where a value does not fit its field.
    """
    for field in message.DESCRIPTOR.fields:
        value = values.get(field.name)
        if value is None:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            if isinstance(value, dict):  # a list of names stands for variables, whose values are hidden
                getattr(message, field.name).update(value)
        elif field.is_repeated and field.message_type is not None:
            for each in value:
                _put(getattr(message, field.name).add(), each)
        elif field.is_repeated:
            getattr(message, field.name).extend(_scalar(field, each) for each in value)
        elif field.message_type is not None:
            getattr(message, field.name).SetInParent()
            _put(getattr(message, field.name), value)
        else:
            setattr(message, field.name, _scalar(field, value))
    return message


def _put(message: Message, value: Any) -> None:
    if isinstance(message, Timestamp):
        message.FromDatetime(datetime.fromisoformat(value))
    elif isinstance(message, Duration):
        message.FromNanoseconds(int(value * 1e9))
    else:
        filled(message, value)


def _scalar(field: Any, value: Any) -> Any:
    if field.enum_type is not None and isinstance(value, str):
        return number_of(field.enum_type, value)
    return value

"""Values of device attributes as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.types.v1.device_pb2 import AttributeValue, StringList
from crossfleet.cli.attributes import attribute
from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting.devices import ago

WHOLE, REAL, FLAG = AttributeValue(int_value=1), AttributeValue(double_value=1.0), AttributeValue(bool_value=True)
TEXT, VERSION = AttributeValue(string_value="a"), AttributeValue(version_value="1")
LIST = AttributeValue(list_value=StringList(values=["a"]))


@pytest.mark.parametrize(
    ("text", "like", "meant"),
    [
        ("true", None, AttributeValue(bool_value=True)),
        ("16Gi", None, AttributeValue(int_value=16 << 30)),
        ("-3", None, AttributeValue(int_value=-3)),
        ("0x1f", None, AttributeValue(int_value=31)),
        ("0.5", None, AttributeValue(double_value=0.5)),
        ("version(1.2)", None, AttributeValue(version_value="1.2")),
        ('version("1.2")', None, AttributeValue(version_value="1.2")),
        ("a, b", None, AttributeValue(list_value=StringList(values=["a", "b"]))),
        ("550.54.14", None, AttributeValue(string_value="550.54.14")),
        ("revision c", None, AttributeValue(string_value="revision c")),
        ("", None, AttributeValue(string_value="")),
        ("1.5G", WHOLE, AttributeValue(int_value=1_500_000_000)),
        ("2", REAL, AttributeValue(double_value=2.0)),
        ("False", FLAG, AttributeValue(bool_value=False)),
        ("16Gi", TEXT, AttributeValue(string_value="16Gi")),
        ("version(2.1)", TEXT, AttributeValue(version_value="2.1")),
        ("560", VERSION, AttributeValue(version_value="560")),
        ("avx2", LIST, AttributeValue(list_value=StringList(values=["avx2"]))),
    ],
)
def test_a_value_has_the_type_of_what_it_replaces_or_else_of_what_it_looks_like(
    text: str, like: AttributeValue | None, meant: AttributeValue
) -> None:
    assert attribute("name", text, like) == meant


@pytest.mark.parametrize(
    ("text", "like"), [("1.5", WHOLE), ("many", WHOLE), ("yes", FLAG), ("9" * 20, WHOLE), ("x", REAL)]
)
def test_what_has_another_type_is_refused(text: str, like: AttributeValue) -> None:
    with pytest.raises(UsageError, match=r"name=.*: name is "):
        attribute("name", text, like)


def test_ages_are_told_in_one_unit() -> None:
    now = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)
    at = int(now.timestamp())
    assert [ago(Timestamp(seconds=at - back), now) for back in (0, 59, 61, 7200, 200_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "2 h",
        "2 d",
    ]
    assert ago(Timestamp()) == ""

"""Quantities and versions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.matching.quantity import format_quantity, parse_quantity
from crossfleet.matching.version import Version, encode


@pytest.mark.parametrize(
    ("text", "value"),
    [("16Gi", 16 * 2**30), ("1.5 GiB", 3 * 2**29), ("500M", 500 * 10**6), ("1024", 1024), ("2k", 2000), ("0", 0)],
)
def test_a_quantity_is_read(text, value):
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", "Gi", "-1Gi", "1Xi", "1 2", "9999999999999Pi", "1e3"])
def test_what_is_no_quantity_is_refused_with_the_units_that_are(text):
    with pytest.raises(ValueError, match="not a quantity"):
        parse_quantity(text)


def test_a_quantity_is_written_for_people():
    assert [format_quantity(n) for n in (640, 2**30, 3 * 2**29)] == ["640", "1Gi", "1.5Gi"]


def test_versions_are_ordered_by_number_and_pre_releases_come_first():
    texts = ["1.9", "1.10rc1", "1.10", "1.10-ubuntu3", "1.10.0.1", "1.11", "550.54", "550.54.14"]
    shuffled = texts[::-1]
    assert sorted(shuffled, key=Version) == texts


def test_missing_parts_of_a_version_are_zero():
    assert Version("550") == Version("550.0.0")
    assert hash(Version("550")) == hash(Version("v550.0"))


@pytest.mark.parametrize("text", ["", "new", "1..2", "1.2.3.4.5.6.7.8.9", "9" * 30])
def test_what_is_no_version_is_refused(text):
    with pytest.raises(ValueError, match="not a version"):
        Version(text)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5), st.lists(st.integers(0, 10**6), min_size=1, max_size=5))
def test_versions_compare_as_their_numbers(left, right):
    width = max(len(left), len(right))
    padded = [parts + [0] * (width - len(parts)) for parts in (left, right)]
    written = [".".join(map(str, parts)) for parts in (left, right)]
    assert (encode(written[0]) < encode(written[1])) == (padded[0] < padded[1])

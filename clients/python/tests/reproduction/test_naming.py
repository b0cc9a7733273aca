from __future__ import annotations

import pytest

from crossfleet.cli.reproduction.naming import meant, near

KNOWN = [
    ("gpu", "tests/test_a.py::test_bad"),
    ("cpu", "tests/test_a.py::test_bad"),
    ("cpu", "tests/test_a.py::TestX::test_y[a - b]"),
    ("cpu", "tests/test_a.py::TestX::test_y[2]"),
    ("cpu", "tests/test_b.py::test_c"),
]
BAD = "tests/test_a.py::test_bad"


@pytest.mark.parametrize(
    "typed",
    [
        BAD,
        "test_a.py::test_bad",
        "test_bad",
        "./tests/test_a.py::test_bad",
        f"project/{BAD}",
        f"FAILED {BAD} - AssertionError: assert 1 == 2",
        f" {BAD} ",
    ],
)
def test_a_case_is_understood_as_people_type_it(typed):
    assert meant(typed, KNOWN) == [("gpu", BAD), ("cpu", BAD)]
    assert meant(typed, KNOWN, "cpu") == [("cpu", BAD)]


@pytest.mark.parametrize("typed", [f"{BAD} [gpu]", f"FAILED {BAD} - assert [1] == [2] [gpu]"])
def test_a_line_of_a_report_names_the_target_too(typed):
    assert meant(typed, KNOWN) == [("gpu", BAD)]


def test_parameters_may_hold_anything_and_may_be_left_out():
    assert meant("tests/test_a.py::TestX::test_y[a - b]", KNOWN) == [KNOWN[2]]
    assert meant("TestX::test_y", KNOWN) == KNOWN[2:4]


def test_what_means_nothing_fits_nothing_and_what_is_like_it_is_found():
    ids = [case_id for _, case_id in KNOWN]
    assert meant("test_a.py::test_bat", KNOWN) == []
    assert meant("_bad", KNOWN) == []
    assert near("test_a.py::test_bat", ids)[0] == BAD
    assert near("tests/other/test_c", ids)[0] == "tests/test_b.py::test_c"
    assert near("zzzzzz", ids) == []

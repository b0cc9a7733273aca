"""How many devices a slot takes, by class."""

import pytest

from crossfleet.matching.classes import UNKNOWN, most_by_class


@pytest.mark.parametrize(
    ("several", "most"),
    [
        ([], {}),
        ([{"gpu": 2}], {"gpu": 2}),
        ([{"gpu": 1}, {"npu": 2}, {}], {"gpu": 1, "npu": 2}),
        ([{"gpu": 1}, {UNKNOWN: 1}], {UNKNOWN: 1}),
        ([{"gpu": 1, UNKNOWN: 1}, {UNKNOWN: 1}], {UNKNOWN: 1, "gpu": 1}),
    ],
)
def test_what_is_counted_suffices_for_each_alternative_and_is_no_more_than_that(several, most):
    assert most_by_class(several) == most

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core.duration_model import UNKNOWN, DurationModel
from crossfleet.coordinator.core.durations import Duration, observe
from crossfleet.coordinator.core.lognormal import HIGH, LOW, LogNormal, total
from crossfleet.coordinator.core.similarity import kin

seconds = st.floats(1e-4, 1e4)
ids = st.from_regex(r"([a-c]/)?test_[a-c]\.py::(T::)?test_[a-c](\[[0-9]\])?", fullmatch=True)


def learnt(*values: float) -> Duration:
    found = None
    for value in values:
        found = observe(found, value)
    assert found is not None
    return found


def test_a_case_is_like_others_of_its_function_class_file_and_folders():
    assert kin("a/b/test_c.py::T::test_d[1-x]") == (
        "a/b/test_c.py::T::test_d",
        "a/b/test_c.py::T",
        "a/b/test_c.py",
        "a/b",
        "a",
        "",
    )
    assert kin("example.org/pkg.TestIt/sub")[:2] == ("example.org/pkg.TestIt", "example.org/pkg")
    assert kin("lonely") == ("",)


def test_of_a_suite_that_never_ran_each_case_is_taken_for_the_same_constant():
    expected = DurationModel({}).expect("test_a.py::test_a")

    assert expected.median == pytest.approx(UNKNOWN.median)
    assert expected.quantile(HIGH) > 10 * expected.quantile(LOW)


def test_an_unseen_case_takes_what_others_of_its_function_take():
    known = {f"test_a.py::test_slow[{number}]": learnt(20.0) for number in range(5)}
    known |= {f"test_a.py::test_fast_{number}": learnt(0.01) for number in range(50)}
    model = DurationModel(known)

    assert 10.0 < model.expect("test_a.py::test_slow[new]").median < 25.0
    assert model.expect("test_a.py::test_other").median < 0.1
    assert model.like("test_a.py::test_slow[new]") == "test_a.py::test_slow"


def test_what_was_measured_on_another_class_is_scaled_by_the_cases_that_both_have_seen():
    slow = {f"test_a.py::test_{number}": learnt(float(number + 1) * 8) for number in range(40)}
    own = {case_id: learnt(math.exp(found.mean) / 8) for case_id, found in slow.items() if not case_id.endswith("9")}
    model = DurationModel(own, [slow])

    expected = model.expect("test_a.py::test_39")

    assert model.knows("test_a.py::test_39")
    assert expected.median == pytest.approx(40.0, rel=0.15)
    assert expected.sigma < 1.0


def test_a_class_that_never_ran_the_suite_takes_another_ones_figures_with_doubt():
    model = DurationModel({}, [{"test_a.py::test_a": learnt(4.0, 4.0, 4.0)}])

    expected = model.expect("test_a.py::test_a")

    assert expected.median == pytest.approx(4.0)
    assert expected.quantile(HIGH) > 2 * expected.median


def test_own_measurements_outweigh_those_of_another_class():
    model = DurationModel({"a.py::a": learnt(1.0, 1.0, 1.0)}, [{"a.py::a": learnt(9.0), "a.py::b": learnt(9.0)}])

    assert model.expect("a.py::a").median == pytest.approx(1.0, rel=0.2)


def test_eight_of_ten_next_executions_lie_within_the_interval():
    chance = random.Random(7)
    middles = {f"test_{number % 9}.py::test_{number}": chance.lognormvariate(-2.0, 1.5) for number in range(600)}
    runs = [{one: middle * chance.lognormvariate(0.0, 0.25) for one, middle in middles.items()} for _ in range(5)]
    known: dict[str, Duration] = {}
    for count, run in enumerate(runs[:-1], 1):
        known = {one: observe(known.get(one), value) for one, value in run.items()}
        model = DurationModel(known)
        inside = sum(
            model.expect(one).quantile(LOW) <= value <= model.expect(one).quantile(HIGH)
            for one, value in runs[count].items()
        )
        assert 0.72 < inside / len(middles) < 0.88, f"after {count} runs"


def test_the_sum_of_many_cases_is_surer_than_each_unless_they_err_together():
    case = LogNormal(0.0, 0.5)

    apart, alike, hosts = total([case] * 400), total([], [[case] * 400]), total([case] * 400, common=0.2)

    assert apart.mean == pytest.approx(400 * case.mean)
    assert apart.sigma < 0.05 < hosts.sigma < 0.25 < alike.sigma
    assert alike.deviation == pytest.approx(400 * case.deviation)


@given(
    st.dictionaries(ids, st.lists(seconds, min_size=1, max_size=4), max_size=8),
    st.dictionaries(ids, st.lists(seconds, min_size=1, max_size=4), max_size=8),
    ids,
)
def test_whatever_was_measured_an_expectation_is_finite_and_its_interval_in_order(own, other, asked):
    model = DurationModel(
        {one: learnt(*values) for one, values in own.items()}, [{one: learnt(*values) for one, values in other.items()}]
    )

    expected = model.expect(asked)

    low, middle, high = expected.quantile(LOW), expected.median, expected.quantile(HIGH)
    assert 0 < low < middle < high < math.inf
    assert 0 < expected.mean < math.inf
    assert model.knows(asked) == (asked in own or asked in other)


@given(st.lists(seconds, min_size=1, max_size=12), ids)
def test_more_executions_that_show_the_same_never_make_a_case_less_sure(values, case_id):
    once = DurationModel({case_id: learnt(values[0])}).expect(case_id)
    often = DurationModel({case_id: learnt(*[values[0]] * (len(values) + 1))}).expect(case_id)

    assert often.sigma <= once.sigma
    assert often.median == pytest.approx(values[0])

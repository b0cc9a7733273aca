"""Gates decide by readings alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.worker.shim.gates import WINDOW_SECONDS, Gates, properties, recent, told_beside

times = st.lists(st.floats(0, 10), min_size=1, max_size=20).map(sorted)


def gates(devices=(), **limits):
    return Gates({"limits": limits, "wait": 10, "repeats": 1, "devices": devices})


def reading(at, **values):
    return {"at": at, **values}


def test_the_load_of_others_is_what_is_busy_without_ones_own_processes() -> None:
    window = [reading(0, busy=10.0, own=4.0), reading(2, busy=14.0, own=5.0)]
    measures = gates().measured(window, running=False)
    assert measures == {"load": 1.5}
    assert gates(load=1.5).broken(measures, running=False) == ""
    assert gates(load=1.4).broken(measures, running=False) == "load 1.5 cores of others, more than 1.4"


def test_pressure_is_the_part_of_the_time_in_which_something_waited() -> None:
    measures = gates().measured([reading(1, pressed=1.0), reading(3, pressed=1.5)], running=True)
    assert measures == {"pressure": 0.25}
    assert gates(pressure=0.1).broken(measures, running=True) == "pressure 0.25, more than 0.1"


def test_an_idle_processor_may_be_clocked_low_and_one_at_work_may_not() -> None:
    window = [reading(0, clock=0.2, clock_allowed=1.0), reading(1, clock=0.2, clock_allowed=1.0)]
    asked = gates(clock=0.9)
    assert asked.broken(asked.measured(window, running=False), running=False) == ""
    meanwhile = [window[0], reading(1, clock=0.7), reading(2, clock=1.0)]
    assert asked.broken(asked.measured(meanwhile, running=True), running=True) == "clock 0.7, less than 0.9"
    capped = [reading(0, clock_allowed=0.5), reading(1, clock_allowed=0.5)]
    assert asked.broken(asked.measured(capped, running=False), running=False) == "clock 0.5, less than 0.9"


def test_the_hottest_moment_counts_and_a_processor_that_was_throttled_was_too_hot() -> None:
    window = [
        reading(0, temperature=50, throttles=7),
        reading(1, temperature=90),
        reading(2, temperature=60, throttles=9),
    ]
    asked = gates(temperature=95)
    measures = asked.measured(window, running=True)
    assert measures["temperature"] == 90
    assert asked.broken(measures, running=True) == "temperature: heat slowed processors down 2 times"
    assert asked.broken(measures, running=False) == ""
    assert gates(load=1).broken({"throttles": 3, "load": 0}, running=True) == ""


def test_gpus_that_the_slot_holds_may_be_used_but_not_be_hot_and_others_the_other_way_round() -> None:
    window = [reading(0, gpus={}), reading(1, gpus={"mine": [1.0, 70.0], "theirs": [0.3, 99.0], "mute": [None, None]})]
    measures = gates(devices=["mine"]).measured(window, running=True)
    assert measures == {"gpu": 0.3, "temperature": 70.0}


def test_a_gate_that_cannot_be_measured_any_more_is_not_open() -> None:
    assert gates(temperature=80).broken({"load": 0.0}, running=False) == "temperature cannot be measured"


@given(
    st.dictionaries(st.sampled_from(["temperature", "load", "pressure", "gpu", "clock"]), st.floats(0, 1)),
    st.dictionaries(st.sampled_from(["temperature", "load", "pressure", "gpu", "clock"]), st.floats(0, 1)),
    st.booleans(),
)
def test_gates_are_open_if_and_only_if_every_limit_holds(limits, measures, running) -> None:
    def holds(name):
        if name not in measures:
            return False
        return measures[name] >= limits[name] if name == "clock" else measures[name] <= limits[name]

    assert (gates(**limits).broken(measures, running=running) == "") == all(map(holds, limits))


@given(times)
def test_what_is_judged_before_a_case_is_the_last_window_and_never_an_old_one(at) -> None:
    kept = [one["at"] for one in recent([reading(each) for each in at])]
    assert kept[-1] == at[-1]
    assert all(one > at[-1] - 2 * WINDOW_SECONDS for one in kept)
    assert sum(one <= at[-1] - WINDOW_SECONDS for one in kept) <= 1
    assert [one for one in kept if one > at[-1] - WINDOW_SECONDS] == [
        one for one in at if one > at[-1] - WINDOW_SECONDS
    ]


def test_a_noisy_result_says_so_before_all_else() -> None:
    told = properties({"load": 0.01}, {"load": 1.5, "clock": 0.99}, "load 1.5", 1)
    assert told == [
        ["host_clock", "0.99"],
        ["host_load_before", "0.01"],
        ["host_load", "1.5"],
        ["host_repeats", "1"],
        ["noisy", "load 1.5"],
    ]
    assert told_beside({"message": "assert 0", "properties": [["mine", "1"]]}, told)["message"] == (
        "noisy: load 1.5; assert 0"
    )
    assert told_beside({"properties": [["mine", "1"]]}, told)["properties"] == [*told, ["mine", "1"]]
    assert "message" not in told_beside({}, told[:3])

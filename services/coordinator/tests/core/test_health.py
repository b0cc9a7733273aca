"""The loop of one host or device, for any answers at any times."""

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core import health
from crossfleet.coordinator.core.health import Answer, CarePolicy, Health, Incident, Stage

POLICY = CarePolicy(rounds=3, half_life=100.0)
# A test, one after a repair, a canary, then a test and one after a repair that stand for it; and the rest between rounds.
STEPS_OF_A_ROUND = 6
LONGEST = 5 * (POLICY.test_seconds + POLICY.repair_seconds + POLICY.canary_seconds)


def incident(at, cause="host lost", *subjects):
    return Incident(at, cause, 1.0, subjects)


answers = st.sampled_from(list(Answer))


@given(st.lists(st.tuples(answers, st.booleans()), min_size=40, max_size=40), st.floats(0.0, 1e6))
def test_whoever_is_out_is_back_or_held_after_a_bounded_number_of_steps(script, now):
    one = health.quarantined(Health(), now, "host lost 3 times", POLICY)
    taken = 0
    for answer, waits in script:
        if not one.out or one.stage is Stage.HELD:
            break
        taken += 1
        if one.stage is Stage.CANARY and not one.allocation:
            one = health.canary_begun(one, "a1", now, POLICY) if waits else health.without_work(one, now, POLICY)
        if one.stage is not Stage.RESTING:
            one = health.answered(one, answer, "as it happens")
        now = max(now, one.until) if one.stage is Stage.RESTING or not answer else now + 1.0
        following = health.step(one, now, POLICY)
        assert following != one, "nothing follows from an answer or a limit"
        one = following
    assert one.stage in {Stage.WELL, Stage.HELD}
    assert taken <= STEPS_OF_A_ROUND * POLICY.rounds
    assert one.rounds <= POLICY.rounds


@given(st.sampled_from(sorted(health.OUT - {Stage.HELD})), st.booleans(), st.integers(1, 3))
def test_every_stage_of_quarantine_but_held_has_an_end(stage, repair, rounds):
    one = Health(stage, until=10.0, rounds=rounds, repair=repair, allocation="a1")
    assert health.step(one, 10.0, POLICY) != one


def test_a_host_against_which_nothing_speaks_is_left_alone():
    one = Health()
    assert health.step(one, 1e9, POLICY) == one
    assert health.score(one, 0.0, 100.0) == 0.0


def test_what_speaks_against_a_host_counts_half_after_each_half_life():
    one = health.blamed(health.blamed(Health(), incident(0.0)), incident(100.0))
    assert health.score(one, 100.0, 100.0) == 1.5
    assert health.score(one, 200.0, 100.0) == 0.75


@given(st.lists(st.floats(0.0, 1000.0), max_size=60))
def test_evidence_is_bounded(times):
    one = Health()
    for at in sorted(times):
        one = health.blamed(one, incident(at))
    assert len(one.incidents) <= health.MOST_INCIDENTS


def test_what_comes_at_once_is_one_incident_and_so_is_the_same_case_again():
    one = Health()
    for slot in range(8):
        one = health.blamed(one, incident(10.0 + slot / 10, "out of memory", f"g#{slot}"))
    assert len(one.incidents) == 1
    assert len(one.incidents[0].subjects) == 8
    again = health.blamed(
        health.blamed(Health(), incident(0.0, "environment", "g")), incident(60.0, "environment", "g")
    )
    assert [each.at for each in again.incidents] == [60.0]


def test_one_that_came_back_too_often_is_held_at_once_and_forgiven_after_a_while():
    often = Health(rounds=POLICY.rounds, since=0.0)
    assert health.quarantined(often, 10.0, "again", POLICY).stage is Stage.HELD
    forgiven = health.step(often, POLICY.forgive_seconds, POLICY)
    assert health.quarantined(forgiven, POLICY.forgive_seconds, "again", POLICY).stage is Stage.TESTING

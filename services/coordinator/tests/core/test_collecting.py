from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.outcomes import Cause, Ending, GroupState, Outcome, RunVerdict
from services.coordinator.tests.core.fleet import Fleet

IDS = tuple(f"tests/test_a.py::test_{number}" for number in range(10))


def two_workers(**submit):
    fleet = Fleet()
    fleet.submit(**submit)
    fleet.join("w1", slots=1)
    fleet.join("w2", slots=1, session="s2")
    return fleet, *fleet.place()


def test_collection_errors_become_cases_and_nothing_else_runs():
    fleet = Fleet()
    fleet.submit()
    fleet.join()
    (allocation,) = fleet.place()
    errors = (c.CollectionError("tests/broken.py", "SyntaxError", b"long"),)
    fleet.collect(allocation, IDS, errors=errors)

    (finished,) = fleet.of(e.GroupFinished)
    assert finished.failed
    assert finished.cause == "1 error during collection"
    group = fleet.state.groups["run/default"]
    assert group.counts[Outcome.ERROR] == len(group.outcomes) == 1
    assert group.case_id(0) == "tests/broken.py"
    assert not fleet.of(e.TasksAssigned)
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.FAILED


def test_a_runner_that_goes_on_after_errors_runs_the_rest():
    fleet = Fleet()
    fleet.submit()
    fleet.join()
    (allocation,) = fleet.place()
    fleet.collect(allocation, IDS, errors=(c.CollectionError("tests/broken.py", "SyntaxError"),), go_on=True)
    fleet.work()

    counts = fleet.state.groups["run/default"].counts
    assert (counts[Outcome.ERROR], counts[Outcome.PASSED]) == (1, len(IDS))
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.FAILED


def test_a_usage_error_fails_the_group_with_its_text():
    fleet = Fleet()
    fleet.submit()
    fleet.join()
    (allocation,) = fleet.place()
    fleet.report("w1", c.AllocationEnded(allocation, Cause.COLLECTION, "ERROR: unrecognized arguments: --nope"))

    (finished,) = fleet.of(e.GroupFinished)
    assert finished.failed
    assert "--nope" in finished.cause
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.FAILED


def test_a_cause_is_one_short_line_and_the_rest_is_kept_as_its_details():
    fleet = Fleet()
    fleet.submit()
    fleet.join()
    (allocation,) = fleet.place()
    text = f"pytest exited with status 4 {'é' * 600}\nusage: pytest [options]\n  inifile: None\n"
    fleet.report("w1", c.AllocationEnded(allocation, Cause.COLLECTION, text, Ending.USAGE))

    group = fleet.state.groups["run/default"]
    assert (group.ending, "\n" in group.cause, len(group.cause.encode()) <= 500) == (Ending.USAGE, False, True)
    assert group.cause_details == text.strip()


def test_a_suite_without_tests_finishes_and_says_so():
    fleet = Fleet()
    fleet.submit()
    fleet.join()
    (allocation,) = fleet.place()
    fleet.collect(allocation, ())

    (finished,) = fleet.of(e.GroupFinished)
    assert (finished.failed, finished.cause) == (False, "no tests were collected")
    assert fleet.state.groups["run/default"].ending is Ending.NO_CASES


def test_a_file_that_skips_itself_is_one_skipped_case():
    fleet = Fleet()
    fleet.submit()
    fleet.join()
    (allocation,) = fleet.place()
    skips = (c.CollectionError("tests/gpu.py", "no GPU here", outcome=Outcome.SKIPPED),)
    fleet.collect(allocation, IDS, skips=skips)
    fleet.work()

    group = fleet.state.groups["run/default"]
    assert (group.counts[Outcome.SKIPPED], group.counts[Outcome.PASSED]) == (1, len(IDS))
    assert group.case_id(len(IDS)) == "tests/gpu.py"
    assert group.ending is Ending.UNSPECIFIED
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED


def test_a_suite_whose_files_all_skip_themselves_had_no_case_to_execute():
    fleet = Fleet()
    fleet.submit()
    fleet.join()
    (allocation,) = fleet.place()
    fleet.collect(allocation, (), skips=(c.CollectionError("a.py", "not here", outcome=Outcome.SKIPPED),))

    group = fleet.state.groups["run/default"]
    assert (group.counts[Outcome.SKIPPED], group.ending) == (1, Ending.NO_CASES)
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED


def test_an_environment_that_fails_is_tried_elsewhere_and_then_fails_the_group():
    fleet, first, second = two_workers(policy=c.PolicySpec(max_attempts=2))
    fleet.report("w1", c.AllocationEnded(first, Cause.ENVIRONMENT, "no such interpreter"))
    assert fleet.state.groups["run/default"].avoid == {"w1"}
    assert not fleet.of(e.GroupFinished)
    fleet.report("w2", c.AllocationEnded(second, Cause.ENVIRONMENT, "no such interpreter"))

    (finished,) = fleet.of(e.GroupFinished)
    assert finished.failed
    assert finished.infrastructure
    assert "no such interpreter" in finished.cause
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.INFRASTRUCTURE


def test_a_second_allocation_with_the_same_collection_takes_tasks_too():
    fleet, first, second = two_workers()
    fleet.collect(first, IDS)
    fleet.collect(second, IDS)

    assert {attempt.worker_id for attempt in fleet.live()} == {"w1", "w2"}
    fleet.work()
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED


def test_a_differing_collection_is_mapped_by_id_and_its_difference_reported():
    fleet, first, second = two_workers()
    other = (*reversed(IDS[3:]), "tests/test_a.py::only_here")
    fleet.collect(first, IDS)
    fleet.collect(second, other, digest="d2")

    ready = fleet.of(e.AllocationReady)[-1]
    assert "3 are missing there, 1 are known only there" in ready.message
    for attempt in fleet.live("w2"):
        assert set(attempt.cases) <= set(range(3, 10))
        sent = fleet.results(attempt).results
        assert [other[result.case_index] for result in sent] == [IDS[index] for index in attempt.cases]
    fleet.work()
    counts = fleet.state.groups["run/default"].counts
    assert counts[Outcome.PASSED] == len(IDS)


def test_a_worker_that_has_none_of_the_cases_left_gives_its_slots_back():
    fleet, first, second = two_workers()
    fleet.collect(first, IDS)
    fleet.collect(second, ("elsewhere",), digest="d2")

    assert fleet.state.allocations[second].closing
    assert "10 are missing there" in fleet.state.allocations[second].cause


def test_a_resent_collection_changes_nothing():
    fleet, first, _ = two_workers()
    fleet.collect(first, IDS)
    before = len(fleet.events)
    fleet.collect(first, IDS)

    assert len(fleet.events) == before
    assert fleet.state.groups["run/default"].state is GroupState.RUNNING

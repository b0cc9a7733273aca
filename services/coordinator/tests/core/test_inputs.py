"""Targets that run only when what they need has changed."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.artifact import ArtifactRef, AttachArtifacts
from crossfleet.coordinator.core.outcomes import Cause, Ending, GroupState, Outcome, RunVerdict
from crossfleet.coordinator.core.product import MOST_NAMED
from crossfleet.coordinator.core.proof import MOST_OF_A_TARGET, InputsProved, Proof, ProofsDropped
from services.coordinator.tests.core.fleet import Fleet

TARGETS = ("build", "gpu")
WHEEL = "dist/a-1.whl"


def need(*artifacts, target="build"):
    return c.Need(target, changed=True, artifacts=artifacts)


@dataclass
class Project:
    """Runs that build a wheel, and test it on another target when it is another one."""

    fleet: Fleet
    number: int = 0

    def begin(self, *, needs=None, targets=TARGETS, **more):
        self.number += 1
        self.fleet.submit(f"r{self.number}", targets=targets, needs=needs or {"gpu": (need(),)}, **more)

    def group(self, name, number=None):
        return self.fleet.state.groups[f"r{number or self.number}/{name}"]

    def attach(self, target="build", name=f"w1/0/{WHEEL}", digest="a"):
        artifact = ArtifactRef(target, name, digest, 1)
        self.fleet.do(AttachArtifacts(f"r{self.number}", (artifact,)))

    def execute(self, outcome=Outcome.PASSED):
        """What may be placed is, and its cases end so; the slots are not given back yet."""
        for allocation_id in self.fleet.place():
            self.fleet.collect(allocation_id, ("a::one", "a::two"))
        for attempt in self.fleet.live():
            if attempt.attempt_id in self.fleet.state.attempts:
                self.fleet.finish(attempt, outcome=outcome)

    def carry_out(self, wheel="a", gpu=Outcome.PASSED, **more):
        """A whole run; answers whether the target that needs the wheel was skipped."""
        self.begin(**more)
        self.execute()
        if wheel:
            self.attach(digest=wheel)
        self.fleet.close_what_is_closing()
        self.execute(gpu)
        self.fleet.close_what_is_closing()
        assert all(group.over for group in self.fleet.state.groups.values())
        return self.group("gpu").skipped


@pytest.fixture
def project():
    fleet = Fleet()
    fleet.join(slots=4)
    return Project(fleet)


def test_a_target_for_which_nothing_has_changed_since_it_passed_is_skipped_and_says_since_when(project):
    assert not project.carry_out()
    assert project.group("gpu").comparison == ("runs, since no earlier run can stand for it")
    assert project.carry_out()
    unchanged = project.group("gpu")
    assert unchanged.cause == "skipped: nothing that it needs has changed since r1, in which it passed"
    assert (unchanged.unchanged_since, unchanged.state) == ("r1", GroupState.FINISHED)
    assert [event.verdict for event in project.fleet.of(e.RunFinished)] == [RunVerdict.PASSED] * 2

    assert not project.carry_out("b")
    assert project.group("gpu").comparison == (
        "runs, since what it needs has changed, or the target itself, since r1, the last that could stand for it"
    )
    assert project.carry_out("a"), "what was changed back has passed already"


def test_what_counts_is_what_is_stored_when_the_slots_are_given_back(project):
    project.carry_out()
    project.begin()
    project.execute()
    assert project.group("build").over
    assert project.group("gpu").waiting_text == "build must hand over what it has left first"
    project.attach(digest="b")
    project.fleet.close_what_is_closing()
    assert not project.group("gpu").skipped
    assert not project.group("gpu").held_back


def test_a_target_that_fails_proves_nothing_and_disproves_what_it_had_proved(project):
    assert not project.carry_out(gpu=Outcome.FAILED)
    assert not project.carry_out()
    assert project.carry_out()
    assert not project.carry_out(gpu=Outcome.FAILED, policy=c.PolicySpec(unchanged_too=True))
    assert project.group("gpu").comparison == "runs though nothing that it needs has changed since r2, as the run says"
    assert not project.carry_out()


@pytest.mark.parametrize("cancelled", [False, True])
def test_what_fails_disproves_also_where_the_run_is_stopped_for_it(project, cancelled):
    project.carry_out()
    anyway = c.PolicySpec(max_failures=0 if cancelled else 1, max_cases_per_task=1, unchanged_too=True)
    project.begin(policy=anyway)
    project.execute()
    project.execute()
    project.attach()
    project.fleet.close_what_is_closing()
    (allocation,) = project.fleet.place()
    project.fleet.collect(allocation, ("a::one", "a::two"))
    project.fleet.finish(project.fleet.live()[0], outcome=Outcome.FAILED)
    project.fleet.do(c.StopRun("r2", "enough"))
    project.fleet.close_what_is_closing()
    assert project.group("gpu").over
    assert not project.carry_out()


def test_where_artifacts_were_made_and_how_often_does_not_matter(project):
    project.carry_out()
    project.begin()
    project.execute()
    for name in (f"w7/3/{WHEEL}", f"w8/1/{WHEEL}", "w7/3/coverage/.coverage.host.123"):
        project.attach(name=name, digest="b" if "coverage" in name else "a")
    project.fleet.close_what_is_closing()
    assert project.group("gpu").skipped


def test_patterns_choose_the_artifacts_that_count(project):
    needs = {"gpu": (need("*.whl", "*/manifest"),)}
    for manifest, log, skipped in (("m", "1", False), ("m", "2", True), ("n", "2", False)):
        project.begin(needs=needs)
        project.execute()
        project.attach()
        project.attach(name="w1/0/build.log", digest=log)
        project.attach(name="w1/0/dist/manifest", digest=manifest)
        project.fleet.close_what_is_closing()
        project.execute()
        project.fleet.close_what_is_closing()
        assert project.group("gpu").skipped is skipped


def lose_nothing(project):
    project.fleet.close_what_is_closing()


def end(project, **more):
    (allocation,) = project.group("build").allocations
    project.fleet.report("w1", c.AllocationEnded(allocation, Cause.DONE, **more))


@pytest.mark.parametrize(
    ("needs", "attached", "ends", "why"),
    [
        ((), False, lose_nothing, "build has left no artifact in CROSSFLEET_ARTIFACTS"),
        (("*.whl",), False, lose_nothing, "build has left no artifact in CROSSFLEET_ARTIFACTS"),
        (("*.zip",), True, lose_nothing, "build has left no artifact that matches *.zip, but dist/a-1.whl"),
        (
            (),
            True,
            lambda project: end(project, waiting_artifacts=("w1/0/late.txt",)),
            "build has left late.txt, which is not stored",
        ),
        (
            (),
            True,
            lambda project: end(project, lost_artifacts=("w1/0/huge.bin",)),
            "build has left huge.bin, which is not stored",
        ),
        (
            (),
            True,
            lambda project: project.fleet.do(c.WorkerLost("w1", "s1")),
            "build has lost a worker or slots (host_lost), and what they had left",
        ),
    ],
)
def test_where_it_is_not_sure_that_nothing_has_changed_a_target_runs(project, needs, attached, ends, why):
    for _ in range(2):
        project.fleet.join(slots=4, incarnation=f"i{project.number}", session="s1")
        project.begin(needs={"gpu": (need(*needs),)})
        project.execute()
        if attached:
            project.attach()
        ends(project)
        assert not project.group("gpu").skipped
        assert project.group("gpu").comparison == f"runs, since {why}"
        project.fleet.join(slots=4, incarnation=f"i{project.number}", session="s1")
        project.execute()
        project.fleet.close_what_is_closing()
        assert project.group("gpu").over


def test_what_was_stored_of_an_artifact_before_it_changed_once_more_is_not_compared(project):
    project.carry_out()
    project.begin()
    project.execute()
    project.attach()
    end(project, waiting_artifacts=(f"w1/0/{WHEEL}",))
    assert not project.group("gpu").skipped
    assert project.group("gpu").comparison == f"runs, since build has left {WHEEL}, which is not stored"


def test_what_is_lost_or_late_counts_where_its_path_matches_and_where_not_all_of_it_is_named(project):
    needs = {"gpu": (need("*.whl"),)}
    project.carry_out(needs=needs)
    for lost, skipped in (("w1/0/core.123",), True), (("w1/0/other.whl",), False), (("allocation-7",), False):
        project.begin(needs=needs)
        project.execute()
        project.attach()
        end(project, lost_artifacts=lost)
        assert project.group("gpu").skipped is skipped, lost
        project.execute()
        project.fleet.close_what_is_closing()
    project.begin(needs=needs)
    project.execute()
    project.attach()
    end(project, waiting_artifacts=tuple(f"w1/0/{number}.log" for number in range(MOST_NAMED)))
    assert not project.group("gpu").skipped


def test_a_failure_with_what_cannot_be_compared_disproves_all_that_the_target_had_proved(project):
    project.carry_out()
    assert not project.carry_out(wheel="", gpu=Outcome.FAILED)
    assert not project.carry_out()
    assert project.carry_out()


def test_a_session_that_fails_by_itself_disproves_what_its_cases_had_proved(project):
    for _ in range(2):
        project.begin()
        project.execute()
        project.attach()
        project.fleet.close_what_is_closing()
        project.execute()
        (allocation,) = project.group("gpu").allocations
        project.fleet.report("w1", c.AllocationEnded(allocation, Cause.DONE, "status 1", Ending.SESSION_FAILED))
        assert not project.group("gpu").skipped
    assert not project.carry_out()
    assert project.carry_out()


def test_other_outcomes_of_the_same_cases_are_a_change(project):
    project.carry_out()
    project.begin(policy=c.PolicySpec(max_reruns=1))
    project.execute(Outcome.FAILED)
    project.execute()
    assert project.group("build").counts[Outcome.FLAKY]
    project.attach()
    project.fleet.close_what_is_closing()
    assert not project.group("gpu").skipped


@pytest.mark.parametrize("other", [{"definition": "other"}, {"project": "q"}, {"suite": "t"}])
def test_what_another_project_suite_or_definition_proved_proves_nothing_here(project, other):
    project.carry_out()
    assert not project.carry_out(**other)


def test_what_needs_an_unchanged_target_goes_on_as_if_it_had_passed_and_may_compare_it_itself(project):
    needs = {"gpu": (need(),), "bench": ("gpu",), "soak": (need(target="gpu"),)}
    skipped = []
    for number in range(4):
        project.begin(needs=needs, targets=("build", "gpu", "bench", "soak"))
        project.execute()
        project.attach()
        project.fleet.close_what_is_closing()
        if not number:
            project.execute()
            project.attach("gpu", "w1/0/model.bin")
            project.fleet.close_what_is_closing()
        while not project.group("bench").over or not project.group("soak").over:
            project.execute()
            project.fleet.close_what_is_closing()
        assert not project.group("bench").skipped
        skipped.append((project.group("gpu").skipped, project.group("soak").skipped))
    assert skipped == [(False, False), (True, False), (True, True), (True, True)]


def test_a_failure_undoes_what_was_proved_with_the_same_while_that_went_by_the_name_of_a_run(project):
    needs = {"gpu": (need(),), "soak": (need(target="gpu"),)}
    skipped = []
    anyway, failed = c.PolicySpec(unchanged_too=True), Outcome.FAILED
    for wheel, policy, outcome in (("a", None, None), ("a", None, None), ("b", anyway, failed), ("a", None, None)):
        project.begin(needs=needs, targets=("build", "gpu", "soak"), policy=policy or c.PolicySpec())
        project.execute()
        project.attach(digest=wheel)
        project.fleet.close_what_is_closing()
        if not project.group("gpu").skipped:
            project.execute()
            project.attach("gpu", "w1/0/model.bin")
            project.fleet.close_what_is_closing()
        project.execute(outcome or Outcome.PASSED)
        project.fleet.close_what_is_closing()
        assert project.group("soak").over
        skipped.append((project.group("gpu").unchanged_since, project.group("soak").skipped))
    assert skipped == [("", False), ("r1", False), ("", False), ("r1", False)]


def test_a_target_that_did_not_pass_is_no_matter_of_change(project):
    project.carry_out()
    project.begin()
    project.execute(Outcome.FAILED)
    project.fleet.close_what_is_closing()
    assert project.group("gpu").cause == "skipped: it needs build, which did not pass"
    assert not project.group("gpu").unchanged_since


def test_a_run_that_is_stopped_proves_nothing(project):
    project.begin(policy=c.PolicySpec(max_cases_per_task=1))
    project.execute()
    project.execute()
    project.attach()
    project.fleet.close_what_is_closing()
    (allocation,) = project.fleet.place()
    project.fleet.collect(allocation, ("a::one", "a::two"))
    project.fleet.finish(project.fleet.live()[0])
    project.fleet.do(c.StopRun("r1", "enough"))
    assert project.group("gpu").over
    assert not project.fleet.of(InputsProved)


def test_a_run_that_is_not_kept_any_longer_proves_nothing(project):
    project.carry_out()
    project.fleet.state.forget("r1")
    assert project.carry_out()
    project.fleet.state.past_runs.discard("r1")
    assert not project.carry_out()


def test_of_many_branches_each_finds_its_own_proof_until_there_are_too_many(project):
    for wheel in range(MOST_OF_A_TARGET):
        assert not project.carry_out(str(wheel))
    assert project.carry_out("0")
    assert not project.carry_out("one more")
    assert len(project.fleet.of(ProofsDropped)) == 1
    assert not project.carry_out("0"), "the oldest has made room"
    assert project.carry_out("5")


def test_parts_of_a_suite_prove_for_themselves(project):
    parts = [c.PolicySpec(shard_index=part, shard_count=2) for part in (1, 2)]
    assert [project.carry_out(definition=str(part.shard_index), policy=part) for part in parts] == [False, False]
    assert [project.carry_out(definition=str(part.shard_index), policy=part) for part in parts] == [True, True]
    assert sorted(place[2] for place in project.fleet.state.proofs.by_place) == ["gpu 1/2", "gpu 2/2"]


def test_of_too_many_targets_the_one_that_passed_longest_ago_is_forgotten(project, monkeypatch):
    monkeypatch.setattr("crossfleet.coordinator.core.proof.MOST_TARGETS", 2)
    for suite in ("s1", "s2", "s3"):
        assert not project.carry_out(suite=suite)
    assert project.carry_out(suite="s2")
    assert not project.carry_out(suite="s1")
    proofs = [proof for known in project.fleet.state.proofs.by_place.values() for proof in known.values()]
    assert [(proof.suite, type(proof)) for proof in proofs] == [("s3", Proof), ("s1", Proof)]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.booleans()), max_size=8))
def test_a_target_is_skipped_exactly_when_it_has_passed_with_the_same_and_not_failed_since(runs):
    fleet = Fleet()
    fleet.join(slots=4)
    project = Project(fleet)
    proved: set[str] = set()
    for wheel, passes, anyway in runs:
        outcome = Outcome.PASSED if passes else Outcome.FAILED
        skipped = project.carry_out(wheel, outcome, policy=c.PolicySpec(unchanged_too=anyway))
        assert skipped is (wheel in proved and not anyway)
        if not skipped:
            (proved.add if passes else proved.discard)(wheel)

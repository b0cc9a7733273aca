"""What is submitted and cancelled, from what waits and what Slurm lists."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.matching.model import Device, Request, WorkerView
from crossfleet.slurm.core.piloting import Limits, Piloting
from crossfleet.slurm.core.pool import Pilot, Pool, Stage
from crossfleet.slurm.core.shaping import Suitability
from crossfleet.slurm.core.telling import text_of
from crossfleet.slurm.core.view import Changes, Group, View

NAME = "cf"
LATER = 100.0


class Cluster:
    """A Slurm that takes what it is given, and a coordinator beside it. Time moves by hand."""

    def __init__(self, *pools, limits=None):
        pools = pools or (Pool("cpu", slots=4),)
        self.piloting = Piloting(pools, Suitability(pools), limits or Limits(slot_seconds=0), NAME, "/logs")
        self.view = View()
        self.jobs = {}
        self.now = 0.0
        self.view.apply(Changes(whole=True), self.now)

    def want(self, *groups):
        self.view.apply(Changes(groups=groups), self.now)

    def look(self, seconds=LATER):
        """A round after so many seconds; answers the decision, carried out."""
        self.now += seconds
        self.piloting.observe(list(self.jobs.values()), self.view, self.now)
        decision = self.piloting.decide(self.view, self.now)
        for order in decision.submit:
            job = str(len(self.jobs) + 1)
            self.jobs[job] = Pilot(job, Stage.QUEUED, "PENDING", order=order)
            self.piloting.submitted(self.jobs[job])
        for job in decision.cancel:
            self.jobs[job] = replace(self.jobs[job], stage=Stage.ENDED, state="CANCELLED")
        self.piloting.cancelled(decision.cancel)
        return decision

    def run(self, job):
        self.jobs[job] = replace(self.jobs[job], stage=Stage.RUNNING, state="RUNNING")

    def join(self, job):
        self.run(job)
        worker = WorkerView(f"{NAME}-{job}", labels={"pool": "cpu"}, devices=(Device("c", "cpu"),))
        self.view.apply(Changes(workers=(worker,)), self.now)

    def end(self, job, state="FAILED"):
        self.jobs[job] = replace(self.jobs[job], stage=Stage.ENDED, state=state)
        self.view.apply(Changes(removed_workers=(f"{NAME}-{job}",)), self.now)

    def text(self, decision, group="g"):
        return text_of(decision.waits[group], 0.0)


def wanting(slots, group_id="g", *, collected=True, **more):
    return Group(group_id, more.pop("request", Request()), slots, collected, **more)


def test_what_waits_gets_pilots_and_not_twice():
    cluster = Cluster()
    cluster.want(wanting(6))
    assert [order.slots for order in cluster.look().submit] == [4, 2]
    assert cluster.look().submit == ()
    cluster.run("1")
    assert cluster.look().submit == ()


def test_nothing_is_asked_for_before_the_scheduler_had_its_time():
    cluster = Cluster(limits=Limits(patience_seconds=5.0))
    cluster.want(wanting(1))
    assert cluster.look(4.0).submit == ()
    assert cluster.look(2.0).submit != ()


def test_one_pilot_finds_out_what_there_is_to_do():
    cluster = Cluster()
    cluster.want(wanting(4096, collected=False))
    assert [order.slots for order in cluster.look().submit] == [4]
    cluster.view.apply(Changes(allocations={"a": ("g", 4, "cf-1")}), cluster.now)
    cluster.join("1")
    assert cluster.look().submit == ()


def test_slots_are_asked_for_by_the_work_that_there_is():
    cluster = Cluster(limits=Limits(slot_seconds=60.0))
    cluster.want(wanting(500, estimated_seconds=100.0))
    assert [order.slots for order in cluster.look().submit] == [2]
    cluster.join("1")
    cluster.view.apply(Changes(allocations={"a": ("g", 2, "cf-1")}), cluster.now)
    assert cluster.look().submit == ()


def test_a_group_that_goes_on_waiting_beside_busy_pilots_gets_more():
    cluster = Cluster()
    cluster.want(wanting(4))
    cluster.look()
    cluster.join("1")
    assert cluster.look(0.5).submit == ()
    cluster.want(wanting(3))
    assert [order.slots for order in cluster.look().submit] == [3]


def test_the_limits_hold_and_are_told():
    cluster = Cluster(Pool("cpu", slots=1, pilots=2), limits=Limits(pilots=8, slot_seconds=0))
    cluster.want(wanting(9))
    decision = cluster.look()
    assert len(decision.submit) == 2
    assert "all 2 pilots of pool cpu are in use" in cluster.text(decision)
    assert cluster.look().submit == ()


def test_what_one_pool_has_no_room_for_goes_to_the_next():
    cluster = Cluster(Pool("a", slots=1, pilots=1), Pool("b", slots=1, pilots=1))
    cluster.want(wanting(2))
    assert [order.shape.pool for order in cluster.look().submit] == ["a", "b"]


def test_a_queued_pilot_that_nobody_waits_for_is_cancelled_after_a_while():
    cluster = Cluster(limits=Limits(linger_seconds=10.0, slot_seconds=0))
    cluster.want(wanting(1))
    cluster.look()
    cluster.view.apply(Changes(removed_groups=("g",)), cluster.now)
    assert cluster.look(1.0).cancel == ()
    assert cluster.look(11.0).cancel == ("1",)
    assert cluster.look().submit == ()


def test_a_cancellation_of_ours_is_no_setback():
    cluster = Cluster()
    cluster.want(wanting(1))
    cluster.look()
    cluster.want(wanting(0))
    cluster.look()
    assert cluster.look().cancel == ("1",)
    cluster.want(wanting(1))
    assert len(cluster.look().submit) == 1


def test_pilots_that_end_before_they_join_are_not_submitted_in_a_loop():
    cluster = Cluster()
    cluster.want(wanting(1))
    pauses, last = [], 0.0
    for job in ("1", "2", "3"):
        while str(job) not in cluster.jobs:
            cluster.look(1.0)
        pauses.append(cluster.now - last)
        last = cluster.now
        cluster.end(job)
        decision = cluster.look(1.0)
        assert decision.submit == ()
        assert f"job {job} ended before its worker joined the fleet (failed): see /logs/cf-{job}.log" in cluster.text(
            decision
        )
    assert pauses[2] > pauses[1] > pauses[0]


def test_a_worker_that_was_of_use_and_left_is_no_setback():
    cluster = Cluster()
    cluster.want(wanting(1))
    cluster.look()
    cluster.join("1")
    cluster.view.apply(Changes(allocations={"a": ("g", 1, "cf-1")}), cluster.now)
    cluster.end("1", "COMPLETED")
    assert len(cluster.look(3.0).submit) == 1


def test_workers_that_get_no_work_are_not_started_in_a_loop():
    cluster = Cluster()
    cluster.want(wanting(1))
    cluster.look()
    cluster.join("1")
    cluster.look(1.0)
    cluster.end("1", "COMPLETED")
    decision = cluster.look(3.0)
    assert decision.submit == ()
    assert cluster.text(decision) == "Slurm: job 1 ended without its worker having got any work"


def test_what_is_told_has_slurms_reason_and_start():
    cluster = Cluster()
    cluster.want(wanting(1))
    decision = cluster.look()
    assert cluster.text(decision) == "" or decision.submit
    cluster.jobs["1"] = replace(cluster.jobs["1"], reason="Priority", starts_at=45_000.0)
    assert cluster.text(cluster.look()) == "Slurm: 1 pilot queued (Priority), starts about 12:30 UTC"
    cluster.run("1")
    assert cluster.text(cluster.look()) == "Slurm: 1 pilot starting"


def test_more_urgent_work_is_asked_for_first():
    cluster = Cluster(Pool("cpu", slots=1, pilots=1))
    cluster.want(wanting(1, "late", since=1.0), wanting(1, "urgent", since=2.0, priority=5))
    assert [order.group_id for order in cluster.look().submit] == ["urgent"]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("want"), st.sampled_from("abc"), st.integers(0, 30)),
        st.tuples(st.sampled_from(["run", "join", "end"]), st.integers(0, 40), st.just(0)),
        st.tuples(st.just("look"), st.floats(0.1, 30.0), st.just(0)),
    ),
    max_size=40,
)


@given(steps=steps, most=st.integers(1, 5), slots=st.integers(1, 4))
def test_whatever_happens_the_limits_hold_and_no_more_slots_are_coming_than_are_wanted(steps, most, slots):
    cluster = Cluster(Pool("cpu", slots=slots), limits=Limits(pilots=most, slot_seconds=0))
    for kind, what, count in steps:
        jobs = [job for job, one in cluster.jobs.items() if one.stage is not Stage.ENDED]
        if kind == "want":
            cluster.want(wanting(count, what))
        elif kind == "look":
            before = set(jobs)
            decision = cluster.look(what)
            still = [one for one in cluster.jobs.values() if one.stage is not Stage.ENDED]
            assert len(still) <= most
            coming = sum(one.order.slots for job, one in cluster.jobs.items() if one in still and job not in before)
            assert coming <= sum(one.wanted_slots for one in cluster.view.groups.values())
            assert set(decision.cancel) <= before
        elif jobs:
            getattr(cluster, kind)(jobs[what % len(jobs)])

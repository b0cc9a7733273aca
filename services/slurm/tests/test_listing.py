"""What stands in a job's comment, and what squeue prints, is read back."""

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.slurm.core.listing import comment, pilots
from crossfleet.slurm.core.pool import Order, Shape, Stage

words = st.from_regex(r"[a-z][a-z0-9._-]{0,10}", fullmatch=True)
shapes = st.builds(
    Shape,
    pool=words,
    cpu_cores=st.sampled_from([0.25, 0.5, 1.0, 1.5, 4.0, 32.0]),
    memory_bytes=st.integers(0, 2**50),
    devices=st.dictionaries(words, st.integers(1, 64), max_size=3).map(lambda found: tuple(sorted(found.items()))),
    exclusive=st.booleans(),
)
orders = st.builds(
    Order, shape=shapes, slots=st.integers(1, 4096), group_id=st.from_regex(r"[a-z0-9/ =._-]{1,40}", fullmatch=True)
)


@given(order=orders)
def test_a_new_bridge_reads_from_a_job_what_it_is_for(order):
    line = f"17|PENDING|1795000000|Priority|{comment(order)}"
    (pilot,) = pilots(line)
    assert (pilot.job, pilot.stage, pilot.reason, pilot.starts_at) == ("17", Stage.QUEUED, "Priority", 1795000000.0)
    assert pilot.order is not None
    assert pilot.order.shape == order.shape
    assert (pilot.order.slots, pilot.order.group_id) == (order.slots, order.group_id.rstrip())


@given(group_id=st.text(max_size=60))
def test_no_name_of_a_target_breaks_a_comment(group_id):
    said = comment(Order(Shape("cpu"), 2, group_id))
    assert said.isprintable()
    (pilot,) = pilots(f"1|RUNNING|N/A|None|{said}")
    assert pilot.order is not None
    assert pilot.order.slots == 2


@given(text=st.text(max_size=300))
def test_whatever_is_printed_is_read_without_a_failure(text):
    assert len(pilots(text)) <= len(text.splitlines())


def test_a_job_whose_comment_was_changed_still_counts():
    (pilot,) = pilots("9|RUNNING|1795000000|None|by hand")
    assert (pilot.job, pilot.stage, pilot.order) == ("9", Stage.RUNNING, None)


def test_jobs_that_end_and_states_that_nobody_knows_are_over():
    listed = pilots("1|COMPLETING|N/A|None|x\n2|NODE_FAIL|N/A|None|x\n3|SOMETHING|N/A|None|x\n4|PENDING|N/A|Held|x")
    assert [one.stage for one in listed] == [Stage.ENDED, Stage.ENDED, Stage.ENDED, Stage.QUEUED]

"""What selectors say of their run becomes literals before schedulers see them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.matching.cel import SelectorError, compile_selector
from crossfleet.matching.model import WorkerView
from crossfleet.matching.substitution import Values, literal, original_place, substitute, uses

VALUES: Values = {
    "run.project": "web",
    "run.priority": -5,
    "run.labels": {"a b": "c"},
    "history.failed_hosts": ["h1", "h2"],
}


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("worker.labels.team == run.project", 'worker.labels.team == "web"'),
        ("run.priority > 3 || worker.slots > 1", "(-5) > 3 || worker.slots > 1"),
        ("!(worker.host in history.failed_hosts)", '!(worker.host in ["h1", "h2"])'),
        ('has(run.labels.x) && run . labels["a b"] == "c"', 'has({"a b": "c"}.x) && {"a b": "c"}["a b"] == "c"'),
        ("worker.labels.run == worker.labels.history", "worker.labels.run == worker.labels.history"),
        ('worker.name == "run.project" // run.project', 'worker.name == "run.project" // run.project'),
        ("worker.host in run.hosts.db", "worker.host in run.hosts.db"),
    ],
)
def test_known_values_become_literals_and_all_else_stays_as_it_was(text, bound):
    assert substitute(text, VALUES) == bound


@pytest.mark.parametrize(
    ("text", "column", "mend"),
    [
        ("worker.slots > 1 && run.projct == 'x'", 25, "did you mean 'project'?"),
        ("history.hots == []", 9, "did you mean 'hosts'?"),
        ("run.attempt > 1", 5, "it has project, target"),
        ('run["project"] == "x"', 1, "write run.NAME"),
    ],
)
def test_an_unknown_value_is_refused_with_its_place_and_the_nearest_one(text, column, mend):
    with pytest.raises(SelectorError) as error:
        uses(text)
    assert error.value.column == column
    assert mend in error.value.message


@given(st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=20))
def test_any_text_comes_back_out_of_its_literal(text):
    worker = WorkerView("w", labels={"x": text})
    assert compile_selector(f"worker.labels.x == {literal(text)}").evaluate(worker).holds


@given(st.lists(st.sampled_from(["a", " ", "run.project", "run.priority", "\n", "(", "é"]), max_size=12), st.data())
def test_a_place_in_what_was_substituted_is_found_again_in_what_was_written(parts, data):
    text = " ".join(parts) + " !"
    bound = substitute(text, VALUES)
    at = bound.rindex("!")
    line, column = bound.count("\n") + 1, at - bound.rfind("\n", 0, at)
    end = text.rindex("!")
    assert original_place(text, VALUES, line, column) == (text.count("\n") + 1, end - text.rfind("\n", 0, end))

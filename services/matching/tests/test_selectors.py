"""Selectors as people write them."""

import subprocess
import sys

import pytest

from crossfleet.matching.cel import Selector, SelectorError
from crossfleet.matching.model import Device, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.matching.version import Version

GPU = Device(
    "gpu-0",
    "gpu",
    {"driver": Version("550.54"), "model": "A100", "ecc": True, "features": ("fp16", "mig")},
    {"memory": 32 * 2**30},
)
WORKER = WorkerView(
    "w1",
    labels={"gpu": "a100", "rack-number": "7"},
    devices=(Device("cpu-0", "cpu", {"cores": 8}), GPU),
    cpu_cores=8,
    memory_bytes=16 * 2**30,
    slots_total=4,
    runners=frozenset({"pytest"}),
    version="0.1.0",
)


def holds(text: str, worker: WorkerView = WORKER, device: Device = GPU) -> bool:
    selectors = Selectors()
    selector = selectors.compile(text)
    return selectors.answer(selector, worker, device if selector.uses_device else None).holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "true",
        'worker.labels.gpu == "a100"',
        'worker.labels["rack-number"] == "7"',
        'device.class == "gpu" && device.memory >= quantity("16Gi")',
        'worker.name == "w1"',
        "has(worker.labels.gpu)",
        "!has(worker.labels.zone)",
        "worker.cpu >= 4 && worker.cpu_cores < 8.5",
        'worker.memory >= quantity("16Gi") && worker.slots == 4',
        '"pytest" in worker.runners',
        'device.driver >= version("550.9") && device.driver < version("550.100")',
        'version(device.driver) >= version("550.54")',
        'worker.version >= version("0.1")',
        "device.ecc",
        '"fp16" in device.features',
        'device.attributes["model"] == "A100"',
        "device.capacities.memory > 1",
        'devices.exists(d, d.class == "cpu" && d.cores >= 8)',
        'devices.all(device, device.class != "npu")',
        'worker.labels.zone == "eu" || worker.labels.gpu == "a100"',
        'worker.name.matches("w[0-9]+")',
    ],
)
def test_a_selector_holds(text):
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "false",
        'worker.labels.gpu == "h100"',
        'device.memory >= quantity("33Gi")',
        'device.driver < version("550.54.0")',
        "has(worker.labels.zone)",
        "worker.labels.gpu",
        'device.driver >= "540"',
    ],
)
def test_a_selector_does_not_hold(text):
    assert not holds(text)


def test_a_missing_attribute_is_no_match_and_is_named():
    selectors = Selectors()
    for text in ('worker.labels["zone"] != "eu"', 'worker.labels.zone == "eu"'):
        answer = selectors.answer(selectors.compile(text), WORKER)
        assert (answer.holds, answer.missing) == (False, "zone")


def test_comparing_a_version_with_text_is_a_reported_problem_and_no_match():
    selectors = Selectors()
    answer = selectors.answer(selectors.compile('device.driver >= "540"'), WORKER, GPU)
    assert not answer.holds
    assert "version" in answer.problem


def test_only_a_plain_true_counts_as_true():
    selectors = Selectors()
    answer = selectors.answer(selectors.compile("worker.name"), WORKER)
    assert not answer.holds
    assert "STRING" in answer.problem


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("device.memory >= ", 1, 18, "Syntax error"),
        ("device.memory >=\n", 2, 1, "Syntax error"),
        ('device.class = "gpu"', 1, 14, "write == to compare"),
        ('worker.name == "a" and true', 1, 20, "write && for and"),
        ("true or\n false", 1, 6, "write || for or"),
        ("not worker.slots > 1", 1, 5, "write ! for not"),
        ("not (worker.slots > 1)", 1, 1, "write ! for not"),
        ("worker.slots <> 1", 1, 15, "write != for unequal"),
        ("worker.slots => 1", 1, 14, "write >="),
        ("device.memory > 16GiB", 1, 19, 'write quantity("16Gi")'),
        ("device.memory > 16Pound", 1, 19, "extraneous input 'Pound' expecting <EOF>"),
        ("device.driver > version(550.54)", 1, 24, 'write version("550.54")'),
        ('worker.labels.zone in ("eu", "us")', 1, 28, "write a list in brackets"),
        ("device.class == gpu", 1, 17, 'a text stands in quotes, "gpu"'),
        ('class == "gpu"', 1, 1, "write device.class"),
        ('zone == "eu"', 1, 1, "worker.labels.zone for a label"),
        ('worker.zone == "eu"', 1, 8, "a label is worker.labels.zone"),
        ("true &&\n wrker.x == 1", 2, 2, "did you mean 'worker'?"),
        ("device.memry > 3", 1, 8, "did you mean 'memory'?"),
        ('worker.lables.zone == "eu"', 1, 8, "did you mean 'labels'?"),
        ("worker.colour == 1", 1, 8, "it has name, labels"),
        ('devices.exists(d, d.clas == "gpu")', 1, 21, "did you mean 'class'?"),
        ('device.memory > quantity("16Gx")', 1, 26, "Ki Mi Gi"),
        ('device.driver > version("new")', 1, 25, "not a version"),
        ("quantity(1) > 2", 1, 9, "quantity"),
        ('quantty("1Gi") > 2', 1, 1, "did you mean 'quantity'?"),
        ("1 + 1", 1, 1, "must be true or false"),
        ("x" * 70_000, 1, 1, "at most 65536"),
        ("(" * 40 + "true" + ")" * 40, 1, 1, "nested too deeply"),
        ("+".join(["1"] * 40) + " > 2", 1, 1, "nested too deeply"),
        ('worker.name == "\ud800"', 1, 1, "not valid Unicode"),
    ],
)
def test_a_selector_that_does_not_compile_says_where_and_what_was_meant(text, line, column, says):
    with pytest.raises(SelectorError) as caught:
        Selectors().compile(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert says in caught.value.message


def test_a_mistake_is_remembered_and_told_again():
    selectors = Selectors()
    for _ in range(2):
        with pytest.raises(SelectorError, match="memory"):
            selectors.compile("device.memry > 3")


def test_an_attribute_that_the_fleet_reports_may_be_named_although_it_looks_like_a_slip():
    selectors = Selectors()
    with pytest.raises(SelectorError):
        selectors.compile("device.memry > 3")
    selectors.learn([WorkerView("w", devices=(Device("x", "npu", {"memry": 4}),))])
    assert selectors.compile("device.memry > 3").uses_device


def test_an_attribute_that_nobody_announced_is_allowed_when_it_looks_like_no_other():
    assert Selectors().compile("device.tensor_units > 3").uses_device


@pytest.mark.parametrize(
    ("text", "device", "worker", "name"),
    [
        ("true", False, False, False),
        ('device.class == "gpu"', True, False, False),
        ('worker.labels.a == "b"', False, True, False),
        ('worker.name == "w"', False, True, True),
        ('worker.labels[worker.name] == "w"', False, True, True),
        ('devices.exists(device, device.class == "gpu")', False, True, False),
        ("devices.exists(d, d.class == device.class) && worker.cpu > 1", True, True, False),
    ],
)
def test_a_selector_knows_what_it_depends_on(text, device, worker, name):
    selector = Selectors().compile(text)
    assert (selector.uses_device, selector.uses_worker, selector.uses_identity) == (device, worker, name)


def test_clauses_are_taken_from_the_tree_and_not_from_the_text():
    text = 'worker.name != "a && (b" && (device.class == ")" && !(has(device.x) && true)) && (true || worker.cpu > 1)'
    clauses = [clause.text for clause in Selectors().compile(text).clauses]
    assert clauses == [
        'worker.name != "a && (b"',
        'device.class == ")"',
        "!(has(device.x) && true)",
        "(true || worker.cpu > 1)",
    ]


def test_a_clause_is_a_selector_of_its_own():
    selector = Selectors().compile('device.class == "gpu" && worker.labels.zone == "eu"')
    first, second = selector.clauses
    assert isinstance(first, Selector)
    assert (first.uses_device, second.uses_device) == (True, False)
    assert first.evaluate(WORKER, GPU).holds
    assert second.evaluate(WORKER, GPU).missing == "zone"


def test_answers_are_evaluated_once_for_what_cannot_be_told_apart():
    selectors = Selectors()
    selector = selectors.compile('device.class == "gpu"')
    twin = Device("gpu-1", "gpu", GPU.attributes, GPU.capacities)
    first = selectors.answer(selector, WORKER, GPU)
    assert selectors.answer(selector, WorkerView("w2"), twin) is first


def test_cel_is_not_loaded_for_targets_that_take_any_worker():
    code = (
        "import sys; from crossfleet.matching.selectors import Selectors; s = Selectors();"
        "s.compile(''); s.compile(' true '); sys.exit('cel_expr_python' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0


def test_a_selector_that_counts_without_end_is_a_reported_problem_and_no_match():
    numbers = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
    text = "worker.name != ''"
    for depth in range(6):
        text = f"{numbers}.all(v{depth}, {text})"
    answer = Selectors().compile(text).evaluate(WorkerView("w"))
    assert not answer.holds
    assert "Iteration budget exceeded" in answer.problem

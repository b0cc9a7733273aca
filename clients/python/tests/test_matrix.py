"""Targets, as a matrix file and options name them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from crossfleet.api.types.v1 import suite_pb2
from crossfleet.cli.exits import UsageError
from crossfleet.cli.running.devices import with_amounts
from crossfleet.cli.running.matrix import plan_targets
from crossfleet.cli.running.options import parse
from crossfleet.cli.running.planning import plan_run
from crossfleet.cli.running.spec import target_of

MATRIX = """
[[target]]
name = "plain"
selector = 'worker.labels.zone == "eu"'
requirements = "plain.txt"
variables = { MODE = "fast" }
request = { cpu_cores = 2, devices = [{ device_class = "gpu", count = 2 }] }

[[target]]
name = "other"
"""


def test_a_matrix_file_and_options_make_targets(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("pytest\n")
    (tmp_path / "m.toml").write_text(MATRIX)
    words = ["--matrix", str(tmp_path / "m.toml"), "--target", "third=device.x == 1", "--target-python"]
    found = plan_targets(parse([*words, f"third={sys.executable}", "--", "pytest"]))
    assert [target.name for target in found] == ["plain", "other", "third"]
    assert (found[0].requirements, found[0].request["cpu_cores"], found[0].variables) == (
        "pytest\n",
        2,
        {"MODE": "fast"},
    )
    assert (found[2].selector, found[2].python) == ("device.x == 1", sys.executable)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[target]]\nname = 'a b'", r"target\[0\].name"),
        ("[[target]]\nname = 'a'\nselecter = ''", r"target\[0\]: selecter is not known: did you mean selector\?"),
        ("[[target]]\nname = 'a'\ndevices = []", r"devices stands in the target's request: request = { devices"),
        ("target = ['a']", r"target\[0\]: must be a table"),
        ("[[target]]\nname = 'a'\n[[target]]\nname = 'a'", "two targets"),
        ("[[target]]\nname = 'a'\nrequest = { cpus = 1 }", r"request: cpus is not known; it has cpu_cores"),
        ("[[target]]\nname = 'a'\nrequest = { slots_max = 'x' }", r"request.slots_max"),
        (
            "[[target]]\nname = 'a'\nrequest = { devices = 'gpu' }",
            r"request.devices: must be a list, such as \[{ device_class",
        ),
        ("[[target]]\nname = 'a'\nrequest = { devices = [{ klass = 'gpu' }] }", r"devices\[0\]: klass is not known"),
        (
            "[[target]]\nname = 'a'\nrequest = { preferred = [{ wait = 3 }] }",
            r"preferred\[0\]: wait is not known; it has selector, weight",
        ),
        ("[[target]]\nname = 'a'\nrequest = { placement = 'wide' }", r"request.placement: must be pack or spread"),
        ("[[target]]\nname = 'a'\nrequirements = 'gone.txt'", r"gone\.txt"),
        ("[target]\nname = 'a'", r"\[\[target\]\]"),
        ("[[target]]\nname = 'a'\ncommand = 'pytest'", r"target\[0\].command: must be a list of words"),
        ("[[target]]\nname = 'a'\nneeds = 'b'", r"target\[0\].needs: must be a list"),
        ("[[target]]\nname = 'a'\nneeds = [{ suite = 'b' }]", r"needs\[0\]: must be a target's name"),
        ("[[target]]\nname = 'a'\nneeds = [{ target = 'b', when = 'often' }]", r"needs\[0\]: 'often' is not known"),
        (
            "[[target]]\nname = 'a'\nneeds = ['b:changed']",
            r'needs\[0\]: write { target = "b", when = "changed" }',
        ),
        (
            "[[target]]\nname = 'a'\nneeds = [{ target = 'b', artifact = ['*'] }]",
            r"artifact is not known: did you mean artifacts\?",
        ),
        (
            "[[target]]\nname = 'a'\nneeds = [{ target = 'b', when = 'changed', artifacts = ['./dist/*'] }]",
            r"needs\[0\]: \./dist/\* matches nothing: paths begin below CROSSFLEET_ARTIFACTS",
        ),
        (
            "[[target]]\nname = 'a'\nneeds = [{ target = 'b', artifacts = ['*'] }]",
            r"needs\[0\]: artifacts are compared only",
        ),
        (
            "[[target]]\nname = 'a'\nneeds = [{ target = 'b', artifacts = '*' }]",
            r"needs\[0\].artifacts: must be a list",
        ),
        ("[[target]]\nname = 'a'\nneeds = ['b']\n[[target]]\nname = 'b'\nneeds = ['a']", "a needs b needs a"),
        ("[[target]]\nname = 'a'\nneeds = ['bb']\n[[target]]\nname = 'bbb'", "did you mean 'bbb'"),
        ("[[target]]\nname = 'a'\nrequest = { semaphores = { x = 0 } }", "request.semaphores: must be a table"),
        (
            "[[target]]\nname = 'a'\nrequest = { devices = [{ capacities = { m = 0.5 } }] }",
            r"devices\[0\]: m: 0.5 is not",
        ),
        ("[[target]]\nname = 'a'\nalternatives = 'x'", r"target\[0\].alternatives: must be a list"),
        ("[[target]]\nname = 'a'\nalternatives = [{ until = 1 }]", r"alternatives\[0\]: until is not known"),
        (
            "[[target]]\nname = 'a'\nalternatives = [{ wait = 'soon' }, {}]",
            r"alternatives\[0\].wait: 'soon' is no time",
        ),
        ("[[target]]\nname = 'a'\nalternatives = [{ wait = inf }, {}]", r"alternatives\[0\].wait: must be a time"),
        ("[[target]]\nname = 'a'\nalternatives = [{ wait = '2m' }]", "nothing follows the last one"),
        (
            "[[target]]\nname = 'a'\nalternatives = [{ devices = [{ n = 1 }] }]",
            r"alternatives\[0\].devices\[0\]: n is not known",
        ),
        ("[[target]]\nname = 'a'\nnear = 'b'", r"target\[0\].near: must be a list of targets"),
        ("[[target]]\nname = 'a'\nrequest = { gates = { lod = 1 } }", "request.gates: there is no gate 'lod'"),
        ("[[target]]\nname = 'a'\nrequest = { gates = { load = '1' } }", "request.gates: load must be a number"),
        (
            "[[target]]\nname = 'a'\nrequest = { exclusive = false, gates = { load = 1 } }",
            "target a: gates need a host of one's own",
        ),
        (
            "[[target]]\nname = 'a'\nrequest = { gates = { load = 1, repeats = 99999999999 } }",
            "request.gates: repeats: 99999999999 is not from 0 to 10",
        ),
        ("not toml", "line 1"),
    ],
)
def test_what_is_wrong_in_a_matrix_file_is_named(text: str, named: str, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(UsageError, match=named):
        plan_targets(parse(["--matrix", str(tmp_path / "m.toml"), "--", "pytest"]))


def test_what_a_target_prefers_is_sent_with_its_request(tmp_path: Path) -> None:
    wish = "{ selector = 'worker.cpu > 8.0', weight = 3 }"
    (tmp_path / "m.toml").write_text(
        f"[[target]]\nname = 'a'\nrequest = {{ preferred = [{wish}], placement = 'spread' }}"
    )
    (plan,) = plan_targets(parse(["--matrix", str(tmp_path / "m.toml"), "--", "pytest"]))
    sent = target_of(plan, "").request
    assert [(one.selector, one.weight) for one in sent.preferred] == [("worker.cpu > 8.0", 3)]
    assert sent.placement == suite_pb2.PLACEMENT_SPREAD


def test_alternatives_are_written_in_a_matrix_file_or_as_options(tmp_path: Path) -> None:
    text = "[[target]]\nname='a'\nnear=['b']\nalternatives=[{selector='worker.cpu > 8.0', wait='2m'}, {devices=[{count=2}]}]"
    (tmp_path / "m.toml").write_text(text)
    words = ["--matrix", str(tmp_path / "m.toml"), "--target", "b=", "--prefer-least", "watts", "--apart", "b=a"]
    words += ["--alternative", "b=worker.cpu > 8.0 for 90", "--alternative", "b=worker.labels.wait_for == 'x'"]
    first, second = (target_of(one, "") for one in plan_targets(parse([*words, "--", "pytest"])))

    assert [(one.selector, one.wait.seconds) for one in first.alternatives] == [("worker.cpu > 8.0", 120), ("", 0)]
    assert [one.count for one in first.alternatives[1].devices] == [2]
    assert [(one.selector, one.wait.seconds) for one in second.alternatives] == [
        ("worker.cpu > 8.0", 90),
        ("worker.labels.wait_for == 'x'", 0),
    ]
    assert (list(first.near), list(second.apart)) == (["b"], ["a"])
    assert {first.request.prefer_least, second.request.prefer_least} == {"watts"}


def test_needs_come_from_the_matrix_file_and_from_options(tmp_path: Path) -> None:
    text = "[[target]]\nname='a'\n[[target]]\nname='b'\nneeds=['a']\n[[target]]\nname='c'\nneeds=[{target='a',when='finished'}]"
    (tmp_path / "m.toml").write_text(text)
    words = ["--matrix", str(tmp_path / "m.toml"), "--needs", "c=b", "--target", "d=", "--needs", "d=a:finished,c"]
    words += ["--target", "e=", "--needs", "e=a:changed,b:changed:*.whl"]
    found = plan_targets(parse([*words, "--", "pytest"]))
    assert [(need.target, need.when, need.artifacts) for need in found[-1].needs] == [
        ("a", "changed", ()),
        ("b", "changed", ("*.whl",)),
    ]
    assert {target.name: [(need.target, need.when) for need in target.needs] for target in found[:-1]} == {
        "a": [],
        "b": [("a", "passed")],
        "c": [("a", "finished"), ("b", "passed")],
        "d": [("a", "finished"), ("c", "passed")],
    }


def test_targets_of_a_matrix_file_may_run_commands_of_their_own(tmp_path: Path) -> None:
    text = "[[target]]\nname='lint'\ncommand=['make','lint']\n[[target]]\nname='unit'\ncommand=['python3','-m','pytest','-q']\n"
    (tmp_path / "m.toml").write_text(text)
    plan = plan_run(parse(["--matrix", str(tmp_path / "m.toml")]))
    assert [(name, command.runner) for name, command in plan.own.items()] == [("lint", "command"), ("unit", "pytest")]
    (tmp_path / "m.toml").write_text(f"{text}[[target]]\nname='bare'\n")
    with pytest.raises(UsageError, match="bare: the matrix file says no command for it"):
        plan_run(parse(["--matrix", str(tmp_path / "m.toml")]))
    assert plan_run(parse(["--matrix", str(tmp_path / "m.toml"), "--", "make", "check"])).command.arguments == (
        "make",
        "check",
    )


def test_what_is_about_the_whole_run_is_not_said_in_a_targets_command(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("[[target]]\nname='unit'\ncommand=['python3','-m','pytest','--maxfail=7']\n")
    with pytest.raises(UsageError, match="target unit: -x and --maxfail: say it of the whole run"):
        plan_run(parse(["--matrix", str(tmp_path / "m.toml")]))


def test_semaphores_are_asked_of_all_targets_and_a_targets_own_amount_wins(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("[[target]]\nname='a'\n[[target]]\nname='b'\nrequest={semaphores={x=3}}")
    words = ["--matrix", str(tmp_path / "m.toml"), "--semaphore", "x", "--semaphore", "y=2", "--", "pytest"]
    found = plan_targets(parse(words))
    assert [target.request["semaphores"] for target in found] == [{"x": 1, "y": 2}, {"x": 3, "y": 2}]


def test_gates_are_asked_of_all_targets_and_whoever_has_some_has_a_host_alone(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(
        "[[target]]\nname='a'\n[[target]]\nname='b'\nrequest={gates={load=0.2, wait='2m', repeats=0}}"
    )
    words = ["--matrix", str(tmp_path / "m.toml"), "--gate", "load=0.5", "--gate", "temperature=80", "--", "pytest"]
    sent = [target_of(plan, "").request for plan in plan_targets(parse(words))]
    assert [one.exclusive for one in sent] == [True, True]
    assert [(one.gates.load, one.gates.temperature) for one in sent] == [(0.5, 80.0), (0.2, 80.0)]
    assert (sent[1].gates.wait.ToSeconds(), sent[1].gates.HasField("repeats")) == (120, True)
    assert not sent[0].gates.HasField("wait")


def test_devices_are_asked_of_targets_that_name_none(tmp_path: Path) -> None:
    own = 'request={devices=[{device_class="gpu", capacities={memory="1.5Gi", tabs=2}}]}'
    (tmp_path / "m.toml").write_text(f"[[target]]\nname='a'\n[[target]]\nname='b'\n{own}")
    asked = ["--devices", "gpu=2,memory=4Gi", "--devices", "npu"]
    found = plan_targets(parse(["--matrix", str(tmp_path / "m.toml"), *asked, "--", "pytest"]))
    a, b = ([with_amounts(one) for one in target.request["devices"]] for target in found)
    assert a == [
        {"device_class": "gpu", "count": 2, "capacities": {"memory": 4 * 2**30}},
        {"device_class": "npu", "count": 1, "capacities": {}},
    ]
    assert b == [{"device_class": "gpu", "capacities": {"memory": 3 * 2**29, "tabs": 2}}]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--devices", "gpu=0"], "gpu=1,memory=4Gi"),
        (["--devices", "gpu,memory"], "gpu=1,memory=4Gi"),
        (["--devices", "gpu,memory=4Gx"], "memory: '4Gx' is not a quantity"),
        (["--devices", "gpu,memory=0"], "memory: '0' is not a whole number from 1 on"),
        (["--devices", "gpu,memory=4"], "memory: 4 is in bytes, and less than 1Mi: write its unit, such as 4Gi"),
        (["--devices", "gpu,memory=1,memory=2"], "given twice"),
        (["--devices", "gpu", "--devices", "gpu,memory=1"], "class gpu is given twice"),
    ],
)
def test_devices_that_cannot_be_are_refused_with_what_is_right(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        plan_targets(parse([*words, "--", "pytest"]))


@pytest.mark.parametrize("word", ["=2", "x=", "x=0", "x=a", "x=-1"])
def test_a_semaphore_without_a_name_or_a_count_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="write NAME, or NAME=N"):
        plan_targets(parse([f"--semaphore={word}", "--", "pytest"]))


def test_an_option_for_a_target_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(UsageError, match="the targets are a, b"):
        plan_targets(parse(["--target", "a=", "--target", "b=", "--target-python", "c=python", "--", "pytest"]))

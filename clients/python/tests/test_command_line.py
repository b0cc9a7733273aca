"""What the words of a command line mean."""

from __future__ import annotations

import argparse
import os
import re
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.api.types.v1 import suite_pb2
from crossfleet.cli.exits import UsageError
from crossfleet.cli.fleet.cores import share_slots, usable_cores
from crossfleet.cli.fleet.options import plan_workers
from crossfleet.cli.fleet.plan import FleetPlan, WorkerPlan, services
from crossfleet.cli.main import main
from crossfleet.cli.running.command import recognise
from crossfleet.cli.running.devices import with_amounts
from crossfleet.cli.running.interpreter import check_has_pytest, python_of_script
from crossfleet.cli.running.matrix import plan_targets
from crossfleet.cli.running.options import misplaced, parse, seconds, size
from crossfleet.cli.running.planning import plan_run
from crossfleet.cli.running.spec import policy_of, target_of, variables_of


def test_pytest_is_found_as_a_script_and_as_a_module() -> None:
    script, module = recognise(["pytest", "-q", "tests"]), recognise(["python3", "-m", "pytest", "tests"])
    assert (script.runner, script.arguments, script.as_module) == ("pytest", ("-q", "tests"), False)
    assert (module.runner, module.arguments, module.as_module) == ("pytest", ("tests",), True)


def test_anything_else_is_a_command() -> None:
    assert recognise(["make", "check"]).runner == "command"
    assert recognise(["python", "script.py", "-m"]).arguments == ("python", "script.py", "-m")


@pytest.mark.parametrize("module", ["pytest", "unittest"])
def test_interpreter_options_before_a_module_are_refused_with_a_way_out(module: str) -> None:
    with pytest.raises(UsageError, match="environment variables"):
        recognise(["python", "-X", "dev", "-m", module])


def test_unittest_is_run_by_the_interpreter_that_is_named() -> None:
    found = recognise(["python3", "-m", "unittest", "discover", "-s", "tests"])

    assert (found.runner, found.arguments, found.program) == ("unittest", ("discover", "-s", "tests"), "python3")
    assert found.default_python()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("go test ./...", "go"),
        ("/usr/local/go/bin/go test -run X ./a", "go"),
        ("go test -c ./a", "command"),
        ("go test -coverprofile=c.out ./...", "command"),
        ("go vet ./...", "command"),
        ("node --test", "node"),
        ("node --import tsx --test test/*.ts", "node"),
        ("node --test --watch", "command"),
        ("node server.js", "command"),
        ("npx vitest run", "vitest"),
        ("npx --yes vitest@3 run src/", "vitest"),
        ("pnpm exec vitest", "vitest"),
        ("node_modules/.bin/vitest -t name", "vitest"),
        ("node node_modules/vitest/vitest.mjs run", "vitest"),
        ("npx vitest bench", "command"),
        ("npx vitest run --coverage", "command"),
        ("npx eslint vitest", "command"),
        ("npm test", "command"),
        ("build/my_test --gtest_filter=A.*", "gtest"),
        ("build/my_test", "command"),
        ("cargo test --release", "libtest"),
        ("cargo +nightly test", "libtest"),
        ("cargo test --no-run", "command"),
        ("cargo build", "command"),
        ("bats tests", "tap"),
        ("bats --formatter junit tests", "command"),
        ("python -m coverage run -m unittest", "command"),
        ("python tool.py -m unittest", "command"),
    ],
)
def test_a_kind_is_told_from_the_words_as_people_type_them(line: str, kind: str) -> None:
    found = recognise(line.split())

    assert (found.runner, found.arguments) == (kind, tuple(line.split()))


def test_a_kind_that_is_named_wins_over_the_words() -> None:
    assert recognise(["build/my_test"], runner="catch2").runner == "catch2"
    assert recognise(["go", "test", "./..."], runner="command").runner == "command"
    assert recognise(["cargo", "test"], leaves_junit=True).runner == "command"
    assert recognise(["python", "-m", "pytest", "-x"], runner="command").arguments == ("python", "-m", "pytest", "-x")
    with pytest.raises(UsageError, match="python -m unittest"):
        recognise(["make", "check"], runner="unittest")


def script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize(
    "head",
    [
        "#!{python}\nimport sys\n",
        "#!{python} -E\n",
        "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n",
        "#!/usr/bin/env python-of-the-suite\n",
        "#!/usr/bin/env -S python-of-the-suite -I\n",
    ],
)
def test_the_interpreter_of_a_script_is_read_from_its_first_lines(
    head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python-of-the-suite"
    python.symlink_to(sys.executable)
    (tmp_path / "python3.11").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    shown = str(python) if "env" in head else str(tmp_path / "python3.11")
    word = script(tmp_path / "pytest", head.format(python=shown))
    assert python_of_script(word) == shown


def test_a_shim_of_pyenv_is_asked_what_it_stands_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = script(tmp_path / "real-pytest", f"#!{sys.executable}\n")
    script(tmp_path / "pyenv", f'#!/bin/sh\n[ "$1 $2" = "which pytest" ] && echo {real}\n')
    shim = script(tmp_path / "pytest", '#!/usr/bin/env bash\nexec "/opt/pyenv/libexec/pyenv" exec "$program" "$@"\n')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert python_of_script(shim) == sys.executable


def test_a_script_without_interpreter_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--python PATH"):
        python_of_script(script(tmp_path / "pytest", "#!/bin/bash\necho no\n"))
    with pytest.raises(UsageError, match="--requirements FILE"):
        python_of_script("pytest-that-is-not-there")


def test_an_interpreter_without_pytest_is_refused(tmp_path: Path) -> None:
    bare = script(tmp_path / "python", "#!/bin/sh\nexec false\n")
    with pytest.raises(UsageError, match="has no pytest"):
        check_has_pytest(bare)
    check_has_pytest(sys.executable)


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
        ("[[target]]\nname = 'a'\nselecter = ''", "selecter"),
        ("[[target]]\nname = 'a'\n[[target]]\nname = 'a'", "two targets"),
        ("[[target]]\nname = 'a'\nrequest = { cpus = 1 }", r"request.cpus"),
        ("[[target]]\nname = 'a'\nrequest = { slots_max = 'x' }", r"request.slots_max"),
        ("[[target]]\nname = 'a'\nrequest = { devices = [{ klass = 'gpu' }] }", r"devices\[0\].klass"),
        ("[[target]]\nname = 'a'\nrequest = { preferred = [{ wait = 3 }] }", r"preferred\[0\].wait"),
        ("[[target]]\nname = 'a'\nrequest = { placement = 'wide' }", r"request.placement: must be pack or spread"),
        ("[[target]]\nname = 'a'\nrequirements = 'gone.txt'", r"gone\.txt"),
        ("[target]\nname = 'a'", r"\[\[target\]\]"),
        ("[[target]]\nname = 'a'\ncommand = 'pytest'", r"target\[0\].command: must be a list of words"),
        ("[[target]]\nname = 'a'\nneeds = 'b'", r"target\[0\].needs: must be a list"),
        ("[[target]]\nname = 'a'\nneeds = [{ suite = 'b' }]", r"needs\[0\]: must be a target's name"),
        ("[[target]]\nname = 'a'\nneeds = [{ target = 'b', when = 'often' }]", r"needs\[0\]: 'often' is not known"),
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
        ("[[target]]\nname = 'a'\nalternatives = [{ devices = [{ n = 1 }] }]", r"alternatives\[0\].devices\[0\].n"),
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


def test_nothing_after_the_dashes_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--title", "x"]) == 2
    assert "crossfleet run -- pytest tests" in capsys.readouterr().err


def test_a_command_that_is_not_there_is_answered_with_a_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wrokers"]) == 2
    assert "Did you mean workers?" in capsys.readouterr().err


def test_keep_going_wins_over_pytests_own_limit() -> None:
    assert parse(["--keep-going", "--", "pytest", "-x"]).max_failures == 0


@pytest.mark.parametrize(("text", "value"), [("90", 90.0), ("1.5m", 90.0), ("2h", 7200.0), ("7d", 604800.0)])
def test_times_have_units(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(("text", "value"), [("1000", 1000), ("512MB", 512_000_000), ("2GiB", 2**31), ("1.5kb", 1500)])
def test_sizes_have_units(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "x", "-1s", "5y", "nan", "inf"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no time"):
        seconds(text)


@given(st.integers(0, 200), st.integers(1, 64))
def test_slots_are_dealt_evenly_and_none_is_lost(slots: int, workers: int) -> None:
    shares = share_slots(slots, workers)
    assert sum(shares) == max(slots, workers)
    assert max(shares) - min(shares) <= 1
    assert min(shares) >= 1


@given(st.integers(1, 64), st.integers(0, 128), st.floats(0.5, 128))
def test_slots_of_one_machine_never_add_up_to_more_cores_than_it_has(count: int, slots: int, cores: float) -> None:
    workers = plan_workers(count, (), slots, cores)
    assert sum(worker.cpu_cores for worker in workers) == pytest.approx(cores)
    assert len({worker.name for worker in workers}) == count


def test_workers_with_labels_are_planned() -> None:
    east, west = plan_workers(0, ("east,zone=eu,disk=fast", "west"), 3, 2.0)
    assert (east, west.labels) == (WorkerPlan("east", 2, 2.0 * 2 / 3, (("zone", "eu"), ("disk", "fast"))), ())


@pytest.mark.parametrize(("count", "named"), [(2, ("a",)), (-1, ()), (0, ("a", "a")), (0, ("a,b",)), (0, ("a b",))])
def test_workers_that_cannot_be_are_refused(count: int, named: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--worker"):
        plan_workers(count, named, 0, 2.0)


def test_a_fleet_on_tcp_takes_no_local_paths_and_has_a_token() -> None:
    workers = plan_workers(1, (), 0, 2.0)
    unix = services(FleetPlan("/data", workers), "/run/cf", 7)
    tcp = services(FleetPlan("/data", workers, grpc="127.0.0.1:7400", gateway=True), "/run/cf", 7)
    assert all("--embedded" in plan.command for plan in (unix[0], unix[2]))
    assert not any("--embedded" in plan.command for plan in tcp)
    assert "/data/token" in tcp[0].command
    assert [plan.name for plan in tcp] == ["coordinator", "scheduler", "local", "integrations"]
    assert all(plan.command[-2:] == ("--lifeline-fd", "7") for plan in tcp)


def test_http_is_served_by_tls_as_grpc_is() -> None:
    plan = FleetPlan("/data", (), http="0.0.0.0:1", tls_certificate="/c", tls_key="/k", gateway=True)
    coordinator, _, gateway = services(plan, "/run/cf", 7)
    wanted = ("--tls-certificate", "/c", "--tls-key", "/k")
    assert all(" ".join(wanted) in " ".join(each.command) for each in (coordinator, gateway))


def test_this_process_may_use_some_core() -> None:
    assert 0 < usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pytest", "tests"], "put `--` before what is to run: crossfleet run [options] -- pytest tests"),
        (["pytest", "-k", "a b"], "-- pytest -k 'a b'"),
        (["--targt", "a=", "--", "pytest"], "there is no option --targt. Did you mean --target?"),
        (["tests", "--", "pytest"], "tests: not an option of `crossfleet run`; what is to run goes after `--`"),
        (["--lf", "--", "pytest"], "--lf is an option of pytest: write it behind, crossfleet run -- pytest --lf"),
        (["-k", "a b", "--", "pytest"], "crossfleet run -- pytest -k 'a b'"),
    ],
)
def test_a_slip_before_the_dashes_is_answered_with_what_was_meant(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        parse(words)


def test_options_of_run_are_known_among_the_words_of_a_command() -> None:
    assert misplaced(["test_a.py", "--deadline=2h", "--devices", "gpu", "--lf", "-k", "x"]) == [
        "--deadline",
        "--devices",
    ]


@pytest.mark.parametrize("option", ["--workers", "--slots"])
def test_no_workers_and_no_slots_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([option, "0", "--", "pytest"])
    assert "give a whole number from 1" in capsys.readouterr().err


def test_cases_that_a_cache_selects_are_not_sharded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--shard", "1/3", "--", sys.executable, "-m", "pytest", "--lf"]) == 2
    assert "--lf: selects by this machine's cache" in capsys.readouterr().err


def test_a_number_that_is_too_large_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--priority", "99999999999", "--", "pytest"]) == 2
    assert capsys.readouterr().err == "crossfleet run: --priority 99999999999 is out of range\n"


def test_a_tool_in_place_of_a_command_is_led_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pytest", "-x"]) == 2
    assert "Did you mean `crossfleet run -- pytest ...`?" in capsys.readouterr().err


def test_a_command_that_is_not_there_is_told_before_a_fleet_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CROSSFLEET_ADDRESS", raising=False)
    assert main(["run", "--data", str(tmp_path / "data"), "--", "pytst"]) == 2
    assert "there is no command pytst here. Did you mean pytest?" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_a_quiet_grpc_is_not_handed_to_suites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_VERBOSITY", "x")
    monkeypatch.delenv("GRPC_VERBOSITY")
    assert main(["version"]) == 0
    assert os.environ["GRPC_VERBOSITY"] == "ERROR"
    assert "GRPC_VERBOSITY" not in variables_of([], whole_environment=True)


def test_options_for_reruns_win_over_pytests_own_and_both_become_one_rule() -> None:
    words = [
        "--reruns",
        "1",
        "--fail-on-flaky",
        "--",
        "pytest",
        "--reruns=3",
        "--reruns-delay",
        "2",
        "--only-rerun",
        "OS",
        "-q",
    ]
    options = parse(words)
    command = recognise(options.command)

    assert command.arguments == ("-q",)
    policy = policy_of(command, options)
    assert (policy.max_reruns, policy.rerun_rule.delay.seconds, list(policy.rerun_rule.only)) == (1, 2, ["OS"])
    assert policy.rerun_rule.fail_on_flaky
    assert policy_of(recognise(["pytest"]), parse(["--", "pytest"])).max_reruns == 0


def test_no_reruns_on_the_command_line_win_over_pytests_own() -> None:
    options = parse(["--reruns", "0", "--", "pytest", "--reruns=3"])
    assert policy_of(recognise(options.command), options).max_reruns == 0


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["pytest", "--reruns"], "needs a value"),
        (["pytest", "--reruns=many"], "0 to 100"),
        (["pytest", "--reruns-delay=2h"], "at most an hour"),
        (["pytest", "--rerun-except", "x"], "--only-rerun"),
    ],
)
def test_reruns_that_cannot_be_are_refused_with_a_hint(words: list[str], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        recognise(words)


def test_a_reset_of_an_election_needs_a_database_and_asks_first(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CROSSFLEET_COORDINATOR_DATABASE", raising=False)

    assert main(["admin", "election", "reset"]) == 2
    assert "--database URL" in capfd.readouterr().err
    assert main(["admin", "election", "reset", "--database", "mysql://u:hidden@h/x", "--yes"]) == 2
    said = capfd.readouterr().err
    assert "postgresql+psycopg://USER@HOST/DATABASE" in said
    assert "hidden" not in said


def test_a_limit_of_cases_is_a_time_or_learnt() -> None:
    def policy(*words: str) -> suite_pb2.Policy:
        return policy_of(recognise(["pytest"]), parse([*words, "--", "pytest"]))

    assert policy("--case-timeout", "2m").case_timeout.seconds == 120
    assert not policy("--case-timeout", "2m").learnt_case_timeout
    assert policy("--case-timeout", "auto").learnt_case_timeout
    assert not policy("--case-timeout", "auto").HasField("case_timeout")
    with pytest.raises(SystemExit):
        policy("--case-timeout", "automatic")


@pytest.mark.parametrize(
    ("words", "percent"), [((), 0), (("--speculate",), 5), (("--speculate=20%",), 20), (("--speculate", "0"), 0)]
)
def test_second_executions_are_asked_for_with_a_bound(words: tuple[str, ...], percent: int) -> None:
    assert policy_of(recognise(["pytest"]), parse([*words, "--", "pytest"])).speculate_percent == percent


def test_a_bound_of_second_executions_is_a_percentage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--speculate=many", "--", "pytest"])
    assert "'many' is no percentage: give a whole number from 0 to 100" in capsys.readouterr().err

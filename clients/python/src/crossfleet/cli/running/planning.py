"""What a command line asks to run, before any fleet is asked: the kind of suite, its targets, and their interpreter."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from crossfleet.cli.exits import UsageError
from crossfleet.cli.fleet.elsewhere import address_elsewhere
from crossfleet.cli.pytest_options.project import inherited_variable
from crossfleet.cli.running.command import Command, recognise
from crossfleet.cli.running.interpreter import check_has_pytest
from crossfleet.cli.running.kinds import check_known
from crossfleet.cli.running.matrix import TargetPlan, plan_targets
from crossfleet.cli.running.options import RunOptions


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What runs on which targets; `python` is the interpreter of targets that name none, empty where none is needed.

    `own` has by target the commands of those that do not run `command`; `notes` say what of the options makes no difference.
    """

    command: Command
    targets: tuple[TargetPlan, ...]
    python: str
    own: Mapping[str, Command] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def plan_run(options: RunOptions) -> RunPlan:
    """What `options` ask for. Raises UsageError for what cannot be."""
    address = address_elsewhere(options.data)
    if options.runner and not address:
        check_known(options.runner)  # another fleet knows its own
    here = all(word.strip().startswith("unix:") for word in address.split(",") if word)
    targets = plan_targets(options)
    addopts = inherited_variable(options.env, whole_environment=here)
    own = {target.name: _own_command(target, addopts) for target in targets if target.command}
    bare = [target.name for target in targets if not target.command]
    if bare and not options.command:
        raise UsageError(f"{bare[0]}: the matrix file says no command for it, so name what to run after `--`")
    if options.command:
        junit = bool(options.collect_junit)
        command = recognise(options.command, addopts, runner=options.runner, leaves_junit=junit)
    else:
        command = own[targets[0].name]
    _check_terminal(command)
    _check_shard(command, options)
    notes = _of_reruns_without_number(options, command, [command, *own.values()])
    if options.unchanged_too and not any(need.when == "changed" for target in targets for need in target.needs):
        notes = (*notes, "--unchanged-too: no target here needs another one with :changed")
    if here:
        targets = tuple(
            replace(target, python=_default_python(own[target.name], (target,))) if target.name in own else target
            for target in targets
        )
    common = tuple(target for target in targets if target.name in bare)
    return RunPlan(command, targets, _default_python(command, common) if here and common else "", own, notes)


def _own_command(target: TargetPlan, addopts: str) -> Command:
    """The command of one target. Raises UsageError for options of pytest that are about the whole run."""
    command = recognise(target.command, addopts)
    _check_terminal(command)
    program = target.command[: 3 if command.as_module else 1]
    ours = recognise(program, addopts) if command.pytest else command  # what the project's settings say anyway
    for option, said, known in (
        ("-x and --maxfail", command.pytest and command.pytest.max_failures, ours.pytest and ours.pytest.max_failures),
        ("--dist", command.pytest and command.pytest.grouping, ours.pytest and ours.pytest.grouping),
        ("--reruns", command.reruns.count, ours.reruns.count),
        ("--junitxml", command.pytest and command.pytest.junit, ours.pytest and ours.pytest.junit),
    ):
        if said and said != known:
            raise UsageError(
                f"target {target.name}: {option}: say it of the whole run, as an option of `crossfleet run`"
            )
    return command


def _of_reruns_without_number(options: RunOptions, command: Command, every: Sequence[Command]) -> tuple[str, ...]:
    """Marks of pytest may say how often a case is run again. Raises UsageError where nothing can."""
    ways = options.reruns.ways
    if not ways or options.reruns.over(command.reruns).count is not None:
        return ()
    if not any(one.runner == "pytest" for one in every):
        raise UsageError(f"{', '.join(ways)}: nothing is run again without --reruns N; say how often")
    mark = "a mark, such as flaky(reruns=2)"
    return (f"{', '.join(ways)}: without --reruns N the fleet runs only those cases again that have {mark}",)


def _check_terminal(command: Command) -> None:
    """Raises UsageError for -s where a person sits and waits for the output."""
    if command.pytest and command.pytest.output_wanted and sys.stdin.isatty() and sys.stdout.isatty():
        raise UsageError(
            "-s: output of a fleet's tests goes to `crossfleet logs`; to see it here, and to type into tests, run pytest "
            "in this terminal: crossfleet run --local -- pytest -s ..."
        )


def _check_shard(command: Command, options: RunOptions) -> None:
    """Raises UsageError for a part of what each machine's own cache selects: the machines would cut other suites."""
    selecting = [name for name in (command.pytest.cache if command.pytest else ()) if name in ("--lf", "--sw")]
    if options.shard and selecting:
        raise UsageError(
            f"{selecting[0]}: selects by this machine's cache, and all shards must be cut from the same cases: "
            "leave it out, or leave --shard out"
        )


def _default_python(command: Command, targets: tuple[TargetPlan, ...]) -> str:
    """The interpreter of targets that name none. Raises UsageError where an interpreter lacks pytest."""
    if not command.in_python:
        return ""
    checks = command.runner == "pytest"
    for named in {target.python for target in targets if target.python and checks}:
        check_has_pytest(named)
    if all(target.python or target.requirements for target in targets):
        return targets[0].python if len(targets) == 1 else ""
    found = command.default_python()
    if checks:
        check_has_pytest(found)
    return found

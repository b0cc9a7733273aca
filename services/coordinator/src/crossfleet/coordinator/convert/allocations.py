"""What a worker must know to get ready for an allocation, and its tasks in the worker's own case numbers."""

from __future__ import annotations

from collections.abc import Container, Iterable

from crossfleet.api.types.v1.run_pb2 import RunSpec
from crossfleet.api.types.v1.suite_pb2 import Suite
from crossfleet.coordinator.convert import orders
from crossfleet.coordinator.core.events import AssignedTask
from crossfleet.coordinator.core.model import Allocation, Run, State
from crossfleet.coordinator.core.seeds import following
from crossfleet.coordinator.core.shards import SEED
from crossfleet.matching.messages import portion_messages

_KEPT_SPECS = 64


class Specs:
    """The RunSpecs of the last runs, parsed once each."""

    def __init__(self) -> None:
        """Nothing parsed yet."""
        self._parsed: dict[str, RunSpec] = {}
        self._shortened: dict[str, Suite] = {}

    def of(self, run: Run) -> RunSpec:
        """The spec of an open run."""
        spec = self._parsed.get(run.run_id)
        if spec is None:
            if len(self._parsed) >= _KEPT_SPECS:
                del self._parsed[next(iter(self._parsed))]
            spec = self._parsed[run.run_id] = RunSpec.FromString(run.spec)
        return spec

    def without_cases(self, group_id: str, suite: Suite) -> Suite:
        """The suite of a group without the ids of its cases."""
        short = self._shortened.get(group_id)
        if short is None:
            if len(self._shortened) >= _KEPT_SPECS:
                del self._shortened[next(iter(self._shortened))]
            short = self._shortened[group_id] = Suite()
            short.CopyFrom(suite)
            short.ClearField("cases")
        return short


def open_allocation(
    state: State, allocation: Allocation, specs: Specs, by_number: Container[str] = ()
) -> orders.Message:
    """The order to get ready. `by_number`: the worker's runners that need no ids of the cases that a run names."""
    run = state.runs[allocation.run_id]
    group = state.groups[allocation.group_id]
    spec = specs.of(run)
    target = spec.targets[group.position]
    message = orders.Message()
    order = message.open_allocation
    order.allocation_id = allocation.allocation_id
    order.run_id = run.run_id
    order.target = target.name
    order.slots.extend(allocation.slots)
    suite = target.suite if target.HasField("suite") else spec.suite
    if suite.cases and suite.runner in by_number:
        order.cases_left_out = len(suite.cases)
        suite = specs.without_cases(group.group_id, suite)
    order.suite.CopyFrom(suite)
    order.workspace.CopyFrom(spec.workspace)
    order.environment.CopyFrom(target.environment)
    for slot, devices in zip(allocation.slots, allocation.device_ids, strict=False):
        order.devices.add(device_ids=devices, portions=portion_messages(allocation.portions.get(slot, ())))
    order.cpu_cores = allocation.cpu_cores
    order.memory_limit_bytes = run.policy.memory_limit
    order.case_timeout_seconds = run.policy.case_timeout
    order.known_collection_digest = group.digest
    order.traceparent = run.traceparent
    order.seed = run.seed
    if spec.workspace.local_path and run.seed != SEED:
        order.next_seed = following(run.seed)
    order.max_failures = run.policy.max_failures
    if target.request.HasField("gates"):
        order.gates.CopyFrom(target.request.gates)
    order.first_number = allocation.first_number
    order.run_slots = run.numbers.end
    return message


def add_tasks(state: State, message: orders.Message, allocation: Allocation, tasks: Iterable[AssignedTask]) -> None:
    """Adds tasks to an assign order, in the worker's own numbers, with what time their cases have."""
    group, known = state.groups[allocation.group_id], allocation.local_of
    for task in tasks:
        cases = task.case_indices
        limits = [group.limit(case) for case in cases] if group.limits else ()
        orders.add_task(message, task, cases if known is None else [known[case] for case in cases], limits)

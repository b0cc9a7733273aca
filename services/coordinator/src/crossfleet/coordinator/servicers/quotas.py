"""Quotas: what projects may hold, what they do hold and who waits."""

from __future__ import annotations

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.coordinator.convert.checks import Checks
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.quota import RUNS, SLOTS, Quota, Tally
from crossfleet.coordinator.core.quotas import holders, in_line
from crossfleet.matching.model import SHARED_CLASSES

_MOST = 1_000_000
_MOST_CLASSES = 16


def quota_from(message: admin_pb2.Quota) -> Quota:
    """A quota as it was asked for. Raises InvalidArgument for what it cannot be."""
    checks = Checks()
    checks.name(message.project, "quota.project")
    slots = message.slots if message.HasField("slots") else None
    runs = message.runs if message.HasField("runs") else None
    devices = tuple(sorted(message.devices.items()))
    checks.require(
        slots is not None or runs is not None or bool(devices), "quota", "slots, runs or devices; remove it to lift all"
    )
    for name, value in (("slots", slots), ("runs", runs), *((f"devices[{one}]", most) for one, most in devices)):
        checks.require(value is None or 0 <= value <= _MOST, f"quota.{name}", f"0 to {_MOST}")
    checks.require(len(devices) <= _MOST_CLASSES, "quota.devices", f"at most {_MOST_CLASSES} classes")
    for name, _ in devices:
        if checks.name(name, f"quota.devices[{name}]"):
            text = "not cpu, which slots share; slots and runs have limits of their own"
            checks.require(name not in {SLOTS, RUNS, *SHARED_CLASSES}, f"quota.devices[{name}]", text)
    checks.finish("the quota")
    return Quota(message.project, slots, runs, devices)


def quota_messages(state: State) -> list[admin_pb2.QuotaStatus]:
    """All, by project."""
    return [_message(state, state.quotas[project]) for project in sorted(state.quotas)]


def _message(state: State, quota: Quota) -> admin_pb2.QuotaStatus:
    tally = state.tallies.get(quota.project, Tally())
    message = admin_pb2.QuotaStatus(
        quota=admin_pb2.Quota(project=quota.project, slots=quota.slots, runs=quota.runs, devices=dict(quota.devices)),
        slots_held=tally.slots,
        begun_run_ids=list(tally.begun),
        devices_held={name: tally.held(name) for name, _ in quota.devices},
        waiting_group_ids=[one.group_id for one in in_line(state, quota.project)],
    )
    for group_id, slots, _ in holders(state, quota.project):
        message.holders.add(group_id=group_id, run_id=state.groups[group_id].run_id, slots=slots)
    return message

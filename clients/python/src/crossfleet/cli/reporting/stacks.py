"""A case while it runs, for people: where, for how long, its stacks."""

from __future__ import annotations

from crossfleet.api.coordinator.v1 import inspection_service_pb2 as wire
from crossfleet.cli.running.view import duration


def inspected(case: wire.InspectedCase) -> str:
    """One line, and below it the stacks where there are any."""
    where = f"on {case.worker_id}/{case.slot}"
    head = f"{case.case_id} [{case.target}] has been running for {duration(case.seconds)} {where}"
    stacks = case.stacks.decode("utf-8", "backslashreplace").strip("\n")
    return "\n".join([head, *(f"    {line}".rstrip() for line in stacks.splitlines())])

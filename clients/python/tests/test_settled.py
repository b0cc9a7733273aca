"""A fleet of one's own is kept until the sessions of its suites have ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from crossfleet.api.types.v1 import run_pb2
from crossfleet.cli.running.settled import sessions_ended
from crossfleet.foundation.errors import Unavailable


def client_answering(*answers: list[str] | Exception) -> Any:
    """A client whose runs show these workers, call after call; the last answer stays."""
    left = list(answers)

    async def get(run_id: str) -> run_pb2.Run:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return run_pb2.Run(run_id=run_id, targets=[run_pb2.TargetStatus(name="t", worker_ids=answer)])

    return SimpleNamespace(runs=SimpleNamespace(get=get))


async def test_it_waits_until_no_worker_holds_slots() -> None:
    assert await sessions_ended(client_answering(["w"], ["w"], []), "run-1")


async def test_it_waits_no_longer_than_its_limit() -> None:
    assert not await sessions_ended(client_answering(["w"]), "run-1", seconds=0.1)


async def test_a_fleet_that_goes_away_is_not_waited_for() -> None:
    assert not await sessions_ended(client_answering(["w"], Unavailable("gone")), "run-1")

"""Plugins for the tests of the host."""

from __future__ import annotations

import threading
from typing import Annotated, Any

import msgspec

from crossfleet.foundation.config import setting
from crossfleet.foundation.errors import ArtifactNotFound, Unavailable

release = threading.Event()


class Good:
    """Has settings, a lifecycle, methods of both kinds."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        """What it can be told."""

        size: Annotated[int, setting("How much.", ge=1)] = 3

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.steps: list[str] = []
        self.broken = False

    async def start(self) -> None:
        self.steps.append("start")

    async def drain(self) -> None:
        self.steps.append("drain")

    async def stop(self) -> None:
        self.steps.append("stop")

    async def double(self, number: int) -> int:
        if self.broken:
            raise ValueError("out of order")
        return number * self.settings.size

    def thread_name(self) -> str:
        return threading.current_thread().name

    def hang(self) -> None:
        release.wait(30)

    async def refuse(self) -> None:
        raise ArtifactNotFound("not here", artifact="a")

    async def unreachable(self) -> None:
        raise Unavailable("the server is away")


def unmakeable(settings: dict[str, Any]) -> None:
    """Fails when it is made."""
    raise RuntimeError("no licence")


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Takes any settings."""
    return settings

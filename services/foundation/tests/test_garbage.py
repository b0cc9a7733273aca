"""Garbage is looked for when a process has done something and stands still."""

from __future__ import annotations

import asyncio

import pytest

from crossfleet.foundation import garbage


async def test_it_is_collected_once_after_a_spell_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    done, seen = 0, []
    monkeypatch.setattr(garbage, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr("gc.collect", lambda: seen.append(done))
    looks = 0

    def work() -> int:
        nonlocal looks, done
        looks += 1
        done += looks < 20
        return done

    collecting = asyncio.ensure_future(garbage.collect_in_peace(work))
    async with asyncio.timeout(10):
        while looks < 60:
            await asyncio.sleep(0)
    collecting.cancel()

    assert seen == [done]

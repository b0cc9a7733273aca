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


@pytest.mark.parametrize(("middle_seconds", "generation"), [(1_000.0, 0), (0.0, 1)])
async def test_what_is_new_is_looked_through_while_work_goes_on_and_what_outlived_that_from_time_to_time(
    monkeypatch: pytest.MonkeyPatch, middle_seconds: float, generation: int
) -> None:
    looks = 0
    collected: list[int] = []
    monkeypatch.setattr(garbage, "_YOUNG_SECONDS", 0.001)
    monkeypatch.setattr(garbage, "_MIDDLE_SECONDS", middle_seconds)
    monkeypatch.setattr("gc.collect", collected.append)

    def work() -> int:
        nonlocal looks
        looks += 1
        return min(looks, 20)

    collecting = asyncio.ensure_future(garbage.collect_young(work))
    async with asyncio.timeout(10):
        while looks < 60:
            await asyncio.sleep(0)
    collecting.cancel()

    assert collected == [generation] * 19

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from crossfleet.worker.caching import remove_old
from crossfleet.worker.content import ContentCache

DAY = 86_400.0
NOW = 1_000 * DAY


def content(cache: Path, name: str, days: float, size: int = 100) -> Path:
    path = cache / "content" / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (NOW - days * DAY,) * 2)
    return path


def environment(cache: Path, name: str, days: float) -> Path:
    path = cache / "environments" / name
    (path / "bin").mkdir(parents=True)
    (path / "bin" / "python").write_bytes(b"x" * 1000)
    path.with_name(f"{name}.txt").write_text("numpy")
    os.utime(path, (NOW - days * DAY,) * 2)
    return path


def test_what_was_not_used_for_long_goes_and_the_rest_stays(tmp_path: Path) -> None:
    old, new = content(tmp_path, "aa1", 15), content(tmp_path, "bb2", 13)
    gone, kept = environment(tmp_path, "e1", 20), environment(tmp_path, "e2", 2)

    removed = remove_old(tmp_path, 14, 0, NOW)

    assert {one.path for one in removed} == {old, gone}
    assert (old.exists(), gone.exists(), new.exists(), kept.exists()) == (False, False, True, True)
    assert sorted(path.name for path in (tmp_path / "environments").iterdir()) == ["e2", "e2.txt"]


def test_over_its_size_the_longest_unused_goes_first_but_nothing_of_today(tmp_path: Path) -> None:
    paths = [content(tmp_path, f"aa{days}", days) for days in (9, 5, 3)] + [content(tmp_path, "today", 0.5, 10_000)]

    remove_old(tmp_path, 0, 10_100, NOW)
    assert [path.exists() for path in paths] == [False, False, True, True]
    remove_old(tmp_path, 0, 1, NOW)
    assert [path.exists() for path in paths] == [False, False, False, True]


@pytest.mark.parametrize("days", [0.0, 30.0])
def test_without_a_limit_that_is_reached_nothing_goes(tmp_path: Path, days: float) -> None:
    path = content(tmp_path, "aa1", 20)

    assert remove_old(tmp_path, days, 0, NOW) == []
    assert path.exists()
    assert remove_old(tmp_path / "nowhere", 1, 1, NOW) == []


def test_a_file_that_is_used_is_young_again(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path / "content")
    path = content(tmp_path, "aa" + "0" * 62, 900)

    assert cache.has("aa" + "0" * 62)
    assert not cache.has("bb" + "0" * 62)
    assert path.stat().st_mtime > time.time() - 60

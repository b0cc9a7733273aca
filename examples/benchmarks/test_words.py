"""Which way of counting words is the fastest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

import pytest

WORDS = "the quick brown fox jumps over the lazy dog and the dog sleeps on".split() * 200


def by_counter(words: list[str]) -> Mapping[str, int]:
    """The standard library's own."""
    return Counter(words)


def by_defaultdict(words: list[str]) -> Mapping[str, int]:
    """One look-up a word."""
    found: defaultdict[str, int] = defaultdict(int)
    for word in words:
        found[word] += 1
    return found


def by_get(words: list[str]) -> Mapping[str, int]:
    """Two look-ups a word."""
    found: dict[str, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return found


@pytest.mark.parametrize("count", [by_counter, by_defaultdict, by_get])
def test_counting_words(benchmark: Callable[..., Mapping[str, int]], count: Callable[..., Mapping[str, int]]) -> None:
    """Each is asked the same, and gives the same answer."""
    assert benchmark(count, WORDS)["the"] == 600

"""Which case a person means. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

Named = tuple[str, str]
"""A target's name and a case's id."""
_WORD = re.compile(r"(?:FAILED|ERROR|CRASHED|TIMED_OUT)\s+")
_TARGET = re.compile(r"(?P<id>.*\S)\s+\[(?P<target>[A-Za-z0-9._-]{1,64})\]", re.DOTALL)


def meant(typed: str, known: Sequence[Named], target: str = "") -> list[Named]:
    """The cases that `typed` can mean, from the closest reading that fits any; empty where none fits.

    Read as an id; as a line of a report (`FAILED id - message [target]`); as the end of an id, or one with folders in
    front; as a function without its parameters.
    """
    known = [each for each in known if not target or each[0] == target]
    text = _WORD.sub("", typed.strip(), count=1).removeprefix("./")
    if found := [each for each in known if each[1] in (typed, text)]:
        return found
    if printed := _TARGET.fullmatch(text):
        inner = (printed["id"], printed["id"].partition(" - ")[0])
        if found := [each for each in known if each[0] == printed["target"] and each[1] in inner]:
            return found
    text = text.partition(" - ")[0]
    if found := [each for each in known if each[1] == text]:
        return found
    endings = [each for each in known if each[1].endswith((f"/{text}", f"::{text}")) or text.endswith(f"/{each[1]}")]
    return endings or [each for each in known if each[1].rpartition("::")[2] and _without_parameters(each[1], text)]


def _without_parameters(case_id: str, text: str) -> bool:
    plain = case_id.partition("[")[0]
    return "[" in case_id and (plain == text or plain.endswith((f"/{text}", f"::{text}")))


def near(typed: str, known: Iterable[str]) -> list[str]:
    """Up to five ids that look like `typed`, the nearest first."""
    ids = list(dict.fromkeys(known))
    found = get_close_matches(typed, ids, 5, 0.5)
    if len(found) < 5:
        by_name = {case_id: case_id.rpartition("::")[2] for case_id in ids}
        names = get_close_matches(typed.rpartition("::")[2], set(by_name.values()), 5, 0.6)
        found += [case_id for case_id, name in by_name.items() if name in names and case_id not in found]
    return found[:5]

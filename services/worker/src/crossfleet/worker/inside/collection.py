"""What a collection found: ids in pytest's order, their setup groups, and a digest that names them all."""

from __future__ import annotations

import hashlib
from typing import Any, Callable, Dict, List, Optional, Sequence

from . import benchmarks
from .reruns import allowed_reruns


def identified(items: Sequence[Any]) -> List[str]:
    """Return the id of each item, in order; the second item of one id gets ``#2``, the third ``#3``."""
    seen: Dict[str, int] = {}
    ids: List[str] = []
    for item in items:
        count = seen.get(item.nodeid, 0) + 1
        seen[item.nodeid] = count
        ids.append(item.nodeid if count == 1 else "{}#{}".format(item.nodeid, count))
    return ids


def digest(cases: Sequence[Dict[str, Any]]) -> str:
    """Return the sha256 (hex) of the ids in their order, and of what else may change while the ids stay."""
    ids = [case["id"] for case in cases]
    named = ["{}@{}".format(case["id"], case["named_group"]) for case in cases if "named_group" in case]
    first = ["{}!".format(case["id"]) for case in cases if "first" in case]
    alone = ["{}|".format(case["id"]) for case in cases if "exclusive" in case]
    return hashlib.sha256("\0".join(ids + named + first + alone).encode("utf-8", "surrogatepass")).hexdigest()


def described(
    items: Sequence[Any],
    ids: Sequence[str],
    comes_first: Optional[Callable[[Any], bool]] = None,
    own_reruns: bool = False,
    gated: bool = False,
) -> List[Dict[str, Any]]:
    """Return what the coordinator needs of each case: id, group (file, then classes), line number from 0.

    A case with marks ``xdist_group`` also has a ``named_group``, one that is to be run before others ``first``, one that
    measures ``exclusive``; where they are ``gated``, all are. With ``own_reruns`` also how often its mark lets it be run again: no plugin of the suite heeds
    that.
    """
    groups: Dict[Any, List[str]] = {}
    cases: List[Dict[str, Any]] = []
    for item, name in zip(items, ids):
        parent = item.parent
        group = groups.get(parent)
        if group is None:
            file, _, rest = getattr(parent, "nodeid", "").partition("::")
            group = groups[parent] = [file] + [part for part in rest.split("::") if part]
        case: Dict[str, Any] = {"id": name, "group": group}
        try:
            case["lineno"] = item.location[1] or 0
        except Exception:  # a third-party item may not know where it stands
            case["lineno"] = 0
        name_of_group = named_group(item)
        if name_of_group:
            case["named_group"] = name_of_group
        if comes_first is not None and comes_first(item):
            case["first"] = True
        if gated or benchmarks.measures(item):
            case["exclusive"] = True
        reruns = allowed_reruns(item) if own_reruns else 0
        if reruns:
            case["reruns"] = reruns
        cases.append(case)
    return cases


def named_group(item: Any) -> str:
    """Return the group of an item by its marks ``xdist_group``, several joined as xdist joins them; empty: none."""
    names = set()
    for mark in item.iter_markers("xdist_group"):
        names.add(str(mark.args[0] if mark.args else mark.kwargs.get("name", "default")))
    return "_".join(sorted(names))


class CollectionReports:
    """Plugin: keeps what failed or was skipped while collecting, and how many items were deselected."""

    def __init__(self) -> None:
        self.errors: List[Dict[str, str]] = []
        self.skipped: List[Dict[str, str]] = []
        self.deselected = 0

    def pytest_collectreport(self, report: Any) -> None:
        """Note a file or class that could not be collected, or that skips itself."""
        if report.failed:
            self.errors.append({"id": report.nodeid, "message": report.longreprtext})
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.skipped.append({"id": report.nodeid, "message": reason})

    def pytest_deselected(self, items: Sequence[Any]) -> None:
        """Count what -k, -m and plugins took out."""
        self.deselected += len(items)


def arranged(items: Sequence[Any], expected: Sequence[str]) -> List[Any]:
    """Return ``items`` in the order of the ``expected`` ids, as another process collected them.

    Raises ValueError naming the first differences when the two collections do not hold the same ids.
    """
    own = dict(zip(identified(items), items))
    if len(own) != len(expected) or any(name not in own for name in expected):
        wanted = set(expected)
        missing = sorted(wanted.difference(own))[:3]
        extra = sorted(set(own).difference(wanted))[:3]
        raise ValueError(
            "this process collected other cases than the first one (missing: {}; not expected: {}): "
            "make the parameters of the suite the same in every process".format(missing, extra)
        )
    return [own[name] for name in expected]

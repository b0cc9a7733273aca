"""The results of several schedulers as tables of text, side by side."""

from __future__ import annotations

from collections.abc import Mapping

from crossfleet.cli.reporting.paint import Paint
from crossfleet.cli.reporting.table import table
from crossfleet.cli.simulating.figures import CLASS_HEADS, class_figures, duration, figures, percent, waits
from crossfleet.simulation.playing import Played


def text(title: str, played: Mapping[str, Played], paint: Paint) -> str:
    """All tables. Figures, waits by class, priority classes, projects."""
    parts = [paint(title, "bold")] if title else []
    parts += [_figures(played, paint), _waits(played, paint), _classes(played, paint), _projects(played, paint)]
    return "\n\n".join(filter(None, parts))


def _figures(played: Mapping[str, Played], paint: Paint) -> str:
    columns = [dict(figures(one)) for one in played.values()]
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    return table(("", *played), rows, right=frozenset(range(1, len(played) + 1)), paint=paint)


def _waits(played: Mapping[str, Played], paint: Paint) -> str:
    found = {name: waits(one) for name, one in played.items()}
    rows = []
    for kind in sorted({kind for own in found.values() for kind in own}):
        for name, own in found.items():
            spread = own.get(kind)
            if spread is not None:
                cells = (spread.p50, spread.p90, spread.p99, spread.most)
                rows.append((kind, name, str(spread.count), *map(duration, cells)))
    heads = ("wait by class", "scheduler", "groups", "p50", "p90", "p99", "longest")
    return table(heads, rows, right=frozenset(range(2, 7)), paint=paint)


def _classes(played: Mapping[str, Played], paint: Paint) -> str:
    """Empty where there are none."""
    found = {name: class_figures(one) for name, one in played.items()}
    rows = [
        (kind, name, *own[kind])
        for kind in sorted({kind for own in found.values() for kind in own})
        for name, own in found.items()
        if kind in own
    ]
    heads = ("priority class", "scheduler", *CLASS_HEADS)
    return table(heads, rows, right=frozenset(range(2, len(heads))), paint=paint) if rows else ""


def _projects(played: Mapping[str, Played], paint: Paint) -> str:
    rows = []
    projects = sorted({account.project for one in played.values() for account in one.results.projects})
    for project in projects:
        for name, one in played.items():
            for account in one.results.projects:
                if account.project == project:
                    due = percent(account.got / account.due) if account.due > 0 else "-"
                    rows.append((project, f"{account.weight:g}", name, duration(account.slot_seconds), due))
    heads = ("project", "weight", "scheduler", "slot time", "got of its due")
    return table(heads, rows, right=frozenset((1, 3, 4)), paint=paint)

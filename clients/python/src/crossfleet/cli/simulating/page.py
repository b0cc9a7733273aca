"""The results of several schedulers as one HTML page: plots and tables, no script, nothing from a network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files

from crossfleet.cli.simulating import plots
from crossfleet.cli.simulating.figures import CLASS_HEADS, class_figures, duration, figures, waits
from crossfleet.simulation.core.curve import Level
from crossfleet.simulation.playing import Played


def page(title: str, played: Mapping[str, Played]) -> str:
    """The document. Of more than six schedulers some share a colour."""
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    legend = "".join(
        f'<li><i class="f{index % plots.COLOURS}"></i>{escape(_legend(name, one))}</li>'
        for index, (name, one) in enumerate(played.items())
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        f'<header><h1>{escape(title)}</h1><ul class="legend">{legend}</ul></header>'
        f"<main>{''.join(_sections([*played], [*played.values()]))}</main></body></html>\n"
    )


def _legend(name: str, one: Played) -> str:
    described = f"{one.described.name} {one.described.version}".strip()
    return name if name == described else f"{name}: {described}"


def _sections(names: Sequence[str], played: Sequence[Played]) -> list[str]:
    measures = [one.results.measures for one in played]
    every = [[wait for values in one.waits.values() for wait in values] for one in measures]
    return [
        _section(
            "Slots that execute cases",
            "over time; dashed: slots that are there",
            plots.over_time([_points(one.busy) for one in measures], _points(measures[0].slots)),
        ),
        _section(
            "Groups that wait and hold nothing",
            "over time",
            plots.over_time([_points(one.queue) for one in measures]),
        ),
        _section(
            "Wait for the first slots",
            "part of all groups that waited at most so long",
            plots.distributions(every, [one.submitted for one in measures]),
        ),
        _section(
            "What projects got of what they were due by their weights",
            "while they and others wanted more; dashed: exactly that",
            _projects(names, played),
        ),
        _section("Figures", "", _figures(names, played)),
        _section("Wait by class", "from the submission of a group to its first slots", _waits(names, played)),
        *_classes(names, played),
    ]


def _section(title: str, text: str, content: str) -> str:
    told = f"<p>{escape(text)}</p>" if text else ""
    return f"<section><h2>{escape(title)}</h2>{told}{content}</section>"


def _points(level: Level) -> list[tuple[float, float]]:
    span = level.curve.span
    return [((at + 0.5) * span, value) for at, value in enumerate(level.curve.means())]


def _projects(names: Sequence[str], played: Sequence[Played]) -> str:
    found = [{one.project: one for one in each.results.projects if one.due > 0} for each in played]
    projects = sorted({project for own in found for project in own})
    if not projects:
        return "<p>At no time two projects wanted more than they had.</p>"
    values = [[own[one].got / own[one].due if one in own else 0.0 for one in projects] for own in found]
    return plots.bars(projects, values, names, 1.0)


def _figures(names: Sequence[str], played: Sequence[Played]) -> str:
    columns = [dict(figures(one)) for one in played]
    return _table(("", *names), [(name, *(column[name] for column in columns)) for name in columns[0]])


def _waits(names: Sequence[str], played: Sequence[Played]) -> str:
    found = [waits(one) for one in played]
    rows = []
    for kind in sorted({kind for own in found for kind in own}):
        for name, own in zip(names, found, strict=True):
            if kind in own:
                one = own[kind]
                cells = (one.p50, one.p90, one.p99, one.most)
                rows.append((f"{kind}, {name}", str(one.count), *map(duration, cells)))
    return _table(("class", "groups", "p50", "p90", "p99", "longest"), rows)


def _classes(names: Sequence[str], played: Sequence[Played]) -> list[str]:
    found = [class_figures(one) for one in played]
    rows = [
        (f"{kind}, {name}", *own[kind])
        for kind in sorted({kind for own in found for kind in own})
        for name, own in zip(names, found, strict=True)
        if kind in own
    ]
    text = "how long they waited, whether they were in time, and what was taken from them"
    return [_section("Priority classes", text, _table(("class", *CLASS_HEADS), rows))] if rows else []


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

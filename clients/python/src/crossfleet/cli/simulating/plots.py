"""Plots as SVG: curves over time, distributions, bars. Colours are classes of the page's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from crossfleet.cli.simulating.figures import duration, percent

COLOURS = 6
_WIDTH, _HEIGHT = 640, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 10, 26
_STEPS = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10_800,
    21_600,
    43_200,
    86_400,
    172_800,
    604_800,
)
_DECADES = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0, 360_000.0)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Axes:
    """Where values lie on the paper: `x` and `y` answer coordinates."""

    x: Callable[[float], float]
    y: Callable[[float], float]


def over_time(curves: Sequence[Points], limit: Points = ()) -> str:
    """Curves over seconds of a trace, from zero up; `limit` is drawn behind them."""
    every = [point for points in (*curves, limit) for point in points]
    end = max((at for at, _ in every), default=1.0) or 1.0
    top = _above(max((value for _, value in every), default=1.0))
    axes = _Axes(_linear(0.0, end, _LEFT, _WIDTH - _RIGHT), _linear(0.0, top, _HEIGHT - _BOTTOM, _TOP))
    step = next((one for one in _STEPS if end / one <= 8), _STEPS[-1])
    ticks = [(at * step, duration(at * step)) for at in range(int(end / step) + 1)]
    lines = [_curve(axes, limit, "limit")] if limit else []
    lines += [_curve(axes, points, f"curve c{index % COLOURS}") for index, points in enumerate(curves)]
    return _svg([*_vertical(axes, ticks), *_horizontal(axes, _steps(top)), *lines])


def distributions(samples: Sequence[Sequence[float]], sizes: Sequence[int]) -> str:
    """Of each sample of seconds the part that is at most so large; of `sizes` more where some have no end.

    The axis is logarithmic; what is below its begin lies on it.
    """
    most = max((max(sample, default=0.0) for sample in samples), default=0.0)
    decades = [one for one in _DECADES if one < most * 10 or one <= 1.0]
    begin, end = decades[0], max(most, decades[1])
    log = _linear(math.log(begin), math.log(end), _LEFT, _WIDTH - _RIGHT)
    axes = _Axes(lambda value: log(math.log(max(value, begin))), _linear(0.0, 1.0, _HEIGHT - _BOTTOM, _TOP))
    ticks = [(one, ("under " if one == begin else "") + duration(one)) for one in decades if one <= end]
    parts = [(part / 4, percent(part / 4).replace(".0", "")) for part in range(5)]
    lines = [
        _curve(axes, _cumulated(sample, size, begin, end), f"curve c{index % COLOURS}")
        for index, (sample, size) in enumerate(zip(samples, sizes, strict=True))
    ]
    return _svg([*_vertical(axes, ticks), *_horizontal(axes, parts), *lines])


def bars(names: Sequence[str], values: Sequence[Sequence[float]], labels: Sequence[str], limit: float) -> str:
    """Groups of bars, one for each name; `values[s][n]` is of series s, called `labels[s]`. A line is drawn at `limit`."""
    top = _above(max((value for series in values for value in series), default=limit) * 1.02)
    top = max(top, limit * 1.1)
    y = _linear(0.0, top, _HEIGHT - _BOTTOM, _TOP)
    room = (_WIDTH - _LEFT - _RIGHT) / max(len(names), 1)
    width = min(room * 0.8 / max(len(values), 1), 40.0)
    drawn = []
    for at, name in enumerate(names):
        middle = _LEFT + room * (at + 0.5)
        drawn.append(_text(middle, _HEIGHT - 9, name if len(name) * 6.5 < room else name[: int(room / 6.5)], "middle"))
        for index, series in enumerate(values):
            left = middle + (index - len(values) / 2) * width
            height = y(0.0) - y(series[at])
            drawn.append(
                f'<rect x="{left:.1f}" y="{y(series[at]):.1f}" width="{width * 0.92:.1f}" height="{height:.1f}" '
                f'class="f{index % COLOURS}"><title>{escape(f"{name}, {labels[index]}: {percent(series[at])}")}</title></rect>'
            )
    axes = _Axes(lambda value: value, y)
    ticks = [(value, percent(value).replace(".0", "")) for value, _ in _steps(top)]
    mark = f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(limit):.1f}" y2="{y(limit):.1f}" class="limit"/>'
    return _svg([*_horizontal(axes, ticks), *drawn, mark])


def _cumulated(sample: Sequence[float], size: int, begin: float, end: float) -> Points:
    """Steps of the distribution, thinned to what can be seen."""
    ranked = sorted(sample)
    if not ranked:
        return ()
    step = max(len(ranked) // 400, 1)
    points = [(ranked[at], (at + 1) / size) for at in range(0, len(ranked), step)]
    most = len(ranked) / size
    return [(begin, 0.0), *points, (ranked[-1], most), (end, most)]


def _linear(low: float, high: float, begin: float, end: float) -> Callable[[float], float]:
    span = high - low or 1.0
    return lambda value: begin + (value - low) / span * (end - begin)


def _above(value: float) -> float:
    """A round number at or above a value."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(one * unit for one in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if one * unit >= value * 0.999)


def _steps(top: float) -> list[tuple[float, str]]:
    return [(top * part / 4, f"{top * part / 4:g}") for part in range(5)]


def _curve(axes: _Axes, points: Points, kind: str) -> str:
    path = " ".join(f"{axes.x(at):.1f},{axes.y(value):.1f}" for at, value in points)
    return f'<polyline points="{path}" class="{kind}"/>'


def _vertical(axes: _Axes, ticks: Sequence[tuple[float, str]]) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    lines = [
        f'<line x1="{axes.x(at):.1f}" x2="{axes.x(at):.1f}" y1="{_TOP}" y2="{bottom}" class="grid"/>' for at, _ in ticks
    ]
    last = len(ticks) - 1
    texts = [
        _text(
            axes.x(at),
            _HEIGHT - 9,
            text,
            "start" if index == 0 else "end" if index == last and axes.x(at) > _WIDTH - 40 else "middle",
        )
        for index, (at, text) in enumerate(ticks)
    ]
    return [*lines, *texts]


def _horizontal(axes: _Axes, ticks: Sequence[tuple[float, str]]) -> list[str]:
    lines = [
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{axes.y(value):.1f}" y2="{axes.y(value):.1f}" class="grid"/>'
        for value, _ in ticks
    ]
    return [*lines, *(_text(_LEFT - 6, axes.y(value) + 4, text, "end") for value, text in ticks)]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(parts)}</svg>'

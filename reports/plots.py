"""Pictures as inline SVG.

Drawn by hand rather than with a plotting library: every colour is a class of the page's style
sheet, so one picture serves light and dark, and a report with hundreds of them stays small.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup, escape

from truestep.properties.judge.results import HISTOGRAM_EDGES
from truestep.reports import numbers

_BINS = (
    "exactly 0",
    *(f"{low:g} to {high:g}" for low, high in pairwise(HISTOGRAM_EDGES)),
    f"above {HISTOGRAM_EDGES[-1]:g}",
)


def _svg(width: float, height: float, label: str, body: str, css: str = "plot") -> Markup:
    return Markup(
        f'<svg class="{css}" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(label)}">{body}</svg>'
    )


def _text(x: float, y: float, text: str, css: str = "", anchor: str = "middle") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}">{escape(text)}</text>'
    )


def histogram(counts: Sequence[int]) -> Markup:
    """Elements per bin of utilisation; heights are logarithmic, so 3 bad ones in a million show."""
    width, height, floor, top = 374.0, 132.0, 112.0, 16.0
    step = width / len(counts)
    most = math.log1p(max(counts, default=0)) or 1.0
    parts = []
    for index, number in enumerate(counts):
        x, tall = index * step, (floor - top) * math.log1p(number) / most
        edge = HISTOGRAM_EDGES[index] if index < len(HISTOGRAM_EDGES) else math.inf
        tone = "within" if edge <= 1 else "near" if edge <= numbers.LIMIT else "over"
        if number:
            tall = max(tall, 2.0)
            title = f"utilisation {_BINS[index]}: {numbers.plural(number, 'element')}"
            parts.append(
                f'<rect class="{tone}" x="{x + 2:.1f}" y="{floor - tall:.1f}" rx="1.5" '
                f'width="{step - 4:.1f}" height="{tall:.1f}"><title>{title}</title></rect>'
            )
            parts.append(_text(x + step / 2, floor - tall - 4, _short(number), "count"))
        parts.append(_text(x + step / 2, height - 6, _tick(index), "tick"))
    limit = step * len(HISTOGRAM_EDGES)
    parts.append(f'<line class="axis" x1="0" y1="{floor}" x2="{width}" y2="{floor}"/>')
    parts.append(f'<line class="limit" x1="{limit}" y1="4" x2="{limit}" y2="{floor + 4}"/>')
    total = sum(counts)
    label = f"{numbers.plural(total, 'element')} by utilisation: " + ", ".join(
        f"{_BINS[i]}: {n}" for i, n in enumerate(counts) if n
    )
    return _svg(width, height, label, "".join(parts), "plot histogram")


def _tick(index: int) -> str:
    if index == len(HISTOGRAM_EDGES):
        return f">{HISTOGRAM_EDGES[-1]:g}"
    return "0" if index == 0 else f"≤{HISTOGRAM_EDGES[index]:g}".replace("≤0.", "≤.")


def _short(number: int) -> str:
    for scale, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= scale:
            value = number / scale
            return f"{value:.0f}{suffix}" if value >= 10 else f"{value:.1f}{suffix}"
    return str(number)


def number_line(values: Sequence[float]) -> Markup:
    """Every representable value as a tick: where a format is dense and where it is coarse."""
    finite = sorted(v for v in values if math.isfinite(v))
    low, high = finite[0], finite[-1]
    width, span = 720.0, (high - low) or 1.0
    ticks = "".join(
        f'<line class="value" x1="{10 + 700 * (v - low) / span:.1f}" '
        f'x2="{10 + 700 * (v - low) / span:.1f}" y1="6" y2="26"/>'
        for v in dict.fromkeys(finite)
    )
    ends = _text(10, 40, f"{low:.4g}", "tick", "start") + _text(
        710, 40, f"{high:.4g}", "tick", "end"
    )
    label = f"{len(set(finite))} representable values from {low:.4g} to {high:.4g}"
    axis = '<line class="axis" x1="10" x2="710" y1="26" y2="26"/>'
    return _svg(width, 44, label, ticks + axis + ends, "plot wide")


def chart(spec: Mapping[str, Any]) -> Markup:
    """The picture that a check asks for, nothing where its data are unusable."""
    try:
        return _chart(spec)
    except (AttributeError, KeyError, TypeError, ValueError):
        # The data come from a file; whatever they are, they must not cost the report.
        return Markup()


def _chart(spec: Mapping[str, Any]) -> Markup:
    """Lines over common axes.

    spec: {"label": what a screen reader says, "x_label", "y_label", "log_x", "log_y",
    "series": [{"label", "x", "y", "role"}]} with role "measured", "bound", "exact" or "control", or
    {"label", "x", "low", "high", "role": "band"}. Points that an axis cannot show are left out.
    """
    series = [item for item in spec["series"] if len(item["x"])]
    x_axis = _Axis(
        [x for s in series for x in s["x"]], 52.0, 470.0, logarithmic=bool(spec.get("log_x"))
    )
    heights = [y for s in series for key in ("y", "low", "high") for y in s.get(key, ())]
    y_axis = _Axis(heights, 196.0, 12.0, logarithmic=bool(spec.get("log_y")))
    parts = []
    for value, text in y_axis.ticks():
        y = y_axis.place(value)
        parts.append(f'<line class="grid" x1="52" x2="470" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(46, y + 3.5, text, "tick", "end"))
    for value, text in x_axis.ticks():
        parts.append(_text(x_axis.place(value), 212, text, "tick"))
    for item in series:
        parts.append(_line(item, x_axis, y_axis))
    parts.append('<line class="axis" x1="52" x2="470" y1="196" y2="196"/>')
    parts.append(_text(261, 230, str(spec.get("x_label", "")), "tick"))
    parts.append(_text(52, 8, str(spec.get("y_label", "")), "tick", "start"))
    return _svg(480, 236, str(spec.get("label", "")), "".join(parts), "plot chart") + _legend(
        series
    )


def _line(item: Mapping[str, Any], x_axis: _Axis, y_axis: _Axis) -> str:
    role = escape(str(item.get("role", "measured")))
    title = f"<title>{escape(str(item.get('label', '')))}</title>"
    if "low" in item:
        points = [*_points(item["x"], item["low"], x_axis, y_axis)]
        points += reversed([*_points(item["x"], item["high"], x_axis, y_axis)])
        return f'<polygon class="{role}" points="{" ".join(points)}">{title}</polygon>'
    points = _points(item["x"], item["y"], x_axis, y_axis)
    return f'<polyline class="{role}" points="{" ".join(points)}">{title}</polyline>'


def _points(xs: Sequence[Any], ys: Sequence[Any], x_axis: _Axis, y_axis: _Axis) -> list[str]:
    return [
        f"{x_axis.place(float(x)):.1f},{y_axis.place(float(y)):.1f}"
        for x, y in zip(xs, ys, strict=True)
        if x_axis.shows(float(x)) and y_axis.shows(float(y))
    ]


def _legend(series: Sequence[Mapping[str, Any]]) -> Markup:
    if len(series) < 2:
        return Markup()
    items = Markup("").join(
        Markup('<li><span class="key {}"></span>{}</li>').format(
            s.get("role", "measured"), s.get("label", "")
        )
        for s in series
    )
    return Markup('<ul class="legend">{}</ul>').format(items)


class _Axis:
    """Maps values to positions, linearly or by logarithm."""

    def __init__(
        self, values: Sequence[Any], start: float, end: float, *, logarithmic: bool
    ) -> None:
        self._log, self._start, self._end = logarithmic, start, end
        shown = [self._scale(float(v)) for v in values if self.shows(float(v))]
        if not logarithmic:
            shown.append(0.0)  # lengths that start elsewhere mislead
        self._low, self._high = (min(shown), max(shown)) if shown else (0.0, 1.0)
        if self._low == self._high:
            self._high = self._low + 1.0

    def shows(self, value: float) -> bool:
        return math.isfinite(value) and (value > 0 or not self._log)

    def place(self, value: float) -> float:
        share = (self._scale(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def _scale(self, value: float) -> float:
        return math.log10(value) if self._log else value

    def ticks(self) -> list[tuple[float, str]]:
        if self._log and self._high - self._low >= 1:
            decades = range(math.ceil(self._low), math.floor(self._high) + 1)
            every = max(1, math.ceil(len(decades) / 6))
            return [(10.0**d, "1" if d == 0 else f"1e{d}") for d in decades[::every]]
        low, high = 10.0**self._low if self._log else self._low, self._high
        step = _round_step(((10.0**high if self._log else high) - low) / 4)
        first = math.ceil(low / step - _NEARLY)
        return [
            (value, f"{value:.6g}")
            for value in (i * step for i in range(first, first + 12))
            if self._low - _NEARLY <= self._scale(value) <= self._high * (1 + _NEARLY)
        ]


# Room for rounding when a tick falls on an end of its axis.
_NEARLY = 1e-9


def _round_step(step: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least step."""
    power = 10.0 ** math.floor(math.log10(step))
    return next((n * power for n in (1, 2, 5) if n * power >= step), 10 * power)

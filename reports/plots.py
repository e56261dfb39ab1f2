"""Pictures as inline SVG.

Drawn by hand rather than with a plotting library: every colour is a class of the page's style
sheet, so one picture serves light and dark, and a report with hundreds of them stays small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

from markupsafe import Markup, escape

from truestep.properties.judge.results import HISTOGRAM_EDGES
from truestep.reports import numbers
from truestep.reports.certificate import Record
from truestep.reports.pictures import Picture

_BINS = (
    "exactly 0",
    *(f"{low:g} to {high:g}" for low, high in pairwise(HISTOGRAM_EDGES)),
    f"above {HISTOGRAM_EDGES[-1]:g}",
)


def _svg(width: float, height: float, label: str, body: str, css: str) -> Markup:
    return Markup(
        f'<svg class="plot {css}" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(label)}">{body}</svg>'
    )


def _text(x: float, y: float, text: str, css: str = "tick", anchor: str = "middle") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}">{escape(text)}</text>'
    )


def histogram(counts: Sequence[int]) -> Markup:
    """Elements per bin of utilisation; heights are logarithmic, so 3 bad ones in a million show."""
    width, height, floor, top = 374.0, 132.0, 112.0, 16.0
    step = width / len(counts)
    most = math.log1p(max(counts))
    parts = []
    for index, number in enumerate(counts):
        x = index * step
        edge = HISTOGRAM_EDGES[index] if index < len(HISTOGRAM_EDGES) else math.inf
        tone = "within" if edge <= 1 else "near" if edge <= numbers.LIMIT else "over"
        if number:
            tall = max((floor - top) * math.log1p(number) / most, 2.0)
            title = f"utilisation {_BINS[index]}: {numbers.plural(number, 'element')}"
            parts.append(
                f'<rect class="{tone}" x="{x + 2:.1f}" y="{floor - tall:.1f}" rx="1.5" '
                f'width="{step - 4:.1f}" height="{tall:.1f}"><title>{title}</title></rect>'
            )
            parts.append(_text(x + step / 2, floor - tall - 4, _short(number), "count"))
    parts.append(_frame(step, width, height, floor))
    label = f"{numbers.plural(sum(counts), 'element')} by utilisation: " + ", ".join(
        f"{_BINS[i]}: {n}" for i, n in enumerate(counts) if n
    )
    return _svg(width, height, label, "".join(parts), "histogram")


@cache
def _frame(step: float, width: float, height: float, floor: float) -> str:
    """What all histograms have: a page has thousands."""
    limit = step * len(HISTOGRAM_EDGES)
    ticks = [_text((i + 0.5) * step, height - 6, _tick(i)) for i in range(len(_BINS))]
    axis = f'<line class="axis" x1="0" y1="{floor}" x2="{width}" y2="{floor}"/>'
    return "".join(
        [*ticks, axis, f'<line class="limit" x1="{limit}" y1="4" x2="{limit}" y2="{floor + 4}"/>']
    )


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


def picture(shown: Picture) -> Markup:
    """A rule's own picture."""
    return chart(shown.chart) if shown.chart else _number_line(shown.values)


def _number_line(values: Sequence[float]) -> Markup:
    """Every representable value as a tick: where a format is dense and where it is coarse."""
    finite = sorted({v for v in values if math.isfinite(v)})
    low, high = finite[0], finite[-1]
    places = [10 + 700 * (v - low) / (high - low) for v in finite]
    ticks = [f'<line class="value" x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="26"/>' for x in places]
    axis = '<line class="axis" x1="10" x2="710" y1="26" y2="26"/>'
    ends = _text(10, 40, f"{low:.4g}", anchor="start") + _text(710, 40, f"{high:.4g}", anchor="end")
    label = f"{len(finite)} representable values from {low:.4g} to {high:.4g}"
    return _svg(720, 44, label, "".join([*ticks, axis, ends]), "wide")


def chart(spec: Record) -> Markup:
    """The picture that a check asks for, nothing where its data are unusable."""
    try:
        return _chart(spec)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # The data come from a file; whatever they are, they must not cost the report.
        return Markup()


def _chart(spec: Record) -> Markup:
    """Lines over common axes.

    spec: {"label": what a screen reader says, "x_label", "y_label", "log_x", "log_y",
    "series": [{"label", "x", "y", "role"}]} with role "measured", "bound", "exact" or "control", or
    {"label", "x", "low", "high", "role": "band"}, or single points {"label", "x", "y", "names",
    "told", "role": "points"}, where a name that is not "" stands beside its point. What an axis
    cannot show is left out.
    """
    series = [item for item in spec["series"] if len(item["x"])]
    widths = [x for item in series for x in item["x"]]
    heights = [y for item in series for key in ("y", "low", "high") for y in item.get(key, ())]
    x_axis = _Axis(widths, 52.0, 470.0, logarithmic=bool(spec.get("log_x")))
    y_axis = _Axis(heights, 196.0, 12.0, logarithmic=bool(spec.get("log_y")))
    parts = []
    for value, text in y_axis.ticks():
        y = y_axis.place(value)
        parts.append(f'<line class="grid" x1="52" x2="470" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(46, y + 3.5, text, anchor="end"))
    parts += [_text(x_axis.place(value), 212, text) for value, text in x_axis.ticks()]
    for item in series:
        draw = _single_points if item.get("role") == "points" else _line
        parts.append(draw(item, x_axis, y_axis))
    parts.append('<line class="axis" x1="52" x2="470" y1="196" y2="196"/>')
    parts.append(_text(261, 230, str(spec.get("x_label", ""))))
    parts.append(_text(52, 8, str(spec.get("y_label", "")), anchor="start"))
    drawn = _svg(480, 236, str(spec.get("label", "")), "".join(parts), "chart")
    return drawn + _legend(series) if len(series) > 1 else drawn


def _line(item: Record, x_axis: _Axis, y_axis: _Axis) -> str:
    if "low" in item:
        shape, points = "polygon", _points(item, "low", x_axis, y_axis)
        points += reversed(_points(item, "high", x_axis, y_axis))
    else:
        shape, points = "polyline", _points(item, "y", x_axis, y_axis)
    return (
        f'<{shape} class="{escape(str(item.get("role", "measured")))}" points="{" ".join(points)}">'
        f"<title>{escape(str(item.get('label', '')))}</title></{shape}>"
    )


def _single_points(item: Record, x_axis: _Axis, y_axis: _Axis) -> str:
    parts = []
    for x, y, name, told in zip(item["x"], item["y"], item["names"], item["told"], strict=True):
        if x_axis.shows(float(x)) and y_axis.shows(float(y)):
            place = f'cx="{x_axis.place(float(x)):.1f}" cy="{y_axis.place(float(y)):.1f}"'
            kind = "named" if name else "unnamed"
            title = f"<title>{escape(told)}</title>"
            parts.append(f'<circle class="point {kind}" {place} r="3.5">{title}</circle>')
    parts += _names(item, x_axis, y_axis)
    return "".join(parts)


def _names(item: Record, x_axis: _Axis, y_axis: _Axis) -> list[str]:
    """Names beside their points, moved down from one another where they would lie too close."""
    placed: list[tuple[float, float]] = []
    parts = []
    for x, y, name in zip(item["x"], item["y"], item["names"], strict=True):
        if not name or not (x_axis.shows(float(x)) and y_axis.shows(float(y))):
            continue
        at, height = x_axis.place(float(x)), y_axis.place(float(y)) - 3.5
        while any(abs(at - u) < 70 and abs(height - v) < 10 for u, v in placed):
            height += 2
        placed.append((at, height))
        left = at > 390
        anchor, shift = ("end", -6) if left else ("start", 6)
        parts.append(_text(at + shift, height, str(name), anchor=anchor))
    return parts


def _points(item: Record, heights: str, x_axis: _Axis, y_axis: _Axis) -> list[str]:
    return [
        f"{x_axis.place(float(x)):.1f},{y_axis.place(float(y)):.1f}"
        for x, y in zip(item["x"], item[heights], strict=True)
        if x_axis.shows(float(x)) and y_axis.shows(float(y))
    ]


def _legend(series: Sequence[Record]) -> Markup:
    entry = Markup('<li><span class="key {}"></span>{}</li>')
    items = Markup("").join(
        entry.format(item.get("role", "measured"), item.get("label", "")) for item in series
    )
    return Markup('<ul class="legend">{}</ul>').format(items)


class _Axis:
    """Maps values to positions, linearly or by logarithm."""

    def __init__(
        self, values: Sequence[float], start: float, end: float, *, logarithmic: bool
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

"""Which rules no other beats in both loss and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from truestep.reports.compare.exact import Exact
from truestep.reports.compare.learned import Learned
from truestep.reports.sheet import Cell, Table


def front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """The names of which no other point is at most as large in both, and smaller in one."""
    return [
        name
        for name, (x, y) in sorted(points.items(), key=lambda item: item[1])
        if not any(u <= x and v <= y and (u, v) != (x, y) for u, v in points.values())
    ]


def front_tables(
    rules: Sequence[str], exact: Mapping[str, Exact], problem: str, of: Mapping[str, Learned]
) -> list[Table]:
    """The fronts of a problem: against memory, and against operations."""
    memory = {rule: exact[rule].bytes["float32"] for rule in rules}
    work = {rule: exact[rule].costs.operations_in_all for rule in rules}
    return [
        _table(problem, "bytes of state for each parameter", memory, of, logarithmic=False),
        _table(problem, "operations for each parameter", work, of, logarithmic=True),
    ]


def _table(
    problem: str,
    axis: str,
    costs: Mapping[str, float],
    of: Mapping[str, Learned],
    *,
    logarithmic: bool,
) -> Table:
    points = {rule: (costs[rule], of[rule].place.mean) for rule in costs}
    best = front(points)
    rules = list(points)
    x, y = [points[r][0] for r in rules], [points[r][1] for r in rules]
    names = [rule if rule in best else "" for rule in rules]
    told = [f"{rule}: {a:.4g}, loss {b:.4g}" for rule, (a, b) in points.items()]
    chart = {
        "label": f"{problem}: loss at the end by {axis}",
        "x_label": axis, "y_label": "loss", "log_x": logarithmic, "log_y": True,
        "series": [
            {"label": "front", "x": [points[r][0] for r in best], "y": [points[r][1] for r in best],
             "role": "exact"},
            {"label": "rules", "x": x, "y": y, "names": names, "told": told, "role": "points"},
        ],
    }  # fmt: skip
    rows = [(r, [Cell(f"{points[r][0]:.4g}"), Cell(f"{points[r][1]:.4g}")]) for r in best]
    title = f"{problem}: loss against {axis.partition(' for')[0]}"
    about = "The rules that no other beats in both; seeds' spread not regarded."
    return Table(title, about, "on the front", (axis, "loss"), rows, chart=chart)

from __future__ import annotations

import math

import pytest

from truestep.properties.judge.results import SLACK
from truestep.reports import numbers, plots


def test_limit_is_the_contracts() -> None:
    """What the page calls the limit is what decides."""
    assert numbers.LIMIT == SLACK


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (1e-9, "<0.01"),
        (0.62, "0.62"),
        (1.0, "1.00"),
        (2.0, "2.00"),
        (2.0031, "2.003"),
        (1.99999, "1.999"),
        (math.nextafter(2.0, 3.0), "2.001"),
        (0.9999999, "0.999"),
        (12.34, "12.3"),
        (456.7, "457"),
        (31250.0, "3.1e4"),
        ("inf", "∞"),
        (math.nan, "nan"),
    ],
)
def test_utilisation_is_never_rounded_onto_a_limit(value: object, text: str) -> None:
    """A number beside the limit shows on which side it lies."""
    assert numbers.utilisation(value) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(1.0, "100 %"), (0.99999, "99.9 %"), (0.5, "50 %"), (1e-9, "<0.1 %"), (0.0, "0 %")],
)
def test_shares_are_rounded_down(fraction: float, text: str) -> None:
    """100 % means all of it."""
    assert numbers.percent(fraction) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1, ("0.1", "0x1.999999999999ap-4")),
        ("0x1.8p+1", ("3.0", "0x1.8000000000000p+1")),
        ("inf", ("inf", "")),
        (17, ("17", "")),
        ("text", ("text", "")),
        (None, ("None", "")),
        ("0x1p9999", ("0x1p9999", "")),
    ],
)
def test_numbers_show_in_decimal_and_hex(value: object, shown: tuple[str, str]) -> None:
    """Whatever form a worst case records its numbers in."""
    assert numbers.both(value) == shown


def test_histogram_shows_a_single_bad_element_among_millions() -> None:
    """The last bar is drawn, in the tone of failures, with its count."""
    svg = str(plots.histogram([5_000_000] + [0] * 9 + [1]))
    assert svg.count("<rect") == 2 and 'class="over"' in svg and "above 2: 1 element<" in svg


def test_chart_leaves_out_what_a_logarithm_cannot_show() -> None:
    """Zeros, negative and non-finite points vanish; the rest is drawn."""
    line = {"label": "a", "x": [1, 2, 3, 4], "y": [0.0, 10.0, math.inf, 1000.0]}
    svg = str(plots.chart({"log_y": True, "series": [line]}))
    points = svg.partition('points="')[2].partition('"')[0].split()
    assert len(points) == 2


@pytest.mark.parametrize("spec", [{}, {"series": 3}, {"series": [{"x": [1, 2], "y": [None, "a"]}]}])
def test_unusable_chart_data_cost_the_picture_not_the_report(spec: dict[str, object]) -> None:
    """A certificate's extra data may be anything."""
    assert plots.chart(spec) == ""

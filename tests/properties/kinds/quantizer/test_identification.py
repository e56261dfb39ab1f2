"""A failing quantizer is told which of its format's known rules it computes instead."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.search import exploration
from truestep.reference import block_scales


class Otherwise(Kernel):
    """A format's own lines under another choice than the one that is declared."""

    def __init__(self, rule: str, declared: dict[str, str], computed: dict[str, str]) -> None:
        super().__init__(rule, dialect=declared)
        self.computed = computed

    def encode(self, capability: Any, hyper: Any, x: Any) -> Any:
        """The codes by the other choice."""
        return super().encode(capability, dataclasses.replace(hyper, **self.computed), x)


@pytest.mark.parametrize(
    ("rule", "declared", "computed", "words"),
    [
        ("mxfp4", {}, {"rule": "rceil"}, "the least power of two that is at least absmax over"),
        ("mxfp8_e4m3", {"rule": "ceil"}, {"rule": "even"}, "mxfp8_e4m3 with absmax rounded half"),
        ("mxfp4", {}, {"zero_block": "one"}, "mxfp4 with a block of zeros has scale 1"),
        ("nvfp4", {}, {"four_over_six": "mse"}, "nvfp4 with the extreme becomes 6 or 4, by"),
        ("nf4", {}, {"ties": "upper"}, "nf4 with midpoints to the upper value"),
        ("e4m3_blocks", {}, {"power": "ceil"}, "e4m3_blocks with rounded up to a power of two"),
        ("dynamic_8bit", {}, {"ties": "upper"}, "dynamic_8bit with midpoints to the upper code"),
        ("float8_e4m3fn", {}, {"overflow": "saturate"}, "they become 448 with their sign"),
    ],
)
def test_another_rule_is_named(
    rule: str,
    declared: dict[str, str],
    computed: dict[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And no other one beside it."""
    monkeypatch.setattr(exploration, "SIMPLER", 0)
    kernel = Otherwise(rule, declared, computed)
    checks = [
        check for check in checks_of(kernel) if check.name in ("edges", "strata", "thresholds")
    ]
    results = [run_check(kernel, check, level="standard", seed=0) for check in checks]
    failed = [result for result in results if result.verdict == "fail"]
    assert failed
    for result in failed:
        assert words in result.identified
        assert " or " not in result.identified.removeprefix(words)


def test_what_is_no_rule_of_the_format_is_not_named() -> None:
    """Half of every scale is none."""
    wrong = Kernel("mxfp4", [(block_scales, "np.clip(e + BIAS,", "np.clip(e + BIAS - 1,")])
    [check] = [check for check in checks_of(wrong) if check.name == "thresholds"]
    result = run_check(wrong, check, level="standard", seed=0)
    assert (result.verdict, result.identified) == ("fail", "")
    assert "no other known dialect agrees" in result.message

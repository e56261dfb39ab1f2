"""Parameters and moments in two parts: right kernels pass; faults of them are the museum's."""

from __future__ import annotations

from typing import Any

import pytest

from truestep.fast.protocol import OptimizerCapability, Storage
from truestep.properties.kinds.optimizer.storage import rule_of
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.splits import SPLITS

RESTS = [
    *(("bits", "nearest_even"), ("bits", "toward_zero"), ("signed_bits", "nearest_even")),
    *(("fraction", "nearest_away"), ("fraction", "stochastic")),
]
USUAL = ("all_zero", "lockstep", "special_values", "update_alone")


def found(kernel: Kernel) -> Any:
    """The results of the usual checks."""
    checks = [check for check in checks_of(kernel) if check.name in USUAL]
    assert len(checks) == len(USUAL)
    return [run_check(kernel, check, level="smoke", seed=0) for check in checks]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(("rest", "rounding"), RESTS)
def test_right_kernels_pass(split: str, rest: str, rounding: str) -> None:
    """Parameters in bfloat16 and a rest, of a rule by elements and of one with norms."""
    how = Storage(split, {"rest": rest, "rounding": rounding})
    rule = "lamb" if rest == "fraction" else "adamw"
    for result in found(Kernel(rule, format="bfloat16", storage={"p": how})):
        assert result.verdict == "pass", result.message


@pytest.mark.parametrize("rule", ["adamw", "sgd"])
def test_moments_and_parameters_may_both_be_kept_so(rule: str) -> None:
    """Beside codes in blocks."""
    split = Storage("bfloat16_rest8", {"rest": "fraction", "rounding": "nearest_away"})
    names = ("m", "v") if rule == "adamw" else ("b",)
    kept = {**dict.fromkeys(names, Storage("e4m3_blocks")), names[0]: split, "p": split}
    for result in found(Kernel(rule, format="bfloat16", storage=kept)):
        assert result.verdict == "pass", result.message


def test_no_laws_of_what_is_in_two_parts() -> None:
    """They compare tensors, of which these are no two alike."""
    kernel = Kernel("adamw", format="bfloat16", storage={"p": Storage("bfloat16_rest8")})
    assert not [check for check in checks_of(kernel) if check.name.startswith("law")]


@pytest.mark.parametrize(
    ("rule", "storage", "told"),
    [
        ("adamw", {"p": Storage("int8")}, "storage of p must be one of bfloat16_rest"),
        ("muon", {"p": Storage("bfloat16_rest8")}, "is judged by replicates"),
    ],
)
def test_what_parameters_cannot_be_kept_as_is_refused(
    rule: str, storage: dict[str, Storage], told: str
) -> None:
    """By the rule, before anything runs."""
    with pytest.raises(ValueError, match=told):
        rule_of(OptimizerCapability(rule=rule, storage=storage))

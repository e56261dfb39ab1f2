"""The line in which a kernel departs, of planted faults."""

from __future__ import annotations

from typing import Any

import pytest

from truestep.properties.museum import FAULTS
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check


def _told(backend: Any) -> tuple[str, str, str]:
    check = next(c for c in checks_of(backend) if c.name == "strata")
    found = run_check(backend, check, level="smoke", seed=0)
    assert found.verdict == "fail"
    told = str(found.extra.get("pattern", "")), str(found.extra.get("departs", ""))
    assert all(line in found.message for line in told)
    return *told, found.identified


@pytest.mark.parametrize(
    ("fault", "pattern", "departs"),
    [
        (
            "adamw_correction_of_first_only",
            "t, m, v agree; p errs",
            "departs in `v_hat = v / (1 - h.beta2 ** t)`: it computes `v_hat = v`",
        ),
        (
            "adamw_cautious_decay_reversed",
            "t, m, v agree; p errs, only where p is not 0",
            "it computes `p = np.where(0 >= update * p, shrunk, p) - h.lr * update`",
        ),
        (
            "laprop_divisor_of_before",
            "t, v agree",
            "departs in `v_hat = v / left2`: it computes `v_hat = s.v / left2`; p follows from it",
        ),
        ("adamw_beta2_in_bfloat16", "t, m agree", "departs in `v = h.beta2 * s.v + "),
        (
            "laprop_divides_the_average",
            "t, v agree; ",
            "given its own v, m departs in one of `left1, left2 = ",
        ),
    ],
)
def test_lines_of_planted_faults(fault: str, pattern: str, departs: str) -> None:
    """What agrees is named, then the line that departs, and what it computes if a slip gives it."""
    told = _told(FAULTS[fault].backend())
    assert told[0].startswith(pattern) and departs in told[1]


def test_what_is_identified_as_a_dialect_is_no_slip() -> None:
    """The dialect says it better; the line is named all the same."""
    _, departs, identified = _told(FAULTS["lion_decay_without_lr"].backend())
    assert identified == "lion with weight decay not multiplied by lr"
    assert "p departs in one of" in departs and "it computes" not in departs


def test_what_follows_from_a_wrong_output_is_not_blamed() -> None:
    """A moment that is wrong makes the parameter wrong: only the moment's line departs."""
    fault = Kernel("adamw", (("(1 - h.beta1) * g\n", "(1 - h.beta1) * (g + 0.125 * p)\n"),))
    pattern, departs, _ = _told(fault)
    assert pattern.startswith("t, v agree; p, m err") or "t, v agree; p errs" in pattern
    assert departs == "departs in `m = h.beta1 * s.m + (1 - h.beta1) * g`; p follows from it"


@pytest.mark.power
def test_rules_judged_by_replicates_and_stored_ones_tell_tensors() -> None:
    """No line is named where outputs are not bounded element by element."""
    pattern, departs, _ = _told(FAULTS["adamw_bits_rest_dropped"].backend())
    assert pattern.startswith("t, m, v agree; p errs") and departs == ""

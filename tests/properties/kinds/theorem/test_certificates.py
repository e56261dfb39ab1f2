"""Robbins-Monro certificates: every schedule's verdict, and a checker that refuses wrong ones."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truestep.reference.robbins_monro import (
    BoundedBelow,
    EventuallyZero,
    Geometric,
    GeometricCycles,
    PowerLaw,
    Undecided,
    satisfies_both,
)
from truestep.reference.schedules import SCHEDULES

# rule, hyperparameters, sum a_t = inf, sum a_t^2 < inf
VERDICTS: list[tuple[str, dict[str, Any], bool | None, bool | None]] = [
    ("chebyshev", {}, True, False),
    ("chebyshev", {"after": "hold"}, True, False),
    ("chebyshev", {"after": "hold", "start": "late", "lr": 0.0}, False, True),
    ("chebyshev", {"start": "late", "total_steps": 1}, True, False),
    ("constant", {}, True, False),
    ("constant", {"lr": 0.0}, False, True),
    ("constant_factor", {}, True, False),
    ("constant_factor", {"factor": 0.0, "total_steps": 0}, True, False),
    ("cosine", {}, False, True),
    ("cosine", {"min_lr": 1e-5}, True, False),
    ("cosine", {"after": "bounce"}, True, False),
    ("cosine", {"after": "bounce", "total_steps": 1}, True, False),
    ("cyclic", {}, True, False),
    ("cyclic", {"min_lr": 0.0}, True, False),
    ("cyclic", {"min_lr": 0.0, "mode": "triangular2"}, False, True),
    ("cyclic", {"min_lr": 0.0, "mode": "exp_range", "gamma": 0.999}, False, True),
    ("cyclic", {"mode": "triangular2"}, True, False),
    ("exponential", {}, False, True),
    ("exponential", {"gamma": 1.0}, True, False),
    ("exponential", {"min_lr": 1e-6}, True, False),
    ("exponential", {"gamma": 0.1, "step_size": 30, "steps": "staircase"}, False, True),
    ("inverse_sqrt", {}, True, False),
    ("inverse_sqrt", {"count": "from_one", "warmup_steps": 1}, True, False),
    ("inverse_time", {}, True, True),
    ("inverse_time", {"decay_rate": 0.3, "decay_steps": 100, "steps": "staircase"}, True, True),
    ("linear", {}, False, True),
    ("linear", {"start_factor": 1 / 3, "end_factor": 1.0, "total_steps": 5}, True, False),
    ("linear_warmup_cosine", {}, False, True),
    ("linear_warmup_cosine", {"min_lr": 1e-5}, True, False),
    ("linear_warmup_cosine", {"after": "bounce"}, True, False),
    ("linear_warmup_cosine", {"after": "bounce", "cosine": "running"}, True, False),
    ("linear_warmup_cosine", {"warmup_steps": 7, "total_steps": 7}, False, True),
    ("linear_warmup_cosine", {"after": "bounce", "cosine": "ahead"}, True, False),
    ("linear_warmup_exponential", {}, False, True),
    ("linear_warmup_exponential", {"gamma": 1.0}, True, False),
    ("linear_warmup_exponential", {"min_lr": 1e-6}, True, False),
    ("linear_warmup_exponential", {"steps": "staircase", "step_size": 30}, False, True),
    ("linear_warmup_polynomial", {}, False, True),
    ("linear_warmup_polynomial", {"min_lr": 1e-5}, True, False),
    ("multi_step", {}, True, False),
    ("noam", {}, True, False),
    ("one_cycle", {}, None, None),
    ("one_cycle", {"after": "hold"}, True, False),
    ("piecewise_interpolate", {}, True, False),
    ("piecewise_interpolate", {"milestones": (), "gamma": 2.0}, True, False),
    ("polynomial", {}, False, True),
    ("polynomial", {"min_lr": 1e-5}, True, False),
    ("polynomial", {"after": "cycle"}, True, True),
    ("polynomial", {"after": "cycle", "power": 0.5, "total_steps": 3}, True, False),
    ("polynomial", {"after": "cycle", "power": 2.0}, False, True),
    ("polynomial", {"after": "cycle", "total_steps": 1}, False, True),
    ("power", {}, True, True),
    ("power", {"power": 0.5}, True, False),
    ("power", {"power": 0.51}, True, True),
    ("power", {"power": 0.75, "shift": 10.0}, True, True),
    ("power", {"power": 1.01}, False, True),
    ("rex", {}, False, True),
    ("rex", {"min_lr": 1e-5}, True, False),
    ("warm_restarts", {}, True, False),
    ("warm_restarts", {"growth": 1}, True, False),
    ("warm_restarts", {"min_lr": 1e-5}, True, False),
    ("warm_restarts", {"growth": 2, "decay": 0.6}, True, True),
    ("warm_restarts", {"growth": 2, "decay": 0.5}, True, True),
    ("warm_restarts", {"growth": 2, "decay": 0.4}, False, True),
    ("warm_restarts", {"growth": 2, "decay": 0.8}, True, False),
    ("warm_restarts", {"growth": 3, "decay": 0.5}, True, True),
    ("warm_restarts", {"growth": 3, "decay": 0.3}, False, True),
    ("warm_restarts", {"growth": 1, "decay": 0.9}, False, True),
    ("warmup_stable_decay", {}, False, True),
    ("warmup_stable_decay", {"min_lr": 1e-5}, True, False),
]


@pytest.mark.parametrize(("rule", "hyper", "diverges", "squares"), VERDICTS)
def test_verdicts(
    rule: str, hyper: dict[str, Any], diverges: bool | None, squares: bool | None, problems: Any
) -> None:
    """The known verdict, by a certificate that the checker accepts and that prints its proof."""
    module = SCHEDULES[rule]
    h = module.Hyper(**hyper)
    certificate = module.certificate(h)
    assert certificate.sum_diverges is diverges
    assert certificate.squares_converge is squares
    assert satisfies_both(certificate) is (None if diverges is None else diverges and squares)
    assert str(certificate).endswith(".")
    if diverges is not None:
        assert problems(certificate, lambda t: float(module.value(h, t))) == []


def test_every_schedule_is_listed() -> None:
    """No schedule without a verdict."""
    assert {rule for rule, *_ in VERDICTS} == set(SCHEDULES)


def test_one_over_root_t_violates_the_second_condition() -> None:
    """c / sqrt(t), often listed as satisfying both, does not; the proof says why."""
    power = SCHEDULES["power"]
    assert satisfies_both(power.certificate(power.Hyper(power=0.5))) is False
    assert satisfies_both(power.certificate(power.Hyper(power=1.0))) is True
    assert "sum of squares is infinite since 2p <= 1" in str(
        power.certificate(power.Hyper(power=0.5))
    )


rate = st.floats(1e-6, 1.0)


@settings(max_examples=15)  # each evaluates some forty certificates at hundreds of times
@given(
    lr=rate,
    floor=st.sampled_from([0.0, 0.25]),
    T=st.integers(1, 5000),
    p=st.floats(0.1, 3.0),
    growth=st.integers(1, 4),
    decay=st.floats(0.05, 0.999),
)
def test_certificates_hold_for_drawn_hyperparameters(
    lr: float, floor: float, T: int, p: float, growth: int, decay: float, problems: Any
) -> None:
    """Every rule's certificate is accepted by the checker whatever the hyperparameters."""
    drawn = {
        "lr": lr,
        "min_lr": lr * floor,
        "total_steps": T,
        "power": p,
        "growth": growth,
        "decay": decay,
        "gamma": decay,
        "step_size": T,
        "decay_rate": p,
        "decay_steps": T,
        "cycle_steps": T,
        "warmup_steps": T,
        "shift": p,
        "steps_up": T,
        "steps_down": 2 * T,
    }
    for rule, module in SCHEDULES.items():
        # Lengths of their own, or no number that is drawn here.
        if rule in ("chebyshev", "constant", "multi_step", "one_cycle", "warmup_stable_decay"):
            continue
        fields = {name: drawn[name] for name in module.Hyper.__dataclass_fields__ if name in drawn}
        for field, values in {"none": [""], **module.DIALECTS}.items():
            for value in values:
                if value == "fraction":
                    continue  # the same schedule, of which float64 has lost every digit at 2^60
                h = module.Hyper(**fields, **({field: value} if value else {}))
                found = problems(module.certificate(h), lambda t: float(module.value(h, t)))  # noqa: B023 -- called at once
                assert found == [], (rule, h)


# Wrong certificates: a wrong inequality, or a conclusion that does not follow.


class Boastful(PowerLaw):
    """Claims both conditions whatever its exponent."""

    @property
    def sum_diverges(self) -> bool:
        """Always claimed."""
        return True

    @property
    def squares_converge(self) -> bool:
        """Always claimed."""
        return True


WRONG: list[tuple[Any, Any]] = [
    (EventuallyZero(10), lambda t: 1e-300 if t == 2**40 + 10 else 0.0),
    (BoundedBelow(0.1), lambda t: 1 / (t + 1)),
    (BoundedBelow(0.0), lambda t: 0.0),
    (BoundedBelow(0.5, period=3), lambda t: 1.0 if t % 4 == 0 else 0.0),
    (Geometric(Fraction(1, 2)), lambda t: 0.6**t),
    (Geometric(Fraction(1)), lambda t: 1.0),
    (Geometric(Fraction(9, 10)), lambda t: 1 / (t + 1) ** 2),
    (PowerLaw(Fraction(1), 0.5, 2.0, shift=1.0), lambda t: (t + 1) ** -0.5),
    (PowerLaw(Fraction(1), 0.5, 2.0, shift=1.0), lambda t: (t + 1) ** -1.1),
    (PowerLaw(Fraction(1), 0.0, 2.0, shift=1.0), lambda t: (t + 1) ** -2.0),
    (Boastful(Fraction(1, 2), 0.5, 2.0, shift=1.0), lambda t: (t + 1) ** -0.5),
    (Boastful(Fraction(3, 2), 0.5, 2.0, shift=1.0), lambda t: (t + 1) ** -1.5),
    (GeometricCycles(4, 2, Fraction(3, 5), 1.0), lambda t: 1.0),
    (GeometricCycles(4, 2, Fraction(3, 5), 1.0), lambda t: 1 / (t + 1)),
    (GeometricCycles(4, 2, Fraction(3, 2), 1.0), lambda t: 1.0),
    (Undecided(""), lambda t: 1.0),
]


@pytest.mark.parametrize(("certificate", "schedule"), WRONG)
def test_the_checker_refuses(certificate: Any, schedule: Any, problems: Any) -> None:
    """Each wrong certificate is refused with a sentence."""
    assert problems(certificate, schedule)


@given(N=st.integers(0, 300))
def test_a_prefix_changes_no_verdict(N: int, problems: Any) -> None:
    """Conditions on the tail: any N first values leave the certificate of the tail valid."""
    certificate = PowerLaw(Fraction(1), 0.5, 2.0, shift=1.0, start=N)
    assert problems(certificate, lambda t: 7.0 if t < N else 1 / (t + 1)) == []

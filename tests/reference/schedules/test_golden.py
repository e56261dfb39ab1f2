"""Schedules against values computed with 40 digits, to every printed digit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from truestep.reference.schedules import SCHEDULES

TIMES = (0, 1, 9, 10, 29, 50, 81, 99, 100, 150)
COSINE = {"lr": 0.1, "min_lr": 0.001, "total_steps": 100}
WARMUP = {**COSINE, "warmup_steps": 10}
CYCLIC = {"lr": 0.1, "min_lr": 0.001, "steps_up": 20, "steps_down": 30}
INTERPOLATED = {"lr": 0.1, "gamma": 0.5, "milestones": (10, 50, 99)}
ONE_CYCLE = {"lr": 0.1, "total_steps": 100, "pct_start": 0.3}
WHOLE = {**ONE_CYCLE, "pct_start": 0.295, "knots": "whole", "after": "hold"}

# rule, hyperparameters, values at TIMES
GOLDEN: list[tuple[str, dict[str, Any], str]] = [
    (
        "chebyshev",
        {"total_steps": 8},
        "16.91274948063 1.009211061088 1.009211061088 2.313036683700 1.087017884083 2.313036683700 "
        "1.009211061088 1.618992981846 7.689235892472 3.829889493981",
    ),
    (
        "constant_factor",
        {"lr": 0.1, "factor": 0.25, "total_steps": 10},
        "0.025 0.025 0.025 0.1 0.1 0.1 0.1 0.1 0.1 0.1",
    ),
    (
        "exponential",
        {"lr": 0.1, "gamma": 0.5, "step_size": 30, "steps": "staircase"},
        "0.1 0.1 0.1 0.1 0.1 0.05 0.025 0.0125 0.0125 0.003125",
    ),
    (
        "multi_step",
        {"lr": 0.1, "gamma": 0.1, "milestones": (10, 50, 99)},
        "0.1 0.1 0.1 0.01 0.01 0.001 0.001 0.0001 0.0001 0.0001",
    ),
    (
        "exponential",
        {"lr": 0.1, "gamma": 0.97},
        "0.1 0.097 0.07602310586546 0.07374241268949 0.04134093490136 0.02180653753474 "
        "0.008482238421126 0.004902320404681 0.004755250792541 0.001036955548946",
    ),
    (
        "inverse_time",
        {"lr": 0.1, "decay_rate": 0.5, "decay_steps": 10},
        "0.1 0.0952380952381 0.06896551724138 0.06666666666667 0.04081632653061 0.02857142857143 "
        "0.01980198019802 0.01680672268908 0.01666666666667 0.01176470588235",
    ),
    (
        "power",
        {"lr": 1.0, "shift": 10.0, "power": 0.75},
        "0.1778279410039 0.1655600260762 0.1098840857858 0.1057371263441 0.06407690767793 "
        "0.04638596139523 0.03394055625701 0.02964354417427 0.02944119854968 0.02222849262549",
    ),
    (
        "inverse_sqrt",
        {"lr": 0.1, "warmup_steps": 10},
        "0.0 0.01 0.09 0.1 0.05872202195147 0.04472135955000 0.03513641844632 0.03178208630819 "
        "0.03162277660168 0.02581988897472",
    ),
    (
        "noam",
        {},
        "1.746928107422e-7 3.493856214843e-7 1.746928107422e-6 1.921620918164e-6 "
        "5.240784322265e-6 8.909333347851e-6 1.432481048086e-5 1.746928107422e-5 "
        "1.764397388496e-5 2.637861442207e-5",
    ),
    (
        "polynomial",
        {**COSINE, "power": 2.0},
        "0.1 0.0980299 0.0829819 0.08119 0.0509059 0.02575 0.0045739 0.0010099 0.001 0.001",
    ),
    ("polynomial", COSINE, "0.1 0.09901 0.09109 0.0901 0.07129 0.0505 0.01981 0.00199 0.001 0.001"),
    (
        "linear",
        {"lr": 0.1, "end_factor": 0.01, "total_steps": 100},
        "0.1 0.09901 0.09109 0.0901 0.07129 0.0505 0.01981 0.00199 0.001 0.001",
    ),
    (
        "cosine",
        COSINE,
        "0.1 0.0999755747381 0.09803453744101 0.09757729755661 0.08083889915582 0.0505 "
        "0.009559511573409 0.001024425261896 0.001 0.001",
    ),
    (
        "cosine",
        {**COSINE, "after": "bounce"},
        "0.1 0.0999755747381 0.09803453744101 0.09757729755661 0.08083889915582 0.0505 "
        "0.009559511573409 0.001024425261896 0.001 0.0505",
    ),
    (
        "warm_restarts",
        {"lr": 0.1, "min_lr": 0.001, "cycle_steps": 10, "growth": 2},
        "0.1 0.09757729755661 0.00342270244339 0.1 0.001609427140541 0.0505 0.09545308710434 "
        "0.0712236570081 0.06944282990207 0.1",
    ),
    (
        "warm_restarts",
        {"lr": 0.1, "min_lr": 0.001, "cycle_steps": 10, "growth": 2, "decay": 0.6},
        "0.1 0.09757729755661 0.00342270244339 0.06 0.001363193952443 0.0185 0.0206538746904 "
        "0.01561219529664 0.01524163935336 0.01296",
    ),
    (
        "linear_warmup_cosine",
        WARMUP,
        "0.0 0.01 0.09 0.1 0.08950653230353 0.05909558479451 0.01149346769647 0.001030154062555 "
        "0.001 0.001",
    ),
    (
        "linear_warmup_cosine",
        {**WARMUP, "min_lr": 0.01},
        "0.0 0.01 0.09 0.1 0.0904604839123 0.06281416799501 0.0195395160877 0.01002741278414 "
        "0.01 0.01",
    ),
    (
        "linear_warmup_cosine",
        {**WARMUP, "warmup": "from_one", "cosine": "ahead"},
        "0.01 0.02 0.1 0.09996984593745 0.08841919993439 0.05738906849752 0.01045365877844 0.001 "
        "0.001 0.001",
    ),
    (
        "linear_warmup_exponential",
        {"lr": 0.1, "min_lr": 0.001, "gamma": 0.5, "step_size": 20, "warmup_steps": 10},
        "0.0 0.01 0.09 0.1 0.05176324619207 0.025 0.008537751604715 0.00457526779983 "
        "0.004419417382416 0.001",
    ),
    (
        "linear_warmup_exponential",
        {"lr": 0.1, "gamma": 0.5, "step_size": 20, "warmup_steps": 10, "steps": "staircase"},
        "0.0 0.01 0.09 0.1 0.1 0.025 0.0125 0.00625 0.00625 0.00078125",
    ),
    (
        "linear_warmup_polynomial",
        {**WARMUP, "power": 2.0},
        "0.0 0.01 0.09 0.1 0.06261222222222 0.03155555555556 0.005412222222222 0.001012222222222 "
        "0.001 0.001",
    ),
    (
        "linear_warmup_polynomial",
        WARMUP,
        "0.0 0.01 0.09 0.1 0.0791 0.056 0.0219 0.0021 0.001 0.001",
    ),
    (
        "piecewise_interpolate",
        INTERPOLATED,
        "0.1 0.095 0.055 0.05 0.038125 0.025 0.01709183673469 0.0125 0.0125 0.0125",
    ),
    (
        "piecewise_interpolate",
        {**INTERPOLATED, "shape": "cosine"},
        "0.1 0.09877641290738 0.05122358709262 0.05 0.0384807386966 0.025 0.01622010410549 0.0125 "
        "0.0125 0.0125",
    ),
    (
        "rex",
        COSINE,
        "0.1 0.09950251256281 0.09533507853403 0.09478947368421 0.08321052631579 0.067 "
        "0.03261344537815 0.002960396039604 0.001 0.001",
    ),
    (
        "one_cycle",
        WHOLE,
        "0.004 0.004281378056591 0.02506302086261 0.02951639484641 0.1 0.07992369601424 "
        "0.01665355684527 4.933847824662e-5 4.0e-7 4.0e-7",
    ),
    (
        "one_cycle",
        {**WHOLE, "phases": "three", "anneal": "linear"},
        "0.004 0.007310344827586 0.03379310344828 0.03710344827586 0.1 0.03048275862069 "
        "0.001809742857143 9.562857142857e-5 4.0e-7 4.0e-7",
    ),
    (
        "one_cycle",
        ONE_CYCLE,
        "0.004 0.004281378056591 0.02506302086261 0.02951639484641 0.1 0.07938934505757 "
        "0.01544720576319 4.0e-7",
    ),
    (
        "one_cycle",
        {**ONE_CYCLE, "phases": "three", "anneal": "linear"},
        "0.004 0.007310344827586 0.03379310344828 0.03710344827586 0.1 0.03048275862069 "
        "0.00175632195122 4.0e-7",
    ),
    ("cyclic", CYCLIC, "0.001 0.00595 0.04555 0.0505 0.0703 0.001 0.0637 0.0043 0.001 0.001"),
    (
        "cyclic",
        {**CYCLIC, "mode": "triangular2"},
        "0.001 0.00595 0.04555 0.0505 0.0703 0.001 0.03235 0.00265 0.001 0.001",
    ),
    (
        "cyclic",
        {**CYCLIC, "mode": "exp_range", "gamma": 0.99},
        "0.001 0.0059005 0.0416971933754 0.04576691271294 0.05277902613718 0.001 "
        "0.02877910844796 0.002220107804244 0.001 0.001",
    ),
    (
        "warmup_stable_decay",
        {**WARMUP, "decay_steps": 20, "shape": "one_minus_sqrt"},
        "0.0 0.01 0.09 0.1 0.1 0.1 0.07786292702275 0.003506735986391 0.001 0.001",
    ),
    (
        "warmup_stable_decay",
        {**WARMUP, "decay_steps": 20, "shape": "one_minus_square"},
        "0.0 0.01 0.09 0.1 0.1 0.1 0.0997525 0.0106525 0.001 0.001",
    ),
    (
        "warmup_stable_decay",
        {**WARMUP, "decay_steps": 20},
        "0.0 0.01 0.09 0.1 0.1 0.1 0.09505 0.00595 0.001 0.001",
    ),
]


@pytest.mark.parametrize(("rule", "hyper", "row"), GOLDEN)
def test_values_have_the_printed_digits(rule: str, hyper: dict[str, Any], row: str) -> None:
    """Each value lies within half a unit of the last printed digit, and ten roundings."""
    module = SCHEDULES[rule]
    h = module.Hyper(**hyper)
    printed = row.split()
    assert len(printed) >= 8
    for t, text in zip(TIMES, printed, strict=False):
        want = Decimal(text)
        half_unit = Decimal(5).scaleb(want.as_tuple().exponent - 1)
        if len(want.as_tuple().digits) < 12:
            half_unit = Decimal(0)  # a short decimal is exact
        rounding = Decimal(10 * 2.0**-53) * Decimal(hyper.get("lr", 1))
        assert abs(Decimal(float(module.value(h, t))) - want) <= half_unit + rounding, t


def test_noam_peak() -> None:
    """The paper's peak (512 * 4000)^-1/2 at the 4000th step."""
    noam = SCHEDULES["noam"]
    peak = noam.value(noam.Hyper(), 3999)
    assert abs(Decimal(float(peak)) - Decimal("6.987712429686843e-4")) < Decimal("1e-18")
    assert noam.value(noam.Hyper(), 3998) < peak > noam.value(noam.Hyper(), 4000)


# 10 steps of warm-up, 100 in all, lr 1: transformers, nanoGPT, optax and Keras, timm unprefixed.
FAMILIES = [
    ({"after": "bounce"}, {0: "0", 9: ".9", 10: "1", 99: ".000305", 100: "0", 101: ".000305"}),
    ({"warmup": "interior"}, {0: ".0909", 9: ".9091", 10: "1", 99: ".000305", 100: "0"}),
    ({"min_lr": 0.1}, {0: "0", 9: ".9", 10: "1", 99: ".10027", 100: ".1", 101: ".1"}),
    ({"cosine": "running"}, {0: "0", 9: ".9", 10: ".9755", 99: ".000247", 100: "0", 101: "0"}),
]


@pytest.mark.parametrize(("dialect", "values"), FAMILIES)
def test_linear_warmup_cosine_speaks_the_libraries_dialects(
    dialect: dict[str, Any], values: dict[int, str]
) -> None:
    """The off-by-one families of one intention: values of the libraries, to the printed digits."""
    module = SCHEDULES["linear_warmup_cosine"]
    h = module.Hyper(lr=1.0, warmup_steps=10, total_steps=100, **dialect)
    for t, text in values.items():
        half_unit = Decimal(5).scaleb(Decimal(text).as_tuple().exponent - 1)
        assert abs(Decimal(float(module.value(h, t))) - Decimal(text)) <= half_unit, t

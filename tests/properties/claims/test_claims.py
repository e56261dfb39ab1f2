"""Every claim's verdict is what the mathematics says, and its experiment can tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from truestep.properties.claims import noise, rates, rules, steps, trust
from truestep.properties.claims.claim import Claim, Drawing, Found, near, slope
from truestep.properties.claims.table import CLAIMS
from truestep.reference.optimizers import adam, lamb, lars
from truestep.reference.schedules import noam, one_cycle, power

# Proven in the sources that each claim names.
DUE = {
    "adam_step_bound": "imprecise",
    "averaging_of_convex": "wrong",
    "batch_variance": "imprecise",
    "distance_bound": "imprecise",
    "heavy_ball_rate": "wrong",
    "inverse_sqrt_steps": "wrong",
    "isotropic_noise": "wrong",
    "lamb_step_length": "right",
    "lars_step_length": "imprecise",
    "linear_rate_of_decaying_steps": "wrong",
    "linear_scaling": "imprecise",
    "one_by_one_speed": "hardware",
    "one_cycle_plateau": "wrong",
    "plateau_variance": "imprecise",
    "smooth_convex_rate": "wrong",
    "square_root_scaling": "imprecise",
    "transformer_schedule": "imprecise",
}


def test_every_claim_has_its_due_verdict_here() -> None:
    """Neither table lacks one of the other's."""
    assert CLAIMS.keys() == DUE.keys()
    modules = (noise, rates, rules, steps, trust)
    assert sum(len(module.CLAIMS) for module in modules) == len(CLAIMS)


@pytest.mark.parametrize("seed", [0, 1, 20251130])
@pytest.mark.parametrize("name", DUE)
def test_a_verdict_is_what_the_mathematics_says(name: str, seed: int) -> None:
    """With every seed; its picture has the measured, the theorem's and the control's line."""
    claim = CLAIMS[name]
    found = claim.decide(seed)
    assert claim.verdict(found) == DUE[name]
    assert claim.error == 0 and claim.decide.__doc__ and found.numbers
    series = found.chart["series"]
    assert isinstance(series, list)
    roles = {line["role"] for line in series}
    assert {"measured", "control"} <= roles and (claim.hardware or roles & {"exact", "band"})
    for line in series:
        heights = [line[key] for key in ("y", "low", "high") if key in line]
        assert all(len(line["x"]) == len(y) and np.all(np.isfinite(y)) for y in heights)


def test_numbers_that_are_known_otherwise() -> None:
    """Of the literature: 7.27 and 3.16, the peak of 6.99e-4, the powers of k, ln 2."""
    found = {name: CLAIMS[name].decide(0).numbers for name in DUE}
    assert found["adam_step_bound"]["largest move"] == pytest.approx(7.2702918, rel=1e-7)
    assert found["transformer_schedule"]["peak"] == pytest.approx(6.987712429686843e-4, rel=1e-12)
    assert found["smooth_convex_rate"]["power of T"] == pytest.approx(-0.5, abs=1e-4)
    assert found["inverse_sqrt_steps"]["last block of 1/t"] == pytest.approx(np.log(2), rel=1e-5)
    assert found["batch_variance"]["without"] == pytest.approx(3 / 6, rel=1e-12)
    assert found["distance_bound"]["largest share of nu, |x|^2"] == pytest.approx(20.0)


def test_a_verdict_follows_from_what_was_found() -> None:
    """What contradicts itself or its control is undecided, whatever the claim."""
    claim = Claim("c", "s", "t", lambda seed: found)
    found = Found(True, True, True, {}, {})
    assert claim.verdict(found) == "right"
    assert claim.verdict(replace(found, claimed=False)) == "wrong"
    assert claim.verdict(replace(found, claimed=False, in_part=True)) == "imprecise"
    assert claim.verdict(replace(found, corrected=False)) == "undecided"
    assert claim.verdict(replace(found, control=False)) == "undecided"
    assert replace(claim, hardware=True).verdict(found) == "hardware"


def _power_of_a_half(h: power.Hyper) -> power.Certificate:
    return power_certificate(power.Hyper(power=0.9))


power_certificate = power.certificate


@pytest.mark.parametrize(
    ("name", "module", "attribute", "planted"),
    [
        # Were the claim true of these, the experiment would say so.
        ("inverse_sqrt_steps", power, "certificate", _power_of_a_half),
        ("adam_step_bound", adam, "step", lambda h, s, p, g: (s, p - 3.0 * h.lr)),
        ("lars_step_length", lars, "step", lambda h, s, p, g: (s, p + 1.5 * g / np.sqrt(g @ g))),
        ("lamb_step_length", lamb, "step", lambda h, s, p, g: (s, p - h.lr * g)),
        ("one_cycle_plateau", one_cycle, "value", lambda h, t: min(1.0, t / 100, (999 - t) / 100)),
        ("transformer_schedule", noam, "value", lambda h, t: 512**-0.5 * (t + 1) ** -0.5),
        ("isotropic_noise", noise.least_squares, "batch_covariance", lambda *_, **__: np.eye(6)),
        ("linear_scaling", noise, "_stationary", lambda a, noise: np.ones(np.shape(a * noise))),
        ("plateau_variance", noise, "_stationary", lambda a, n, rate: a / (2 - a * rate)),
        ("square_root_scaling", noise, "_stationary", lambda a, n: np.ones(np.shape(a * n))),
        ("heavy_ball_rate", rates, "_worst", lambda k, momentum: 1.0 / k**2),
        ("smooth_convex_rate", rates, "_expected_gap", lambda m, s, e: e / s**2),
    ],
)
def test_another_truth_gets_another_verdict(
    name: str, module: object, attribute: str, planted: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What the experiments measure decides, and nothing that is typed."""
    monkeypatch.setattr(module, attribute, planted)
    claim = CLAIMS[name]
    assert claim.verdict(claim.decide(0)) != DUE[name]


def test_slopes_and_distances() -> None:
    """Of a power law its power; nearness is relative, and a nan is near nothing."""
    x = np.array([1.0, 10.0, 100.0])
    assert slope(x, 3 * x**-0.5) == pytest.approx(-0.5)
    assert near(x, x * (1 + 1e-9), 1e-8) and not near(x, x * 1.1, 1e-2)
    assert not near(np.nan, 1.0, 1.0)
    chart = Drawing("l", "x", "y").line("a", "measured", x, x).done()
    assert chart["series"] == [
        {"label": "a", "role": "measured", "x": [1, 10, 100], "y": [1, 10, 100]}
    ]

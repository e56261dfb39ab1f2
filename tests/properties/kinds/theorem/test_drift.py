"""How far rounding moves a run: bounds that hold, and are not far from what is seen."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from truestep.fast.ours import cpu
from truestep.properties.kinds.theorem.theorems.curvature import newton_schulz
from truestep.properties.kinds.theorem.theorems.drift import Drift
from truestep.properties.kinds.theorem.theorems.kernels import Implementation, reference
from truestep.properties.kinds.theorem.theorems.replicas import Replicas
from truestep.properties.kinds.theorem.theorems.theorem import Subject


def ours(rule: str, **dialect: str) -> Implementation:
    """Our float32 kernel of a rule."""
    kernels = cpu.Backend()
    wanted = Subject(rule, dialect={name: (value,) for name, value in dialect.items()})
    return Implementation(kernels, next(filter(wanted.suits, kernels.capabilities())))


@pytest.mark.parametrize(
    ("rule", "numbers"),
    [
        ("adagrad", {"lr": 0.3}),
        ("adam", {"lr": 0.01, "weight_decay": 0.1}),
        ("lion", {"lr": 0.01, "weight_decay": 0.1}),
        ("schedule_free_sgd", {"lr": 0.1}),
    ],
)
def test_a_kernel_stays_within_its_drift(rule: str, numbers: dict[str, Any]) -> None:
    """Over 32 steps of any gradients, and uses more than a thousandth of it."""
    dialect = {"decay": "before"} if rule == "lion" else {}
    kernel, rng = ours(rule, **dialect), np.random.default_rng(3)
    run = kernel.start(np.linspace(-3, 3, 64), **numbers)
    drift, used = Drift(kernel, run.p, numbers), 0.0
    for _ in range(32):
        g = rng.standard_normal(64).astype(np.float32).astype(np.float64)
        error = drift.step(g)
        gap = np.abs(run.step(g) - drift.value)
        assert (gap <= error).all()
        used = max(used, float((gap / error).max()))
    assert used > 1e-3


def test_clipping_at_an_end_is_exact() -> None:
    """Where every value that a kernel can have is clipped, nothing is left of the error."""
    kernel = ours("adagrad")
    drift = Drift(kernel, np.array([1.0, 1.0]), {"lr": 0.5})
    drift.step(np.array([3.0, -3.0]))
    assert (drift.error > 0).all()
    drift.clip(0.75, 5.0)
    assert drift.error[0] == 0
    assert drift.value[0] == 0.75
    assert 0 < drift.error[1] < 1e-5


def test_a_kernel_stays_within_its_replicas() -> None:
    """Shampoo over six steps; one with another exponent leaves them."""
    kernel, rng = ours("shampoo"), np.random.default_rng(4)
    numbers = {"lr": 0.1, "eps": 0.01}
    run, wrong = (k.start(np.ones((3, 4)), **numbers) for k in (kernel, _other(kernel)))
    replicas = Replicas(kernel, run.p, numbers)
    for _ in range(6):
        g = rng.standard_normal((3, 4)).astype(np.float32).astype(np.float64)
        error = replicas.step(g)
        assert (np.abs(run.step(g) - replicas.value) <= error).all()
        wrong.step(g)
    assert (np.abs(wrong.p - replicas.value) > error).any()


def _other(kernel: Implementation) -> Implementation:
    return reference("shampoo", exponent="order")


def test_the_iteration_on_singular_values() -> None:
    """Jordan et al.'s coefficients bring [0.01, 1] into [0.68, 1.14], keep [0, 1] below 1.22."""
    s = np.linspace(0.01, 1, 10_001)
    assert abs(newton_schulz.mapped(s).min() - 0.6818) < 1e-3
    assert abs(newton_schulz.mapped(s).max() - 1.1344) < 1e-3
    assert newton_schulz.mapped(s).max() <= newton_schulz.largest() < 1.22
    a, b, c = newton_schulz.COEFFICIENTS
    wide = np.linspace(0, newton_schulz.WIDEST, 10_001)
    step = a * wide + b * wide**3 + c * wide**5
    assert 0 <= step.min() <= step.max() < newton_schulz.WIDEST
    U, Vt, G = newton_schulz.with_singular_values(np.array([2.0, 1.0]), (3, 4), 1)
    assert np.allclose(np.linalg.svd(G, compute_uv=False)[:2], [2, 1], atol=1e-14)
    assert np.allclose(U.T @ U, np.eye(2), atol=1e-14)
    assert np.allclose(Vt @ Vt.T, np.eye(2), atol=1e-14)


def test_codes_that_chance_decides_are_a_subject_of_their_own() -> None:
    """A theorem of nearest codes is not run on drawn ones, nor one of drawn codes on others."""
    capabilities = [c for c in cpu.Backend().capabilities() if c.rule == "sgd"]
    kept = {"storage": ("e4m3_blocks", "int4")}
    named = {
        codes: {c.variant for c in capabilities if Subject("sgd", codes=codes, **kept).suits(c)}
        for codes in ("", "nearest", "drawn")
    }
    assert named["drawn"] == {"e4m3_stochastic", "int4_stochastic"}
    assert {"e4m3", "int4"} <= named["nearest"]
    assert "" in named[""]
    assert not named[""] & named["drawn"]
    assert dataclasses.replace(Subject("sgd"), codes="drawn", **kept).places == 4

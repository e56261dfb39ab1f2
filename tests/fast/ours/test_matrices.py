"""The rules that multiply or decompose matrices: near the reference's step, arguments unwritten."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.fast.ours import matrix
from truestep.fast.protocol import Group, OptimizerCapability, Slot
from truestep.reference.declared import fields_of
from truestep.reference.tables import RULES

CAPABILITIES = [c for c in matrix.capabilities() if c.rule != "kfac"]


def slot_of(rule: Any, h: Any, shape: tuple[int, ...]) -> Slot:
    """The first step's slot, of read-only arrays."""
    rng = np.random.default_rng(11)
    p, g = (rng.standard_normal(shape).astype(np.float32) for _ in "pg")
    state = fields_of(rule.init(h, p.astype(np.float64)))
    arrays = {n: x if n == "t" else np.asarray(x, np.float32) for n, x in state.items()}
    for array in (p, g, *(x for n, x in arrays.items() if n != "t")):
        array.setflags(write=False)
    return Slot(p, g, arrays)


@pytest.mark.parametrize("shape", [(40, 24), (24, 40), (9,), (4, 3, 5), (0, 3)], ids=str)
@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda c: f"{c.rule}-{c.variant}")
def test_is_near_the_reference(capability: OptimizerCapability, shape: tuple[int, ...]) -> None:
    """p after the first step, and the shapes of all that is left."""
    rule: Any = RULES["optimizer"][capability.rule]
    # eps holds up the eigenvalues of factors of deficient rank, which in float32 are noise.
    h = rule.Hyper(lr=0.1, eps=0.01, **capability.dialect)
    slot = slot_of(rule, h, shape)
    [[after]] = matrix.optimizer_step(capability, [Group(h, [slot])])
    state = {n: x if n == "t" else x.astype(np.float64) for n, x in slot.state.items()}
    with np.errstate(all="ignore"):
        want, p = rule.step(
            h, rule.State(**state), slot.param.astype(np.float64), slot.grad.astype(np.float64)
        )
    np.testing.assert_allclose(after.param, p, rtol=1e-3, atol=1e-3)
    for name, x in fields_of(want).items():
        assert np.shape(after.state[name]) == np.shape(x), name
        assert name == "t" or after.state[name].dtype == np.float32, name


def test_kfac_is_near_the_reference() -> None:
    """K-FAC takes what the layer saw beside the gradient."""
    rule: Any = RULES["optimizer"]["kfac"]
    h, rng = rule.Hyper(), np.random.default_rng(3)
    p, g, seen, sent = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((5, 7), (5, 7), (8, 7), (8, 5))
    )
    inputs = {"activations": seen, "derivatives": sent}
    state = fields_of(rule.init(h, p.astype(np.float64)))
    arrays = {n: x if n == "t" else x.astype(np.float32) for n, x in state.items()}
    capability = next(c for c in matrix.capabilities() if c.rule == "kfac")
    [[after]] = matrix.optimizer_step(capability, [Group(h, [Slot(p, g, arrays, inputs)])])
    wide = {name: x.astype(np.float64) for name, x in inputs.items()}
    _, want = rule.step(
        h, rule.init(h, p.astype(np.float64)), p.astype(np.float64), g.astype(np.float64), **wide
    )
    np.testing.assert_allclose(after.param, want, rtol=1e-4, atol=1e-4)

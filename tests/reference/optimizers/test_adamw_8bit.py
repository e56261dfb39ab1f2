"""AdamW on 8-bit moments: AdamW's step from the decoded state, then the moments encoded."""

from __future__ import annotations

import numpy as np
import pytest

from truestep.reference.optimizers import adam, adamw, adamw_8bit
from truestep.reference.quantizers import dynamic_8bit


def problem(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A parameter and a gradient over many magnitudes."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(n), rng.standard_normal(n) * 10.0 ** rng.uniform(-6, 0, n)


def test_first_step_is_exactly_that_of_adamw() -> None:
    """The fresh state is exact, so p after one step carries no quantization error at all."""
    p, g = problem(300)
    for decay in ("unscaled", "before", "after", "in_step"):
        h8 = adamw_8bit.Hyper(decay=decay, block_size=64)
        h = adamw.Hyper(decay=decay)
        _, got = adamw_8bit.step(h8, adamw_8bit.init(h8, p), p, g)
        _, want = adamw.step(h, adamw.init(h, p), p, g)
        assert (got == want).all()


def test_coupled_decay_makes_it_adam() -> None:
    """weight_decay p enters the gradient and the moments: the first step is exactly Adam's."""
    p, g = problem(300)
    h8 = adamw_8bit.Hyper(decay="coupled", weight_decay=0.5, block_size=64)
    h = adam.Hyper(weight_decay=0.5)
    s, got = adamw_8bit.step(h8, adamw_8bit.init(h8, p), p, g)
    after, want = adam.step(h, adam.init(h, p), p, g)
    assert (got == want).all()
    for signed, moment, code in ((True, after.m, s.m_code), (False, after.v, s.v_code)):
        assert (dynamic_8bit.encode(adamw_8bit.quantizer(h8, signed), moment)[0] == code).all()


@pytest.mark.parametrize("maximize", [False, True])
def test_every_step_is_adamw_from_the_decoded_state(maximize: bool) -> None:
    """Over ten steps p is AdamW's from the decoded moments, and the codes are those moments'."""
    h8 = adamw_8bit.Hyper(block_size=64, maximize=maximize)
    h = adamw.Hyper(maximize=maximize)
    signed = dynamic_8bit.Hyper(signed=True, block_size=64)
    unsigned = dynamic_8bit.Hyper(signed=False, block_size=64)
    p, _ = problem(200)
    s = adamw_8bit.init(h8, p)
    for t in range(1, 11):
        _, g = problem(200, seed=t)
        decoded = adamw.State(
            t=s.t,
            m=dynamic_8bit.decode(signed, s.m_code, s.m_absmax),
            v=dynamic_8bit.decode(unsigned, s.v_code, s.v_absmax),
        )
        after, want = adamw.step(h, decoded, p, g)
        s, p = adamw_8bit.step(h8, s, p, g)
        assert s.t == t
        assert (p == want).all()
        for quantizer, moment, code, absmax in (
            (signed, after.m, s.m_code, s.m_absmax),
            (unsigned, after.v, s.v_code, s.v_absmax),
        ):
            want_code, want_absmax = dynamic_8bit.encode(quantizer, moment)
            assert (code == want_code).all()
            assert (absmax == want_absmax).all()


def test_zero_gradient_leaves_parameters_alone() -> None:
    """Without decay and with zero gradients p does not move, and no moment leaves zero."""
    h = adamw_8bit.Hyper(weight_decay=0.0, block_size=64)
    p, _ = problem(100)
    s, q = adamw_8bit.init(h, p), p
    for _ in range(5):
        s, q = adamw_8bit.step(h, s, q, np.zeros(100))
    assert (q == p).all()
    assert (s.m_absmax == 0).all()
    assert (s.v_absmax == 0).all()


def test_a_coordinate_without_gradient_does_not_drift_beside_a_driven_one() -> None:
    """Zero is a code of both maps, so one driven element of a block moves no other element."""
    h = adamw_8bit.Hyper(weight_decay=0.0, block_size=64)
    p, g = np.ones(64), np.eye(64)[5]
    s, q = adamw_8bit.init(h, p), p
    for _ in range(50):
        s, q = adamw_8bit.step(h, s, q, g)
    assert (np.delete(q, 5) == 1).all()
    assert q[5] < 1


def test_nan_gradient_reaches_its_element_now_and_its_block_next() -> None:
    """A nan gradient makes one p nan at once, at the next step its block, no other block."""
    h = adamw_8bit.Hyper(block_size=64)
    p, g = problem(128)
    bad = g.copy()
    bad[3] = np.nan
    s, p1 = adamw_8bit.step(h, adamw_8bit.init(h, p), p, bad)
    assert list(np.flatnonzero(np.isnan(p1))) == [3]
    _, p2 = adamw_8bit.step(h, s, p1, g)
    assert np.isnan(p2[:64]).all()
    assert np.isfinite(p2[64:]).all()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (5, 13), (64,), (65,)])
def test_shapes(shape: tuple[int, ...]) -> None:
    """Codes are uint8 shaped like p, absmax has one number per block; inputs are not written."""
    h = adamw_8bit.Hyper(block_size=64)
    p, g = np.ones(shape), np.full(shape, 0.5)
    p.flags.writeable = g.flags.writeable = False
    s, q = adamw_8bit.step(h, adamw_8bit.init(h, p), p, g)
    blocks = -(-p.size // 64)
    assert q.shape == s.m_code.shape == s.v_code.shape == shape
    assert s.m_code.dtype == s.v_code.dtype == np.uint8
    assert s.m_absmax.shape == s.v_absmax.shape == (blocks,)


def test_bad_block_size_is_named() -> None:
    """The quantizer's check reaches through."""
    with pytest.raises(ValueError, match=r"block_size must be one of .* got 100"):
        adamw_8bit.Hyper(block_size=100)

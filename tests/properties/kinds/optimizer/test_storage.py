"""State that is kept as codes: the plain rule's step from the decoded state, then encoded."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truestep.fast.protocol import OptimizerCapability, Storage
from truestep.properties.cases.restored import restored
from truestep.properties.kinds.optimizer.cases import OptimizerCase
from truestep.properties.kinds.optimizer.families import FAMILIES
from truestep.properties.kinds.optimizer.storage import StoredRule, parted, rule_of, with_storage
from truestep.reference.optimizers import adam, adamw
from truestep.reference.quantizers import dynamic_8bit

CAPABILITY = OptimizerCapability(
    rule="adamw",
    storage={
        "m": Storage("dynamic_8bit", {"signed": True, "block_size": (64, 256)}),
        "v": Storage("dynamic_8bit", {"signed": False, "block_size": (64, 256)}),
    },
)
SIGNED, UNSIGNED = (dynamic_8bit.Hyper(signed=x, block_size=64) for x in (True, False))
ADAM_8BIT, ADAMW_8BIT = (with_storage(rule, CAPABILITY.storage) for rule in (adam, adamw))


def hyper(rule: StoredRule, **fields: Any) -> Any:
    """The rule's Hyper with both moments in blocks of 64."""
    return rule.Hyper(**fields, storage={"m": SIGNED, "v": UNSIGNED})


def problem(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A parameter and a gradient over many magnitudes."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(n), rng.standard_normal(n) * 10.0 ** rng.uniform(-6, 0, n)


def test_first_step_is_exactly_that_of_adamw() -> None:
    """The fresh state is exact, so p after one step carries no quantization error at all."""
    p, g = problem(300)
    for decay in ("unscaled", "before", "after", "in_step"):
        h8 = hyper(ADAMW_8BIT, decay=decay)
        h = adamw.Hyper(decay=decay)
        _, got = ADAMW_8BIT.step(h8, ADAMW_8BIT.init(h8, p), p, g)
        _, want = adamw.step(h, adamw.init(h, p), p, g)
        assert (got == want).all()


def test_a_coupled_decay_enters_the_codes() -> None:
    """weight_decay p enters the gradient and the moments: the first step is exactly Adam's."""
    p, g = problem(300)
    h8 = hyper(ADAM_8BIT, weight_decay=0.5)
    h = adam.Hyper(weight_decay=0.5)
    s, got = ADAM_8BIT.step(h8, ADAM_8BIT.init(h8, p), p, g)
    after, want = adam.step(h, adam.init(h, p), p, g)
    assert (got == want).all()
    for how, moment, code in ((SIGNED, after.m, s.m_code), (UNSIGNED, after.v, s.v_code)):
        assert (dynamic_8bit.encode(how, moment)[0] == code).all()


@pytest.mark.parametrize("maximize", [False, True])
def test_every_step_is_adamw_from_the_decoded_state(maximize: bool) -> None:
    """Over ten steps p is AdamW's from the decoded moments, and the codes are those moments'."""
    h8 = hyper(ADAMW_8BIT, maximize=maximize)
    h = adamw.Hyper(maximize=maximize)
    p, _ = problem(200)
    s = ADAMW_8BIT.init(h8, p)
    for t in range(1, 11):
        _, g = problem(200, seed=t)
        decoded = adamw.State(
            t=s.t,
            m=dynamic_8bit.decode(SIGNED, s.m_code, s.m_absmax),
            v=dynamic_8bit.decode(UNSIGNED, s.v_code, s.v_absmax),
        )
        after, want = adamw.step(h, decoded, p, g)
        s, p = ADAMW_8BIT.step(h8, s, p, g)
        assert s.t == t
        assert (p == want).all()
        for quantizer, moment, code, absmax in (
            (SIGNED, after.m, s.m_code, s.m_absmax),
            (UNSIGNED, after.v, s.v_code, s.v_absmax),
        ):
            want_code, want_absmax = dynamic_8bit.encode(quantizer, moment)
            assert (code == want_code).all()
            assert (absmax == want_absmax).all()


def test_zero_gradient_leaves_parameters_alone() -> None:
    """Without decay and with zero gradients p does not move, and no moment leaves zero."""
    h = hyper(ADAMW_8BIT, weight_decay=0.0)
    p, _ = problem(100)
    s, q = ADAMW_8BIT.init(h, p), p
    for _ in range(5):
        s, q = ADAMW_8BIT.step(h, s, q, np.zeros(100))
    assert (q == p).all()
    assert (s.m_absmax == 0).all()
    assert (s.v_absmax == 0).all()


def test_a_coordinate_without_gradient_does_not_drift_beside_a_driven_one() -> None:
    """Zero is a code of both maps, so one driven element of a block moves no other element."""
    h = hyper(ADAMW_8BIT, weight_decay=0.0)
    p, g = np.ones(64), np.eye(64)[5]
    s, q = ADAMW_8BIT.init(h, p), p
    for _ in range(50):
        s, q = ADAMW_8BIT.step(h, s, q, g)
    assert (np.delete(q, 5) == 1).all()
    assert q[5] < 1


def test_nan_gradient_reaches_its_element_now_and_its_block_next() -> None:
    """A nan gradient makes one p nan at once, at the next step its block, no other block."""
    h = hyper(ADAMW_8BIT)
    p, g = problem(128)
    bad = g.copy()
    bad[3] = np.nan
    s, p1 = ADAMW_8BIT.step(h, ADAMW_8BIT.init(h, p), p, bad)
    assert list(np.flatnonzero(np.isnan(p1))) == [3]
    _, p2 = ADAMW_8BIT.step(h, s, p1, g)
    assert np.isnan(p2[:64]).all()
    assert np.isfinite(p2[64:]).all()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (5, 13), (64,), (65,)])
def test_shapes(shape: tuple[int, ...]) -> None:
    """Codes are uint8 shaped like p, absmax has one number per block; inputs are not written."""
    h = hyper(ADAMW_8BIT)
    p, g = np.ones(shape), np.full(shape, 0.5)
    p.flags.writeable = g.flags.writeable = False
    s, q = ADAMW_8BIT.step(h, ADAMW_8BIT.init(h, p), p, g)
    blocks = -(-p.size // 64)
    assert q.shape == s.m_code.shape == s.v_code.shape == shape
    assert s.m_code.dtype == s.v_code.dtype == np.uint8
    assert s.m_absmax.shape == s.v_absmax.shape == (blocks,)


def test_bad_block_size_is_named() -> None:
    """The quantizer's check reaches through."""
    with pytest.raises(ValueError, match=r"block_size must be one of .* got 100"):
        ADAMW_8BIT.Hyper(storage={"m": {"block_size": 100}})


def test_a_bad_hyperparameter_is_named() -> None:
    """So does the plain rule's."""
    with pytest.raises(ValueError, match=r"lr must be .* got -1"):
        ADAMW_8BIT.Hyper(lr=-1.0)


def test_one_rule_for_one_storage() -> None:
    """Its parameters are not the rule's; without storage it is the plain one."""
    assert rule_of(CAPABILITY) is ADAMW_8BIT
    assert with_storage(adamw, {}) is adamw
    assert ADAMW_8BIT.__name__ == "truestep.reference.optimizers.adamw with m, v stored"
    assert adamw.FACTS.elementwise
    assert not ADAMW_8BIT.FACTS.elementwise


@settings(max_examples=20, deadline=None, database=None)
@given(st.data())
def test_a_case_survives_json(data: st.DataObject) -> None:
    """With its storage, in which all tensors have one block size."""
    for family in FAMILIES.values():
        case = data.draw(family.strategy(CAPABILITY))
        again = restored(OptimizerCase, json.loads(json.dumps(case.to_json())))
        assert again == case
        for group in again.groups:
            h = ADAMW_8BIT.Hyper(**group.hyper)
            assert h.storage["m"].block_size == h.storage["v"].block_size
            assert (h.storage["m"].signed, h.storage["v"].signed) == (True, False)


def test_what_a_backend_is_given() -> None:
    """The plain rule's Hyper and the quantizers'; both validated."""
    h = hyper(ADAMW_8BIT, lr=0.5)
    assert parted(ADAMW_8BIT, h) == (adamw.Hyper(lr=0.5), {"m": SIGNED, "v": UNSIGNED})
    assert parted(adamw, adamw.Hyper(lr=0.5)) == (adamw.Hyper(lr=0.5), {})

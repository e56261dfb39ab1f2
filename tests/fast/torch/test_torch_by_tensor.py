"""Adafactor and Muon of truestep.torch: the CPU backend's bits, and what they refuse."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from truestep.fast.ours.cpu import Backend
from truestep.fast.protocol import Group, OptimizerCapability, Slot
from truestep.reference.optimizers import adafactor, muon
from truestep.torch import Adafactor, Muon

# Of the numbers those that are not the reference's.
RULES: dict[str, Any] = {
    "adafactor": (
        Adafactor,
        {"weight_decay": 0.1, "eps": (1e-3, 0.01)},
        adafactor.Hyper(eps1=1e-3, eps2=0.01, weight_decay=0.1, eps_placement="floor"),
        {"r": "row_var", "c": "col_var", "v": "variance"},
    ),
    "muon": (
        Muon,
        {"lr": 0.5, "maximize": True},
        muon.Hyper(
            lr=0.5,
            weight_decay=0.1,
            maximize=True,
            momentum_form="ema",
            norm_guard="floor",
            scale="tall",
        ),
        {"b": "momentum_buffer"},
    ),
}


def shapes(rule: str) -> list[tuple[int, ...]]:
    """Those that the class takes."""
    return [(6, 4), (70, 90)] if rule == "muon" else [(), (0,), (7,), (70, 90), (3, 5, 2)]


def drawn(rule: str, seed: int, dtype: Any = torch.float32) -> list[Any]:
    """A tensor of each shape."""
    torch.manual_seed(seed)
    return [torch.randn(shape).to(dtype) for shape in shapes(rule)]


def as_array(x: Any) -> Any:
    """A copy in NumPy."""
    if x.dtype == torch.bfloat16:
        return x.detach().view(torch.int16).numpy().copy().view(ml_dtypes.bfloat16)
    return x.detach().numpy().copy()


@pytest.mark.parametrize(
    ("rule", "dtype"),
    [("adafactor", torch.float32), ("adafactor", torch.bfloat16), ("muon", torch.float32)],
    ids=str,
)
def test_steps_are_those_of_the_backend(rule: str, dtype: Any) -> None:
    """Parameters and states, after three steps from the start."""
    made, arguments, hyper, keys = RULES[rule]
    params = [torch.nn.Parameter(x) for x in drawn(rule, 0, dtype)]
    optimizer = made(params, **arguments)
    module = {"adafactor": adafactor, "muon": muon}[rule]
    held = [as_array(p) for p in params]
    states: list[Any] = []
    for p in held:
        fresh = module.init(hyper, p.astype(np.float32))
        fields = {name: getattr(fresh, name) for name in (*keys, "t", *fresh.BEHAVIOUR)}
        states.append({k: x if k == "t" else np.float32(x) for k, x in fields.items()})
    capability = next(
        c
        for c in Backend().capabilities()
        if isinstance(c, OptimizerCapability) and c.rule == rule and c.format == "float32"
    )
    for t in range(3):
        grads = drawn(rule, 1 + t, dtype)
        for p, g in zip(params, grads, strict=True):
            p.grad = g.clone()
        optimizer.step()
        slots = [Slot(p, as_array(g), s, {}) for p, g, s in zip(held, grads, states, strict=True)]
        (stepped,) = Backend().optimizer_step(capability, [Group(hyper, slots)])
        held, states = [x.param for x in stepped], [dict(x.state) for x in stepped]
    for p, due, state in zip(params, held, states, strict=True):
        assert as_array(p).tobytes() == due.tobytes() and optimizer.state[p]["step"] == 3
        for name, key in keys.items():
            if key in optimizer.state[p]:
                assert as_array(optimizer.state[p][key]).tobytes() == state[name].tobytes()


VIEWS: dict[str, Callable[[Any], Any]] = {
    "transposed": lambda x: x.T,
    "gaps": lambda x: x[::2, 1:],
    "negated": lambda x: torch.imag(torch.complex(x, -x).conj()),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("rule", RULES)
def test_strides_do_not_matter(rule: str, view: str) -> None:
    """Of the parameter and of the gradient: as if they were contiguous."""
    made, arguments, *_ = RULES[rule]
    torch.manual_seed(0)
    wide, gradient = torch.randn(6, 8), torch.randn(6, 8)
    ends = []
    for kept in (VIEWS[view], lambda x: VIEWS[view](x).contiguous().resolve_neg()):
        p = torch.nn.Parameter(kept(wide.clone()))
        p.grad = kept(gradient.clone())
        optimizer = made([p], **arguments)
        for _ in range(3):
            optimizer.step()
        ends.append(p.detach().resolve_neg())
    assert torch.equal(*ends) and not torch.equal(ends[0], VIEWS[view](wide))


@pytest.mark.parametrize(("way", "share"), [("bfloat16", 0.02), ("8bit", 0.05), ("4bit", 0.3)])
def test_the_momentum_may_be_kept_in_fewer_bits(way: str, share: float) -> None:
    """The way that the parameter makes is nearly that with a momentum in float32."""
    ways = []
    for state in ("float32", way):
        torch.manual_seed(0)
        p = torch.nn.Parameter(torch.zeros(64, 80))
        optimizer = Muon([p], state=state)
        for _ in range(5):
            p.grad = torch.randn(64, 80)
            optimizer.step()
        ways.append(p.detach())
    due, found = ways
    assert 0 < (found - due).norm() <= share * due.norm()


def test_a_small_matrix_keeps_a_float32_momentum() -> None:
    """With state="8bit", one of fewer than 4096 elements."""
    small, large = (torch.nn.Parameter(torch.ones(8, n)) for n in (8, 512))
    optimizer = Muon([small, large], state="8bit")
    small.grad, large.grad = torch.ones(8, 8), torch.ones(8, 512)
    optimizer.step()
    assert "momentum_buffer" in optimizer.state[small]
    assert "momentum_buffer_code" in optimizer.state[large]


def test_the_floor_is_the_format_s_where_none_is_given() -> None:
    """eps[0] = None, for parameters of both formats in one group."""
    for dtype in (torch.float32, torch.bfloat16):
        ends = []
        for eps in ((None, 1e-3), (torch.finfo(dtype).eps, 1e-3)):
            p = torch.nn.Parameter(torch.ones(3, 4, dtype=dtype))
            q = torch.nn.Parameter(torch.ones(3, 4, dtype=dtype))
            optimizer = Adafactor([q, p], eps=eps)
            q.grad = p.grad = torch.full((3, 4), 1e-4, dtype=dtype)
            optimizer.step()
            ends.append(p.detach())
        assert torch.equal(*ends)


@pytest.mark.parametrize(
    ("made", "shape", "arguments", "message"),
    [
        (Adafactor, (3, 4), {"state": "8bit"}, "state must be one of float32; got '8bit'"),
        (Adafactor, (3, 4), {"beta2_decay": 0.5}, "decay_rate"),
        (Muon, (3,), {}, r"Muon steps matrices, got a parameter of shape \(3,\)"),
        (Muon, (3, 4), {"adjust_lr_fn": "none"}, "adjust_lr_fn must be one of None, 'original'"),
        (Muon, (3, 4), {"ns_coefficients": (1.0, 2.0)}, "ns_coefficients must have 3 numbers"),
        (Muon, (3, 4), {"ns_steps": 0}, "ns_steps"),
    ],
)
def test_refused(made: Any, shape: Any, arguments: dict[str, Any], message: str) -> None:
    """At once, also of a group."""
    with pytest.raises(ValueError, match=message):
        made([torch.nn.Parameter(torch.ones(shape))], **arguments)
    optimizer = made([torch.nn.Parameter(torch.ones(3, 4))])
    with pytest.raises(ValueError, match=message):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(shape))], **arguments})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("made", [Adafactor, Muon])
def test_a_gradient_that_cannot_be_taken_changes_nothing(made: Any) -> None:
    """Neither the parameters before it nor their counters."""
    p, q = (torch.nn.Parameter(torch.ones(3, 4)) for _ in range(2))
    optimizer = made([p, q])
    p.grad, q.grad = torch.ones(3, 4), torch.ones(3, 4)
    optimizer.step()
    before = p.detach().clone()
    q.grad = torch.ones(3, 4).to_sparse()
    with pytest.raises(RuntimeError, match="does not take sparse gradients"):
        optimizer.step()
    assert torch.equal(p, before) and optimizer.state[p]["step"] == 1

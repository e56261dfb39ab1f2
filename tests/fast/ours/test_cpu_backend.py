"""The cpu backend through the protocol, and in processes that others have changed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from truestep.fast.ours.cpu import Backend, Plan
from truestep.fast.protocol import Capability, Group, Slot
from truestep.reference.optimizers import adamw, kbfgs, mechanic
from truestep.reference.quantizers import dynamic_8bit

HYPER = adamw.Hyper(decay="before", weight_decay=0.1)
ADAMW = next(c for c in Backend().capabilities() if c.rule == "adamw")


def bits(x: Any) -> bytes:
    """The bytes of x, in C order."""
    return bytes(x.tobytes())


def slot(seed: int, shape: tuple[int, ...], t: int) -> Slot:
    """A slot of ordinary float32 arrays that cannot be written."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape).astype(np.float32) for _ in range(4)]
    arrays[3] = np.square(arrays[3], out=np.empty(shape, np.float32))
    for x in arrays:
        x.flags.writeable = False
    return Slot(arrays[0], arrays[1], {"t": t, "m": arrays[2], "v": arrays[3]})


def test_groups_keep_their_own_counters_and_hyperparameters() -> None:
    """Slots of several groups in one call come out as each would alone; nothing is written."""
    capability = ADAMW
    other = adamw.Hyper(lr=0.5, decay="before")
    groups = [
        Group(HYPER, [slot(1, (), 0), slot(2, (3, 5), 7)]),
        Group(other, []),
        Group(other, [slot(3, (0, 4), 2), slot(4, (300,), 2**24)]),
    ]
    together = Backend().optimizer_step(capability, groups)
    assert [len(group) for group in together] == [2, 0, 2]
    for group, got in zip(groups, together, strict=True):
        for one, result in zip(group.slots, got, strict=True):
            alone = Backend().optimizer_step(capability, [Group(group.hyper, [one])])[0][0]
            assert result.param.shape == one.param.shape
            assert result.state["t"] == one.state["t"] + 1
            assert bits(result.param) == bits(alone.param)
            assert bits(result.state["m"]) == bits(alone.state["m"])
            assert bits(result.state["v"]) == bits(alone.state["v"])


def test_vectors_of_a_tensor_may_differ_in_length() -> None:
    """Mechanic's memories, in one call; more than the kernel has numbers for are refused."""
    capability = next(c for c in Backend().capabilities() if c.rule == "mechanic")
    rng = np.random.default_rng(0)
    p, *gradients = rng.standard_normal((5, 7)).astype(np.float32)

    def started(h: mechanic.Hyper) -> Any:
        s = mechanic.init(h, np.asarray(p))
        arrays = {name: np.asarray(getattr(s, name), np.float32) for name in s.BEHAVIOUR}
        return {"t": 0, **arrays}

    hypers = [mechanic.Hyper(memories=n, s_init=0.1) for n in (1, 8, 3)]
    held = [(p, started(h)) for h in hypers]
    due: list[Any] = [(mechanic.init(h, p.astype(float)), p.astype(float)) for h in hypers]
    for g in gradients:
        groups = [Group(h, [Slot(x, g, s, {})]) for h, (x, s) in zip(hypers, held, strict=True)]
        stepped = Backend().optimizer_step(capability, groups)
        held = [(one.param, dict(one.state)) for (one,) in stepped]
        due = [mechanic.step(h, s, x, g) for h, (s, x) in zip(hypers, due, strict=True)]
    for h, (x, state), (s, y) in zip(hypers, held, due, strict=True):
        assert state["r"].shape == (h.memories,) and not np.array_equal(x, p)
        np.testing.assert_allclose(x, y, rtol=1e-5)
        for name in ("m", "v", "r", "s"):
            np.testing.assert_allclose(state[name], getattr(s, name), rtol=1e-3, atol=1e-6)
    many = mechanic.Hyper(memories=9)
    with pytest.raises(ValueError, match="s must have at most 8 elements here, got 9"):
        Backend().optimizer_step(capability, [Group(many, [Slot(p, p, started(many), {})])])


def test_strides_do_not_matter() -> None:
    """Transposed, reversed and stepped views give what their copies give."""
    capability = ADAMW
    one = slot(5, (12, 10), 3)
    views: list[Callable[[Any], Any]] = [lambda x: x.T, lambda x: x[::-1], lambda x: x[1::3, ::2]]
    for view in views:
        strided = {k: x if k == "t" else view(x) for k, x in one.state.items()}
        packed = {k: x if k == "t" else view(x).copy() for k, x in one.state.items()}
        got, expected = (
            Backend().optimizer_step(capability, [Group(HYPER, [candidate])])[0][0]
            for candidate in (
                Slot(view(one.param), view(one.grad), strided),
                Slot(view(one.param).copy(), view(one.grad).copy(), packed),
            )
        )
        assert bits(got.param) == bits(expected.param)
        assert bits(got.state["v"]) == bits(expected.state["v"])


def test_8bit_groups_may_differ_in_block_size_and_map() -> None:
    """Each slot is stepped with its own group's blocks and map."""
    capability = next(
        c for c in Backend().capabilities() if (c.rule, c.variant) == ("adamw", "8bit")
    )
    rng = np.random.default_rng(0)
    groups = []
    for block_size, kind in ((64, "fused"), (256, "separate"), (64, "separate")):
        storage = {
            name: dynamic_8bit.Hyper(signed=name == "m", block_size=block_size, map=kind)  # type: ignore[arg-type]
            for name in ("m", "v")
        }
        p = rng.standard_normal((11, 31)).astype(np.float32)
        state: dict[str, Any] = {"t": 0}
        for name, how in storage.items():
            code, absmax = dynamic_8bit.encode(how, np.zeros_like(p))
            state |= {f"{name}_code": code, f"{name}_absmax": absmax}
        groups.append(Group(adamw.Hyper(decay="before"), [Slot(p, p, state)], storage))
    together = Backend().optimizer_step(capability, groups)
    for group, (result,) in zip(groups, together, strict=True):
        (alone,) = Backend().optimizer_step(capability, [group])[0]
        assert result.state["m_code"].shape == group.slots[0].param.shape
        for name in ("m_code", "m_absmax", "v_code", "v_absmax"):
            assert bits(result.state[name]) == bits(alone.state[name])
        assert np.any(result.state["m_code"] != 127)


FORKED = """
import os
import numpy as np
from truestep.fast.ours.cpu import Plan
from truestep.reference.optimizers import adamw
p, g, m, v = ([np.ones(200_000, np.float32)] for _ in range(4))
plan = Plan("adamw", p, g, {"m": m, "v": v})
plan.step(adamw.Hyper(decay="before"), 1, threads=2)
child = os.fork()
if not child:
    plan.step(adamw.Hyper(decay="before"), 2, threads=2)
    os._exit(7)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_works_in_a_forked_child() -> None:
    """A child forked after threads ran steps too, instead of waiting for threads it lacks."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], timeout=60, check=False)
    assert done.returncode == 7


def plan_of(p: Any, g: Any, m: Any, v: Any) -> Plan:
    """A plan of AdamW over one tensor."""
    return Plan("adamw", [p], [g], {"m": [m], "v": [v]})


def test_subnormals_are_kept_whatever_the_process_does() -> None:
    """Flushing that another library switched on does not reach the kernels, and stays on."""
    torch = pytest.importorskip("torch")
    inputs = [np.full(300_000, x, np.float32) for x in (1e-39, 0.0, 1e-39, 1e-39)]
    expected = [x.copy() for x in inputs]
    plan_of(*expected).step(HYPER, 5)
    assert torch.set_flush_denormal(True)
    try:
        plan_of(*inputs).step(HYPER, 5)
        still_flushed = float(torch.tensor([1e-39]) * 1.0) == 0.0
    finally:
        torch.set_flush_denormal(False)
    assert still_flushed
    assert [bits(x) for x in inputs] == [bits(x) for x in expected]
    assert 0 < expected[2][0] < np.finfo(np.float32).smallest_normal


def test_unknown_rule_is_refused() -> None:
    """The error names what is offered."""
    with pytest.raises(ValueError, match="no kernel of kbfgs serves"):
        Backend().optimizer_step(Capability("optimizer", "kbfgs"), [Group(kbfgs.Hyper(), [])])

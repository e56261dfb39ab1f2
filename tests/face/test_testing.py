"""truestep.testing: one line judges a step, a schedule's values or stored codes."""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truestep.fast.protocol import Group, Slot, Storage
from truestep.properties.museum import FAULTS
from truestep.reference.optimizers import OPTIMIZERS, adamw
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.schedules import SCHEDULES
from truestep.reference.storages import STORAGES
from truestep.testing import BeyondContract, assert_codes, assert_schedule, assert_step, bounds

HYPER = {"lr": 1e-2, "weight_decay": 0.1, "decay": "before"}
# What one step of one tensor cannot show: they take several calls, tensors or groups.
BEYOND = {
    "adamw_count_of_group_shared",
    "adamw_decay_of_previous_tensor",
    "adamw_groups_of_one_rate_share_decay",
    "adamw_groups_of_one_rate_share_direction",
    "adamw_groups_of_one_rate_share_eps",
    "adamw_hyperparameters_of_first_group",
    "adamw_launch_lost_before_empty_tensor",
    "adamw_results_share_memory",
    "adamw_tensors_beyond_110_skipped",
    "adamw_tensors_beyond_64_skipped",
}


def before(t: int, scale: float = 1.0, n: int | tuple[int, ...] = 1003) -> dict[str, Any]:
    """A state at step t with gradients of that scale; zeros among gradients and moments."""
    rng = np.random.default_rng(t)
    p, g, m, v = (np.asarray(rng.standard_normal(n), np.float32) for _ in range(4))
    g, m = g * np.float32(scale), m * np.float32(scale)
    v = np.square(v * np.float32(scale), dtype=np.float32)
    if g.size > 40:
        g[:20], v[20:40] = 0.0, 0.0
    if t == 0:
        m, v = np.zeros_like(m), np.zeros_like(v)
    return {"p": p, "g": g, "t": t, "m": m, "v": v}


def befores() -> Iterator[dict[str, Any]]:
    """Ordinary states, and one each with what kernels forget."""
    for scale in (1.0, 1e-6, 1e3, 1e-20):
        yield from (before(t, scale) for t in (0, 1, 9, 1000, 2**24 + 1))
    yield before(3, n=())
    yield before(3, n=70_000)
    yield before(3, n=(1030, 3))
    special = before(3)
    special["g"][[50, 60, 70]] = np.nan, np.inf, -np.inf
    yield special
    special = before(3)
    special["m"][50] = special["v"][60] = np.nan
    yield special
    apart = before(3, n=(7, 9))
    wide = np.full((7, 12), 9.0, np.float32)
    wide[:, :9] = apart["g"]
    yield {**apart, "g": wide[:, :9]}


def steps_of(fault: str) -> Iterator[tuple[dict[str, Any], Any, Any]]:
    """Steps of a kernel with a planted fault: before, the Hyper, and what it gave."""
    kernel = FAULTS[fault].backend()
    unusual = {"maximize": True, "eps": 1e-3, "beta1": 0.8, "lr": 0.5}
    options: list[dict[str, Any]] = [{}, unusual, {"lr": 0.0}, {"eps": 0.0}]
    for state in befores():
        for option in options:
            h = adamw.Hyper(**{**HYPER, **kernel.capability.dialect, **option})
            slot = Slot(state["p"], state["g"], {name: state[name] for name in ("t", "m", "v")})
            [[new]] = kernel.optimizer_step(kernel.capability, [Group(h, [slot])])
            yield state, h, {"p": new.param, **new.state}


@pytest.mark.parametrize(
    "fault",
    [name for name, f in FAULTS.items() if f.rule == "adamw" and not f.declared.get("storage")],
)
def test_finds_every_fault_that_a_step_can_show(fault: str) -> None:
    """The kernels of the museum, by one line of test; the correct ones pass in the other tests."""
    told = FAULTS[fault].backend().capability.arithmetic

    def judged() -> None:
        for state, h, after in steps_of(fault):
            assert_step("adamw", h, state, after, arithmetic=told)

    if fault in BEYOND:
        judged()
        return
    with pytest.raises(BeyondContract, match="adamw: "):
        judged()


@pytest.mark.parametrize(
    "fault",
    [n for n, f in FAULTS.items() if f.rule == "adamw" and "p" in f.declared.get("storage", {})],  # type: ignore[operator]
)
def test_finds_every_fault_of_parameters_in_two_parts(fault: str) -> None:
    """As above, of kernels that keep p as a bfloat16 and what that lacks; the right ones pass."""
    (how,) = FAULTS[fault].declared["storage"].values()  # type: ignore[attr-defined]
    rule = STORAGES[how.quantizer]
    hyper = rule.Hyper(**how.hyper)
    rng = np.random.default_rng(0)

    def judged(kernel: Any, lr: float) -> None:
        h = adamw.Hyper(lr=lr, weight_decay=0.1, **kernel.capability.dialect)
        p, g, m, v = (rng.standard_normal(4000).astype(np.float32) for _ in range(4))
        code, high = rule.encode(hyper, p.astype(np.float64))
        state = {"t": 3, "m": m, "v": v * v, "p_code": code}
        start = {name: x.astype(ml_dtypes.bfloat16) for name, x in (("p", high), ("g", g))}
        slot = Slot(start["p"], start["g"], state)
        [[new]] = kernel.optimizer_step(kernel.capability, [Group(h, [slot], storage={"p": hyper})])
        after = {"p": new.param, **new.state}
        told = kernel.capability.arithmetic
        assert_step("adamw", h, {**start, **state}, after, arithmetic=told, storage={"p": how})

    for lr in (1e-2, 1e-4):
        judged(FAULTS[fault].without(), lr)
    with pytest.raises(BeyondContract, match="adamw: p"):
        deque((judged(FAULTS[fault].backend(), lr) for lr in (1e-2, 1e-4)), maxlen=0)


@pytest.mark.parametrize("rule", ["adamw", "lion", "lamb", "adafactor", "muon", "sgd"])
def test_the_references_own_lines_pass(rule: str) -> None:
    """In float32, from their first state, also of rules that are judged by replicates."""
    module = OPTIMIZERS[rule]
    rng = np.random.default_rng(0)
    p, g = (rng.standard_normal((8, 12)).astype(np.float32) for _ in range(2))
    state, moved = module.step(module.Hyper(), module.init(module.Hyper(), p), p, g)
    after = {f: getattr(state, f) for f in state.__dataclass_fields__}
    kept = {f: x if f == "t" else np.asarray(x, np.float32) for f, x in after.items()}
    given_state = {"p": p, "g": g}
    assert_step(rule, {}, given_state, {"p": np.asarray(moved, np.float32), **kept})


@given(st.integers(1, 10**6), st.floats(1e-8, 1e3))
@settings(max_examples=20, deadline=None)
def test_works_within_given(t: int, scale: float) -> None:
    """One line inside a property, on kernels that are right."""
    state = before(t, scale)
    h = adamw.Hyper(**HYPER)  # type: ignore[arg-type]
    kernel = FAULTS["adamw_decay_ignored"].without()
    slot = Slot(state["p"], state["g"], {name: state[name] for name in ("t", "m", "v")})
    [[new]] = kernel.optimizer_step(kernel.capability, [Group(h, [slot])])
    assert_step("adamw", h, state, {"p": new.param, **new.state})
    due = bounds("adamw", h, state)
    with np.errstate(invalid="ignore"):
        error = np.abs(new.param - due["p"].value)
    assert np.all((error <= 2 * due["p"].error) | np.isinf(due["p"].error))
    assert np.median(due["p"].error / np.abs(due["p"].value)) < 1e-6


def test_the_message_shows_where_and_what_else() -> None:
    """The worst element, what is due, the inputs there, and the tensors that agree."""
    state = before(9)
    due = bounds("adamw", HYPER, state)
    after = {name: x.value.astype(np.float32) for name, x in due.items()}
    after["p"][7] += np.float32(1e-3)
    with pytest.raises(BeyondContract) as raised:
        assert_step("adamw", HYPER, state, after)
    told = str(raised.value)
    assert "adamw: p[7] is " in told
    assert f"g={float(state['g'][7])!r}" in told
    assert "within it: m, v" in told
    assert "(passes up to 2)" in told
    # Of the last place of float32, which p[7] is changed by.
    due = float(bounds("adamw", HYPER, state)["p"].value[7])
    ulps = abs(float(after["p"][7]) - due) / float(np.spacing(np.float32(abs(due))))
    assert f"{ulps:.4g} ulps of float32" in told


def test_arrays_of_torch() -> None:
    """Tensors of torch, bfloat16 included, in the place of NumPy's."""
    torch = pytest.importorskip("torch")
    p = torch.nn.Parameter(torch.linspace(-1, 1, 100))
    p.grad = torch.linspace(2, 1, 100)
    start = {"p": p.detach().clone(), "g": p.grad}
    optimizer = torch.optim.AdamW([p], lr=1e-2, weight_decay=0.1)
    optimizer.step()
    of = optimizer.state[p]
    after = {"p": p, "m": of["exp_avg"], "v": of["exp_avg_sq"], "t": int(of["step"])}
    assert_step("adamw", HYPER, start, after)
    with pytest.raises(BeyondContract):
        assert_step("adamw", {**HYPER, "weight_decay": 0.2}, start, after)
    half = torch.tensor([1.5, 2.0]).bfloat16()
    with pytest.raises(BeyondContract):
        assert_step("sgd", {"lr": 0.5}, {"p": half, "g": half}, {"p": half})
    assert_step("sgd", {"lr": 0.5}, {"p": half, "g": half}, {"p": half / 2})


class Elsewhere:
    """An array of some library that speaks DLPack, and nothing else of NumPy's."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __dlpack__(self, **options: Any) -> Any:
        return self.x.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.x.__dlpack_device__()


def test_arrays_by_dlpack() -> None:
    """What is no array of NumPy's comes in through the protocol."""
    state = before(3)
    due = {name: x.value.astype(np.float32) for name, x in bounds("adamw", HYPER, state).items()}
    start = {name: x if name == "t" else Elsewhere(x) for name, x in state.items()}
    assert_step("adamw", HYPER, start, {name: Elsewhere(x) for name, x in due.items()})
    due["m"] = due["m"] + np.float32(1)
    with pytest.raises(BeyondContract, match="adamw: m"):
        assert_step("adamw", HYPER, start, {name: Elsewhere(x) for name, x in due.items()})


def test_arrays_of_jax() -> None:
    """Arrays of JAX, bfloat16 included."""
    jnp = pytest.importorskip("jax.numpy", reason="jax is not installed")
    for dtype in (jnp.float32, jnp.bfloat16):
        p = jnp.asarray([1.5, 2.0], dtype)
        assert_step("sgd", {"lr": 0.5}, {"p": p, "g": p}, {"p": p / 2})
        with pytest.raises(BeyondContract):
            assert_step("sgd", {"lr": 0.5}, {"p": p, "g": p}, {"p": p})


def test_stored_moments() -> None:
    """Codes and scales in the place of numbers; one code off is found."""
    how = {"m": Storage("dynamic_8bit", {"signed": True, "block_size": 64})}
    h = QUANTIZERS["dynamic_8bit"].Hyper(signed=True, block_size=64)
    rng = np.random.default_rng(0)
    p, g = (rng.standard_normal(100).astype(np.float32) for _ in range(2))
    sign = np.sign(g)
    lr = np.float32(1e-4)
    code, absmax = QUANTIZERS["dynamic_8bit"].encode(h, 0.01 * g.astype(np.float64))
    after = {"p": p - lr * sign, "m_code": code, "m_absmax": absmax.astype(np.float32)}
    assert_step("lion", {}, {"p": p, "g": g}, after, storage=how)
    after["m_code"] = np.where(np.arange(100) == 5, code - 2, code).astype(np.uint8)
    with pytest.raises(BeyondContract, match=r"m_code\[5\]|m\[5\]"):
        assert_step("lion", {}, {"p": p, "g": g}, after, storage=how)


def test_schedules_and_codes() -> None:
    """Values of a schedule, codes of a cast and of blocks."""
    module = SCHEDULES["cosine"]
    h = module.Hyper()
    steps = [0, 1, 50, 99]
    values = [float(module.value(h, t)) for t in steps]
    assert_schedule("cosine", {}, steps, values)
    with pytest.raises(BeyondContract, match=r"cosine: lr\[2\]"):
        assert_schedule("cosine", {}, steps, [*values[:2], values[2] * (1 + 1e-9), values[3]])
    x = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    code = QUANTIZERS["bfloat16"].encode(QUANTIZERS["bfloat16"].Hyper(), x.astype(np.float64))
    assert_codes(
        "bfloat16", {}, x, {"code": code}, code.astype(np.uint32).__lshift__(16).view(np.float32)
    )
    with pytest.raises(BeyondContract, match="bfloat16: code"):
        assert_codes("bfloat16", {}, x, {"code": (x.view(np.uint32) >> 16).astype(np.uint16)})


REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "rule": (("adamww", {}, {}, {}), "unknown optimizer 'adamww'; did you mean adamw"),
    "hyperparameter": (("adamw", {"wd": 1}, before(0), {}), "hyper has 'wd', not one of"),
    "value": (("adamw", {"beta1": 1.5}, before(0), {}), "beta1 must lie in [0, 1), got 1.5"),
    "gradient": (("adamw", {}, {"p": np.ones(3)}, {}), "before lacks 'g'"),
    "state": (
        ("adamw", {}, {"p": np.ones(3), "g": np.ones(3), "t": 3}, {}),
        "before lacks 'm', which t = 3 needs",
    ),
    "after": (("adamw", {}, before(0), {}), "after lacks 'p'"),
    "tensor": (
        ("adamw", {}, before(0), {"p": np.ones(1003, np.float32), "q": np.ones(1)}),
        "after has 'q', not one of p, t, m, v",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_names_and_values_are_told(case: str) -> None:
    """A ValueError that shows the value."""
    arguments, message = REFUSED[case]
    with pytest.raises(ValueError) as raised:
        assert_step(*arguments)
    assert message in str(raised.value)


def test_importing_costs_little() -> None:
    """What judges is loaded when it is first asked for."""
    program = (
        "import sys, time, truestep.testing; print(time.process_time(), "
        "*sorted(m for m in sys.modules if '.' not in m))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    seconds, *modules = done.stdout.split()
    assert not {"hypothesis", "scipy", "torch", "mpmath"} & set(modules)
    assert float(seconds) <= 0.5

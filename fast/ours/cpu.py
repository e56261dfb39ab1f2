"""The C++ kernels as a backend to certify; ``truestep.fast.ours.cpu_plans`` steps them in place."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast import _core
from truestep.fast.ours import factored, lbfgs, matrix, offered, storages
from truestep.fast.ours.cpu_plans import Plan
from truestep.fast.ours.matrices import MATRICES
from truestep.fast.ours.rule_kernels import RuleKernel, kernel_for
from truestep.fast.ours.storages import Kept
from truestep.fast.protocol import (
    Array,
    Capability,
    Function,
    Group,
    OptimizerCapability,
    Slot,
    State,
    Stepped,
)
from truestep.reference.declared import Hyper

__all__ = ["Backend", "Plan"]


class Backend:
    """TrueStep's own C++ kernels. Inputs are copied; nothing that is passed in is written."""

    name = "cpu"

    def capabilities(self) -> Sequence[Capability]:
        """Every rule that has a header, with each storage; the quantizers."""
        return [
            *offered.capabilities(),
            *factored.capabilities(),
            *matrix.capabilities(),
            *lbfgs.capabilities(),
        ]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step on every slot, in one call for those of one kernel and storage."""
        if not isinstance(capability, OptimizerCapability):
            raise TypeError(f"capability must be an optimizer's, got {capability!r}")
        if capability.rule in factored.rules():
            return factored.optimizer_step(capability, groups)
        if capability.rule in MATRICES:
            return matrix.optimizer_step(capability, groups)
        alike: dict[tuple[int, tuple[tuple[str, Hyper], ...]], list[tuple[int, int]]] = {}
        for i, group in enumerate(groups):
            kernel = kernel_for(capability.rule, group.hyper)
            key = kernel.place, tuple(sorted(group.storage.items()))
            alike.setdefault(key, []).extend((i, j) for j in range(len(group.slots)))
        stepped: dict[tuple[int, int], Stepped] = {}
        for (_, storage), places in alike.items():
            hypers = [groups[i].hyper for i, _ in places]
            slots = [groups[i].slots[j] for i, j in places]
            quantizers = {name: how.quantizer for name, how in capability.storage.items()}
            kept = {name: storages.kept(quantizers[name], h) for name, h in storage}
            stepped |= zip(places, _step(capability.rule, hypers, slots, kept), strict=True)
        return [[stepped[i, j] for j in range(len(g.slots))] for i, g in enumerate(groups)]

    def minimizer_step(
        self, capability: Capability, hyper: Hyper, param: Array, state: State, function: Function
    ) -> Stepped:
        """One step of L-BFGS."""
        return lbfgs.minimizer_step(hyper, param, state, function)

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """The stored form of the float32 x: code, and for blocks their scales."""
        how = storages.kept(capability.rule, hyper)
        if x.dtype != np.float32:
            raise TypeError(f"x must be float32, got {x.dtype}")
        code = np.empty(x.shape, how.code)
        scale = np.empty(how.blocks(x.size), np.float32)
        _core.encode(how.storage, np.ascontiguousarray(x).reshape(-1), _bytes(code), _bytes(scale))
        return {"code": code, how.scale: scale} if how.scale else {"code": code}

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that stored, as encode gives it, stands for."""
        how = storages.kept(capability.rule, hyper)
        code = np.ascontiguousarray(stored["code"])
        if code.dtype != how.code:
            raise TypeError(f"code must be {how.code}, got {code.dtype}")
        scale = np.ascontiguousarray(stored[how.scale]) if how.scale else np.empty(0, np.float32)
        x = np.empty(code.size, np.float32)
        _core.decode(how.storage, _bytes(code), _bytes(scale), x)
        return x.reshape(stored["code"].shape)


def _bytes(array: Array) -> Array:
    return array.reshape(-1).view(np.uint8)


def _copied(arrays: Sequence[Array]) -> list[Array]:
    return [np.array(array, order="C", copy=True) for array in arrays]


def _step(
    rule: str, hypers: Sequence[Hyper], slots: Sequence[Slot], kept: Mapping[str, Kept]
) -> list[Stepped]:
    """One step on copies of slots whose hypers one kernel serves."""
    kernel = kernel_for(rule, hypers[0])
    params, grads = _copied([s.param for s in slots]), _copied([s.grad for s in slots])
    state = {name: _copied([s.state[name] for s in slots]) for name in _arrays(kernel, kept)}
    inputs = {name: _copied([s.inputs[name] for s in slots]) for name in kernel.inputs}
    numbers = {name: [float(s.state[name]) for s in slots] for name in kernel.numbers}
    plan = Plan(rule, params, grads, {**state, **inputs}, kept=kept, numbers=numbers)
    steps = [int(slot.state["t"]) + 1 for slot in slots]
    plan.step(hypers, steps)
    after = dict(state)
    for name, values in plan.numbers.items():
        before = [s.state[name] for s in slots]
        after[name] = [np.asarray(x, b.dtype) for x, b in zip(values, before, strict=True)]
    for name in slots[0].state.keys() - after.keys() - {"t"}:
        after[name] = _copied([s.state[name] for s in slots])
    return [
        Stepped(p, {"t": t, **{name: arrays[i] for name, arrays in after.items()}})
        for i, (p, t) in enumerate(zip(params, steps, strict=True))
    ]


def _arrays(kernel: RuleKernel, kept: Mapping[str, Kept]) -> list[str]:
    """The names of the state's arrays that the kernel steps."""
    names: list[str] = []
    for name in kernel.states:
        how = kept.get(name)
        names += [name] if how is None else [f"{name}_code"]
        if how is not None and how.scale:
            names.append(f"{name}_{how.scale}")
    return names

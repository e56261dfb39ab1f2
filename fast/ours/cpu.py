"""The C++ kernels as a backend to certify; ``truestep.fast.ours.cpu_plans`` steps them in place."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast import _core
from truestep.fast.ours import offered, slots, storages
from truestep.fast.ours.cpu_plans import Plan
from truestep.fast.ours.rule_kernels import RuleKernel
from truestep.fast.ours.storages import Kept
from truestep.fast.protocol import Array, Capability, Group, Slot, Stepped
from truestep.reference.declared import Hyper

__all__ = ["Backend", "Plan"]


class Backend:
    """TrueStep's own C++ kernels. Inputs are copied; nothing that is passed in is written."""

    name = "cpu"

    def capabilities(self) -> Sequence[Capability]:
        """Every rule that has a header, with each storage; the quantizers."""
        return offered.capabilities()

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step on every slot of every group, in one call for those of one kernel."""
        return slots.optimizer_step(capability, groups, _step)

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
    kernel: RuleKernel, hypers: Sequence[Hyper], given: Sequence[Slot], kept: Mapping[str, Kept]
) -> list[Stepped]:
    params, grads = _copied([s.param for s in given]), _copied([s.grad for s in given])
    names = slots.state_arrays(kernel, kept)
    state = {name: _copied([s.state[name] for s in given]) for name in names}
    inputs = {name: _copied([s.inputs[name] for s in given]) for name in kernel.inputs}
    numbers = slots.numbers_of(kernel, given)
    plan = Plan(kernel.rule, params, grads, {**state, **inputs}, kept=kept, numbers=numbers)
    plan.step(hypers, slots.steps_of(given))
    return slots.results(given, params, state, plan.numbers)

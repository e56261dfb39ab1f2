"""The C++ kernels as a backend to certify; ``truestep.fast.ours.cpu_plans`` steps them in place."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.ours import (
    factored,
    lbfgs,
    matrix,
    offered,
    quantizers,
    schedule_kernels,
    slots,
    storages,
    training_kernels,
)
from truestep.fast.ours.cpu_plans import Plan
from truestep.fast.ours.matrices import MATRICES
from truestep.fast.ours.rule_kernels import RuleKernel
from truestep.fast.ours.storages import Kept
from truestep.fast.protocol import (
    Array,
    Capability,
    Function,
    Group,
    Inputs,
    OptimizerCapability,
    Outputs,
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
        """Every rule that has kernels, with each storage; quantizers; schedules; pieces."""
        return [
            *offered.capabilities(),
            *factored.capabilities(),
            *matrix.capabilities(),
            *lbfgs.capabilities(),
            *schedule_kernels.capabilities(),
            *training_kernels.capabilities(),
        ]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step on every slot of every group, one call for each kernel and storage."""
        if not isinstance(capability, OptimizerCapability):
            raise TypeError(f"capability must be an optimizer's, got {capability!r}")
        if capability.rule in factored.rules():
            return factored.optimizer_step(capability, groups)
        if capability.rule in MATRICES:
            return matrix.optimizer_step(capability, groups)
        return slots.optimizer_step(capability, groups, _step)

    def minimizer_step(
        self, capability: Capability, hyper: Hyper, param: Array, state: State, function: Function
    ) -> Stepped:
        """One step of L-BFGS."""
        return lbfgs.minimizer_step(hyper, param, state, function)

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """The stored form of the float32 x: code, and for blocks their scales."""
        if x.dtype != np.float32:
            raise TypeError(f"x must be float32, got {x.dtype}")
        return quantizers.encode(capability.rule, hyper, x)

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that stored, as encode gives it, stands for."""
        return quantizers.decode(capability.rule, hyper, stored)

    def schedule_values(
        self, capability: Capability, hyper: Hyper, steps: Sequence[int]
    ) -> Sequence[float]:
        """The learning rate of the step after t steps made, for every t of steps."""
        return [float(x) for x in schedule_kernels.values(capability.rule, hyper, steps)]

    def training_piece(self, capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
        """The outputs of the piece on these inputs, by name."""
        return training_kernels.run(capability.rule, hyper, inputs)


def _copied(arrays: Sequence[Array]) -> list[Array]:
    return [np.array(array, order="C", copy=True) for array in arrays]


def _step(
    kernel: RuleKernel, hypers: Sequence[Hyper], given: Sequence[Slot], kept: Mapping[str, Kept]
) -> list[Stepped]:
    """One step on copies of slots that one kernel serves."""
    params, grads = _copied([s.param for s in given]), _copied([s.grad for s in given])
    names = slots.state_arrays(kernel, kept)
    state = {name: _copied([s.state[name] for s in given]) for name in names}
    packed = [f"{name}_code" for name in kernel.states if name in kept and kept[name].packed]
    state |= {name: [storages.packed_codes(code) for code in state[name]] for name in packed}
    inputs = {name: _copied([slots.given(s, name) for s in given]) for name in kernel.inputs}
    numbers = slots.numbers_of(kernel, given)
    # Of parameters in two parts the plan's state has the rests.
    rests = _copied([s.state["p_code"] for s in given]) if "p" in kept else []
    ways = {"params" if name == "p" else name: how for name, how in kept.items()}
    tensors = {**state, **inputs, **({"params_rest": rests} if "p" in kept else {})}
    plan = Plan(kernel.rule, params, grads, tensors, kept=ways, numbers=numbers)
    plan.step(hypers, slots.steps_of(given))
    if "p" in kept:
        state["p_code"] = rests
    for name in packed:
        pairs = zip(state[name], params, strict=True)
        state[name] = [storages.unpacked_codes(code, p.shape) for code, p in pairs]
    return slots.results(given, params, state, plan.numbers)

"""The protocol of backends on top of the CUDA kernels: the same for a GPU and for cuda_on_cpu."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from truestep.fast.ours import slots, storages
from truestep.fast.ours.cpu_plans import FLOAT32, GRADS, PARAMS
from truestep.fast.ours.cuda_plan import Buffer, Device, StepPlan, recode
from truestep.fast.ours.rule_kernels import RuleKernel
from truestep.fast.ours.storages import Kept
from truestep.fast.protocol import Array, Capability, DType, Group, Slot, Stepped, numpy_dtype
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS


def optimizer_step(
    device: Device, capability: Capability, groups: Sequence[Group]
) -> Sequence[Sequence[Stepped]]:
    """One step on copies of every slot of every group."""
    step = partial(_step, device, capability.format)
    return slots.optimizer_step(capability, groups, step)


def encode(device: Device, capability: Capability, hyper: Hyper, x: Array) -> dict[str, Array]:
    """The stored form of the float32 x: code, and for blocks their scales."""
    how = storages.kept(capability.rule, hyper)
    [source] = _uploaded(device, "x", [x], FLOAT32)
    stored = {"code": device.upload(np.zeros(x.shape, how.code))}
    if how.scale:
        stored[how.scale] = device.upload(np.zeros(how.blocks(x.size), FLOAT32))
    recode(device, "encode", how, source, list(stored.values()), x.size)
    return {name: device.download(buffer) for name, buffer in stored.items()}


def decode(
    device: Device, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]
) -> Array:
    """The float32 numbers that stored, as encode gives it, stands for."""
    how = storages.kept(capability.rule, hyper)
    code = stored["code"]
    given = _uploaded(device, "code", [code], how.code)
    if how.scale:
        blocks = how.blocks(code.size)
        if stored[how.scale].size != blocks:
            raise ValueError(
                f"{how.scale} must have {blocks} elements, got {stored[how.scale].size}"
            )
        given += _uploaded(device, how.scale, [stored[how.scale]], FLOAT32)
    x = device.upload(np.zeros(code.shape, FLOAT32))
    recode(device, "decode", how, x, given, code.size)
    return device.download(x)


def _uploaded(device: Device, name: str, arrays: Sequence[Array], dtype: DType) -> list[Buffer]:
    for array in arrays:
        if array.dtype != dtype:
            raise TypeError(f"{name} must be {dtype}, got {array.dtype}")
    return [device.upload(array) for array in arrays]


def _step(
    device: Device,
    format: str,
    kernel: RuleKernel,
    hypers: Sequence[Hyper],
    given: Sequence[Slot],
    kept: Mapping[str, Kept],
) -> list[Stepped]:
    dtype = numpy_dtype(format)
    buffers = {
        PARAMS: _uploaded(device, "param", [s.param for s in given], dtype),
        GRADS: _uploaded(device, "grad", [s.grad for s in given], dtype),
    }
    codes = {f"{name}_code": how.code for name, how in kept.items()}
    state = slots.state_arrays(kernel, kept)
    for name in state:
        arrays = [s.state[name] for s in given]
        buffers[name] = _uploaded(device, name, arrays, codes.get(name, FLOAT32))
    for name in kernel.inputs:
        arrays = [slots.given(s, name) for s in given]
        travels = name in OPTIMIZERS[kernel.rule].FACTS.inputs
        buffers[name] = _uploaded(device, name, arrays, dtype if travels else FLOAT32)
    addresses = {name: [b.address for b in column] for name, column in buffers.items()}
    sizes = [s.param.size for s in given]
    numbers = slots.numbers_of(kernel, given)
    plan = StepPlan(device, kernel.rule, format, addresses, sizes, kept, numbers)
    plan.step(hypers, slots.steps_of(given))
    after = {name: [device.download(b) for b in buffers[name]] for name in (PARAMS, *state)}
    return slots.results(given, after.pop(PARAMS), after, plan.numbers)

"""flashoptim's optimizers and quantizers as modules that need no device.

By Triton's interpreter NumPy runs what a GPU would run, and hyperparameters stay Python's doubles.
In the place of the device's own power, which the interpreter lacks, is Python's.
"""

import os
from collections.abc import Callable

import numpy as np
import torch

# Read where a kernel is declared.
os.environ["TRITON_INTERPRET"] = "1"

from flashoptim import optimizers

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Group, Slot, Stepped

# Of several block sizes the first: there is no device to time them on, nor to count processors of.
for _kernel in (optimizers._triton_quantize_kernel, optimizers._triton_dequantize_kernel):
    _kernel.configs = _kernel.configs[:1]
optimizers._get_sm_count = lambda device=None: 1
optimizers.libdevice.pow = lambda base, step: base ** int(np.ravel(step.handle.data)[0])


def quantized(x: Array, *, signed: bool, **options: bool) -> tuple[Array, Array]:
    """Codes and scales; as the library's optimizers do, what lies in line is handed over."""
    code, scale = optimizers.quantize(to_tensor(x.reshape(-1).copy()), signed=signed, **options)
    return from_tensor(code).view(np.uint8).reshape(x.shape), from_tensor(scale)


def read(code: Array, scale: Array, *, signed: bool, **options: bool) -> Array:
    """The numbers that these stand for."""
    kept = to_tensor(code.reshape(-1).copy().view(np.int8 if signed else np.uint8))
    back = optimizers.dequantize(kept, to_tensor(scale), signed=signed, **options)
    return from_tensor(back).reshape(code.shape)


# The state's tensors as the kernels take them, and as integers of what type.
SIGNED = {"m": np.int8, "v": np.uint8}


def _taken(slot: Slot, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    code = slot.state[f"{name}_code"].reshape(-1).copy().view(SIGNED[name])
    return to_tensor(code), to_tensor(slot.state[f"{name}_scale"].copy())


def _left(slot: Slot, name: str, kept: tuple[torch.Tensor, torch.Tensor]) -> dict[str, Array]:
    code = from_tensor(kept[0]).reshape(slot.param.shape).view(np.uint8)
    return {f"{name}_code": code, f"{name}_scale": from_tensor(kept[1])}


def stepped(slot: Slot, names: str, step: Callable[..., None]) -> Stepped:
    """One step; it is given the parameter, the gradient, and each moment with its scales."""
    param, grad = (to_tensor(x.reshape(-1).copy()) for x in (slot.param, slot.grad))
    kept = {name: _taken(slot, name) for name in names}
    if slot.param.size:
        step(param, grad, *(x for name in names for x in kept[name]))
    state: dict[str, Array | int] = {"t": slot.state["t"] + 1}
    for name in names:
        state |= _left(slot, name, kept[name])
    return Stepped(from_tensor(param).reshape(slot.param.shape), state)


def adamw(group: Group, slot: Slot) -> Stepped:
    """The step of FlashAdamW, as its class calls it."""
    h, t = group.hyper, slot.state["t"] + 1

    def step(param: torch.Tensor, grad: torch.Tensor, *moments: torch.Tensor) -> None:
        optimizers._fused_adam_step(
            *moments, param, -grad if h.maximize else grad, None, h.lr, h.beta1, h.beta2, h.eps,
            h.weight_decay * h.lr, True, t,
        )  # fmt: skip

    return stepped(slot, "mv", step)


def lion(group: Group, slot: Slot) -> Stepped:
    """The step of FlashLion."""
    h = group.hyper

    def step(param: torch.Tensor, grad: torch.Tensor, *moment: torch.Tensor) -> None:
        optimizers._fused_momentum_step(
            *moment, param, -grad if h.maximize else grad, None, h.lr, h.beta2, h.beta1,
            h.weight_decay * h.lr, do_lion=True,
        )  # fmt: skip

    return stepped(slot, "m", step)

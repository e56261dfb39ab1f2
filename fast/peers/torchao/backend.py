"""torchao on the CPU: block-wise dynamic 8-bit quantization, Adam and AdamW on 8-bit moments and,
as its optimizers keep them of small tensors, on moments of the parameter's format; and stochastic
rounding to bfloat16.

torchao quantizes tensors of whole blocks only; tensors are extended by zeros to whole blocks, and
then cut again, which changes neither a block's largest magnitude nor an element's step. Empty
tensors, of which it keeps no quantized state, do not reach it.
The step is single_param_adam, which torchao compiles; "eager" runs it uncompiled. Functions of the
counter are float32, and so are those of lr, which has to be a tensor.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from truestep.fast.peers.bitsandbytes.backend import map_dialect
from truestep.fast.peers.torch_arrays import from_tensor, import_torch, to_tensor
from truestep.fast.protocol import (
    Array,
    BackendUnavailable,
    Capability,
    Group,
    Slot,
    Stepped,
)
from truestep.reference.quantizers import dynamic_8bit

# By format of the parameters, and of the moments that are not quantized.
ARITHMETIC = {
    "bfloat16": "float32_hyper_bfloat16_storage",
    "float16": "float32_hyper_float16_storage",
    "float32": "float32_hyper",
}
# Rules on moments that are not quantized, by variant: what differs from the reference's defaults.
PLAIN: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("adam", "eager", {}),
    ("adamw", "eager", {"decay": "in_step"}),
    ("amsgrad", "adamw_eager", {"bias_correction": "both", "decay": "in_step"}),
    ("amsgrad", "eager", {"bias_correction": "both"}),
)
# scale_tensor clips the scale from below, in float32.
FLOOR = float(np.float32(1e-12))
SIGNED_ZERO = dynamic_8bit.code_of_zero(dynamic_8bit.Hyper(signed=True))


class Backend:
    """torchao's low-bit optimizers, uncompiled."""

    name = "torchao"

    def __init__(self) -> None:
        self._torch = import_torch()
        try:
            self._adam = importlib.import_module("torchao.optim.adam")
            self._quantize = importlib.import_module("torchao.optim.quant_utils")
            self._subclass = importlib.import_module("torchao.optim.subclass_8bit")
        except Exception as error:
            raise BackendUnavailable(f"torchao cannot be imported: {error}") from error
        self._maps = {
            signed: self._torch.tensor(self._quantize.create_dynamic_map(signed=signed))
            for signed in (True, False)
        }
        self._map = map_dialect(self._maps[True].double().numpy())

    def capabilities(self) -> tuple[Capability, ...]:
        """The 8-bit quantizer and optimizers, the plain optimizers, and the stochastic cast."""
        shared = {"map": self._map, "ties": "upper"}
        on_codes = (
            Capability(
                kind="optimizer",
                rule="adamw_8bit",
                arithmetic="float32_hyper",
                dialect={**shared, "decay": decay},
                fixed={"absmax_floor": FLOOR, "maximize": False},
                variant=variant,
            )
            for variant, decay in (("adam_eager", "coupled"), ("eager", "in_step"))
        )
        plain = (
            Capability(
                kind="optimizer",
                rule=rule,
                format=format,
                arithmetic=arithmetic,
                dialect=dialect,
                fixed={"maximize": False},
                variant=variant,
                level="smoke" if format == "float32" else "standard",
            )
            for rule, variant, dialect in PLAIN
            for format, arithmetic in ARITHMETIC.items()
        )
        return (
            Capability(
                kind="quantizer",
                rule="dynamic_8bit",
                dialect=shared,
                fixed={"absmax_floor": FLOOR},
            ),
            Capability(
                kind="quantizer",
                rule="bfloat16",
                dialect={"rounding": "stochastic"},
                variant="stochastic",
            ),
            *on_codes,
            *plain,
        )

    def encode(self, capability: Capability, hyper: Any, x: Array) -> Mapping[str, Array]:
        """The codes of x and, of blocks, their scale."""
        torch = self._torch
        if capability.rule == "bfloat16":
            rounded = self._quantize._fp32_to_bf16_sr(to_tensor(torch, x))
            return {"code": rounded.view(torch.int16).numpy().view(np.uint16)}
        if not x.size:
            return {"code": np.zeros(x.shape, np.uint8), "absmax": np.zeros(0, np.float32)}
        scaled, scale = self._quantize.scale_tensor(
            to_tensor(torch, _whole(x, hyper.block_size)), hyper.block_size
        )
        code = self._quantize.quantize_8bit_with_qmap(scaled, self._maps[hyper.signed])
        return {
            "code": from_tensor(torch, code)[: x.size].reshape(x.shape),
            "absmax": from_tensor(torch, scale),
        }

    def decode(self, capability: Capability, hyper: Any, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that the codes stand for."""
        torch, code = self._torch, stored["code"]
        if capability.rule == "bfloat16":
            tensor = torch.from_numpy(code.view(np.int16).copy()).view(torch.bfloat16)
            return from_tensor(torch, tensor.float())
        if not code.size:
            return np.zeros(code.shape, np.float32)
        decoded = self._quantize.dequant_with_qmap(
            to_tensor(torch, _whole(code, hyper.block_size)),
            self._maps[hyper.signed],
            to_tensor(torch, stored["absmax"]),
        )
        return from_tensor(torch, decoded)[: code.size].reshape(code.shape)

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step of Adam8bit or AdamW8bit on every slot, its moments quantized or not."""
        step = self._coded_step if capability.rule == "adamw_8bit" else self._plain_step
        adamw = capability.dialect.get("decay") == "in_step"
        return [[step(group.hyper, slot, adamw) for slot in group.slots] for group in groups]

    def _plain_step(self, hyper: Any, slot: Slot, adamw: bool) -> Stepped:
        torch = self._torch
        param, grad = to_tensor(torch, slot.param), to_tensor(torch, slot.grad)
        moments = {k: to_tensor(torch, x) for k, x in slot.state.items() if k != "t"}
        t = self._update(hyper, slot, param, grad, moments, adamw)
        state = {name: from_tensor(torch, moment) for name, moment in moments.items()}
        return Stepped(from_tensor(torch, param), {**state, "t": t})

    def _update(
        self,
        hyper: Any,
        slot: Slot,
        param: Any,
        grad: Any,
        moments: Mapping[str, Any],
        adamw: bool,
    ) -> int:
        """param and moments moved by a step; the number of steps as the library counts them."""
        torch = self._torch
        step = torch.tensor(float(slot.state["t"] + 1))
        with torch.no_grad():
            self._adam.single_param_adam(
                param,
                grad,
                step,
                moments["m"],
                moments["v"],
                moments.get("v_max"),
                torch.tensor(hyper.lr, dtype=torch.float32),
                hyper.beta1,
                hyper.beta2,
                hyper.weight_decay,
                hyper.eps,
                adamw,
                False,
            )
        return int(step.item())

    def _coded_step(self, hyper: Any, slot: Slot, adamw: bool) -> Stepped:
        torch, size, shape = self._torch, slot.param.size, slot.param.shape
        if not size:
            kept = {name: x if name == "t" else x.copy() for name, x in slot.state.items()}
            return Stepped(slot.param.copy(), {**kept, "t": slot.state["t"] + 1})
        block = hyper.block_size
        param = to_tensor(torch, _whole(slot.param, block))
        moments = {
            name: self._subclass.OptimState8bit(
                to_tensor(torch, _whole(slot.state[f"{name}_code"], block, zero)),
                to_tensor(torch, slot.state[f"{name}_absmax"]),
                self._maps[name == "m"],
                name == "m",
                dtype=torch.float32,
            )
            for name, zero in (("m", SIGNED_ZERO), ("v", 0))
        }
        grad = to_tensor(torch, _whole(slot.grad, block))
        state: dict[str, Any] = {"t": self._update(hyper, slot, param, grad, moments, adamw)}
        for name, moment in moments.items():
            state[f"{name}_code"] = from_tensor(torch, moment.codes)[:size].reshape(shape)
            state[f"{name}_absmax"] = from_tensor(torch, moment.scale)
        return Stepped(from_tensor(torch, param)[:size].reshape(shape), state)


def _whole(x: Array, block: int, fill: int = 0) -> Array:
    """x in C order, extended to whole blocks."""
    out = np.full(-(-x.size // block) * block, fill, x.dtype)
    out[: x.size] = x.reshape(-1)
    return out

"""flashoptim's quantize and dequantize on the CPU: its Triton kernels, run by the interpreter.

Its optimizers refuse to keep states in 8 bits, or parameters in two parts, without a CUDA device.
"""

import os
from collections.abc import Mapping

import numpy as np

# Read where a kernel is declared: by the interpreter what a GPU would run is run in NumPy.
os.environ["TRITON_INTERPRET"] = "1"

from flashoptim import optimizers

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Capability, QuantizerCapability
from truestep.reference.declared import Hyper

# Of several block sizes the first: there is no device to time them on, nor to count processors of.
for _kernel in (optimizers._triton_quantize_kernel, optimizers._triton_dequantize_kernel):
    _kernel.configs = _kernel.configs[:1]
optimizers._get_sm_count = lambda device=None: 1

LEAST = float(np.float32(1e-12))
# Triton's maximum passes over a nan.
DIALECT = {"nan": "ignore", "rounding": "half_up"}
# By the reference's name: first moments and second ones.
OPTIONS = {
    "softsign_8bit": {"signed": True, "softsign": True, "sqrt": False},
    "sqrt_8bit": {"signed": False, "softsign": False, "sqrt": True},
}


class Backend:
    """Both companded formats."""

    name = "flashoptim"

    def capabilities(self) -> tuple[Capability, ...]:
        """One each."""
        return tuple(
            QuantizerCapability(rule=rule, dialect=DIALECT, fixed={"least": LEAST})
            for rule in OPTIONS
        )

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """Codes and scales; as its optimizers do, what lies in line is handed over."""
        in_line = to_tensor(x.reshape(-1).copy())
        code, scale = optimizers.quantize(in_line, **OPTIONS[capability.rule])
        return {
            "code": from_tensor(code).view(np.uint8).reshape(x.shape),
            "scale": from_tensor(scale),
        }

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The numbers that these stand for."""
        options = OPTIONS[capability.rule]
        code = stored["code"].reshape(-1).copy().view(np.int8 if options["signed"] else np.uint8)
        back = optimizers.dequantize(to_tensor(code), to_tensor(stored["scale"]), **options)
        return from_tensor(back).reshape(stored["code"].shape)

"""flashoptim on the CPU: its Triton kernels, run by the interpreter.

AdamW and Lion of float32 parameters with moments in 8 bits, and the formats of these moments. Its
classes refuse them without a CUDA device before they call these kernels. Left out: SGD, Adam and
loading of states; parameters in bfloat16 with a rest, since the interpreter cuts off what a device
rounds to bfloat16.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.peers.flashoptim import kernels
from truestep.fast.protocol import (
    Array,
    Capability,
    Group,
    OptimizerCapability,
    QuantizerCapability,
    Stepped,
    Storage,
)
from truestep.reference.declared import Hyper

# Triton's maximum passes over a nan.
DIALECT = {"nan": "ignore", "rounding": "half_up"}
LEAST = float(np.float32(1e-12))
# By the reference's name: first moments and second ones.
OPTIONS = {
    "softsign_8bit": {"signed": True, "softsign": True, "sqrt": False},
    "sqrt_8bit": {"signed": False, "softsign": False, "sqrt": True},
}
KEPT = {
    name: Storage(rule, {"least": LEAST, **DIALECT})
    for name, rule in zip("mv", OPTIONS, strict=True)
}
RULES = {
    "adamw": (kernels.adamw, "mv", {"decay": "before"}),
    "lion": (kernels.lion, "m", {"nan_sign": "zero"}),
}


def _step(rule: str) -> OptimizerCapability:
    _, names, dialect = RULES[rule]
    return OptimizerCapability(
        rule=rule, dialect=dialect, theorems=False, storage={name: KEPT[name] for name in names}
    )


class Backend:
    """Both companded formats, and both rules on them."""

    name = "flashoptim"

    def capabilities(self) -> tuple[Capability, ...]:
        """Formats, then rules."""
        formats = (
            QuantizerCapability(rule=rule, dialect=DIALECT, fixed={"least": LEAST})
            for rule in OPTIONS
        )
        return (*formats, *map(_step, RULES))

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """Codes and scales, of numbers times 1: NumPy's maximum passes over no signaling nan."""
        with np.errstate(invalid="ignore"):
            code, scale = kernels.quantized(x * np.float32(1), **OPTIONS[capability.rule])
        return {"code": code, "scale": scale}

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The numbers that these stand for."""
        return kernels.read(stored["code"], stored["scale"], **OPTIONS[capability.rule])

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """One step of every tensor."""
        step = RULES[capability.rule][0]
        return [[step(group, slot) for slot in group.slots] for group in groups]

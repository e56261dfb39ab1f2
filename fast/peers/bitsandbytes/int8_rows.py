"""LLM.int8's rows in bitsandbytes: int8_vectorwise_quant and int8_vectorwise_dequant, no outliers.

Arithmetic, from bitsandbytes/backends/default/ops.py and _ops.py: x times 127 / absmax, in float32;
decoded, the product of code and absmax times 1 / 127. Both take matrices alone.
"""

from collections.abc import Mapping

import numpy as np
from bitsandbytes import functional

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, QuantizerCapability

RULE = "int8_rows"


def capability() -> QuantizerCapability:
    """absmax is what the library keeps of a row."""
    return QuantizerCapability(
        rule=RULE, dialect={"kept": "absmax", "normalise": "inverse"}, fixed={"least": 0.0}
    )


def encode(x: Array) -> Mapping[str, Array]:
    """The codes of x, as the bytes of its integers, and the absmax of every row."""
    if not x.size:
        # Matrices without columns are refused: see findings.toml.
        return {"code": np.zeros(x.shape, np.uint8), "scale": np.zeros(0, np.float32)}
    code, absmax, _ = functional.int8_vectorwise_quant(to_tensor(_matrix(x)))
    return {"code": from_tensor(code).view(np.uint8).reshape(x.shape), "scale": from_tensor(absmax)}


def decode(stored: Mapping[str, Array]) -> Array:
    """The float32 numbers that the codes stand for."""
    code = stored["code"]
    if not code.size:
        return np.zeros(code.shape, np.float32)
    decoded = functional.int8_vectorwise_dequant(
        to_tensor(_matrix(code.view(np.int8))), to_tensor(stored["scale"])
    )
    return from_tensor(decoded).reshape(code.shape)


def _matrix(x: Array) -> Array:
    """The array itself where it is a matrix, else its rows."""
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-1] if x.ndim else 1)

"""Types of the compiled module; truestep.fast.cpu_plans is the interface to use."""

import numpy as np
from numpy.typing import NDArray

class DynamicMap:
    def __init__(self, values: NDArray[np.float32]) -> None: ...

def instruction_sets() -> list[str]: ...
def instruction_set() -> str: ...
def set_instruction_set(name: str) -> None: ...
def pieces(
    sizes: NDArray[np.int64], granule: int, part: int, parts: int
) -> list[tuple[int, int, int]]: ...
def bfloat16_encode(x: NDArray[np.float32], code: NDArray[np.uint16], threads: int = 0) -> None: ...
def bfloat16_decode(code: NDArray[np.uint16], x: NDArray[np.float32], threads: int = 0) -> None: ...
def quantize(
    map: DynamicMap,
    x: NDArray[np.float32],
    code: NDArray[np.uint8],
    absmax: NDArray[np.float32],
    block_size: int,
    threads: int = 0,
) -> None: ...
def dequantize(
    map: DynamicMap,
    code: NDArray[np.uint8],
    absmax: NDArray[np.float32],
    x: NDArray[np.float32],
    block_size: int,
    threads: int = 0,
) -> None: ...
def adamw_constants(
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
    t: float,
) -> list[float]: ...
def adamw_float32(
    p: NDArray[np.int64],
    g: NDArray[np.int64],
    m: NDArray[np.int64],
    v: NDArray[np.int64],
    sizes: NDArray[np.int64],
    constants: NDArray[np.float32],
    constant_index: NDArray[np.int32],
    threads: int = 0,
) -> None: ...
def adamw_bfloat16(
    p: NDArray[np.int64],
    g: NDArray[np.int64],
    m: NDArray[np.int64],
    v: NDArray[np.int64],
    sizes: NDArray[np.int64],
    constants: NDArray[np.float32],
    constant_index: NDArray[np.int32],
    threads: int = 0,
) -> None: ...
def adamw_8bit(
    p: NDArray[np.int64],
    g: NDArray[np.int64],
    m_code: NDArray[np.int64],
    m_absmax: NDArray[np.int64],
    v_code: NDArray[np.int64],
    v_absmax: NDArray[np.int64],
    sizes: NDArray[np.int64],
    constants: NDArray[np.float32],
    constant_index: NDArray[np.int32],
    m_map: DynamicMap,
    v_map: DynamicMap,
    block_size: int,
    threads: int = 0,
) -> None: ...
def stream_float32(
    p: NDArray[np.int64],
    g: NDArray[np.int64],
    m: NDArray[np.int64],
    v: NDArray[np.int64],
    sizes: NDArray[np.int64],
    constants: NDArray[np.float32],
    constant_index: NDArray[np.int32],
    threads: int = 0,
) -> None: ...
def stream_8bit(
    p: NDArray[np.int64],
    g: NDArray[np.int64],
    m_code: NDArray[np.int64],
    m_absmax: NDArray[np.int64],
    v_code: NDArray[np.int64],
    v_absmax: NDArray[np.int64],
    sizes: NDArray[np.int64],
    constants: NDArray[np.float32],
    constant_index: NDArray[np.int32],
    threads: int = 0,
) -> None: ...

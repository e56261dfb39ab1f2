"""Types of the compiled module; truestep.fast.ours.cpu_plans is the interface to use."""

from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

_Codes: TypeAlias = NDArray[np.uint8]
_Floats: TypeAlias = NDArray[np.float32]
_Table: TypeAlias = NDArray[np.int64]

class DynamicMap:
    def __init__(self, values: _Floats) -> None: ...

def instruction_sets() -> list[str]: ...
def instruction_set() -> str: ...
def set_instruction_set(name: str) -> None: ...
def pieces(sizes: _Table, granule: int, part: int, parts: int) -> list[tuple[int, int, int]]: ...
def bfloat16_encode(x: _Floats, code: NDArray[np.uint16], threads: int = 0) -> None: ...
def bfloat16_decode(code: NDArray[np.uint16], x: _Floats, threads: int = 0) -> None: ...
def quantize(
    map: DynamicMap, x: _Floats, code: _Codes, absmax: _Floats, block_size: int, threads: int = 0
) -> None: ...
def dequantize(
    map: DynamicMap, code: _Codes, absmax: _Floats, x: _Floats, block_size: int, threads: int = 0
) -> None: ...
def adamw_constants(
    lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, maximize: bool, t: float
) -> list[float]: ...

class _Step(Protocol):
    def __call__(
        self,
        p: _Table,
        g: _Table,
        m: _Table,
        v: _Table,
        sizes: _Table,
        constants: _Floats,
        constant_index: NDArray[np.int32],
        threads: int = 0,
    ) -> None: ...

class _Step8bit(Protocol):
    def __call__(
        self,
        p: _Table,
        g: _Table,
        m_code: _Table,
        m_absmax: _Table,
        v_code: _Table,
        v_absmax: _Table,
        sizes: _Table,
        constants: _Floats,
        constant_index: NDArray[np.int32],
        m_map: DynamicMap,
        v_map: DynamicMap,
        block_size: int,
        threads: int = 0,
    ) -> None: ...

adamw_float32: _Step
adamw_bfloat16: _Step
adamw_8bit: _Step8bit
stream_float32: _Step
stream_8bit: _Step8bit

"""Types of the compiled module; truestep.fast.ours.cpu_plans is the interface to use."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

_Bytes: TypeAlias = NDArray[np.uint8]
_Doubles: TypeAlias = NDArray[np.float64]
_Floats: TypeAlias = NDArray[np.float32]
_Table: TypeAlias = NDArray[np.int64]

class DynamicMap:
    def __init__(self, values: _Floats) -> None: ...

def instruction_sets() -> list[str]: ...
def instruction_set() -> str: ...
def set_instruction_set(name: str) -> None: ...
def pieces(sizes: _Table, granule: int, part: int, parts: int) -> list[tuple[int, int, int]]: ...

class Storage:
    def __init__(
        self, name: str, block_size: int = 1, map: DynamicMap | None = None, seed: int = 0
    ) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def block_size(self) -> int: ...
    @property
    def values(self) -> list[float]: ...

def encode(storage: Storage, x: _Floats, code: _Bytes, scale: _Bytes, threads: int = 0) -> None: ...
def decode(storage: Storage, code: _Bytes, scale: _Bytes, x: _Floats, threads: int = 0) -> None: ...
def rule_kernels() -> list[tuple[str, str, str, str, str, str, str, int]]: ...

class _Step(Protocol):
    def __call__(
        self,
        kernel: int,
        storages: Sequence[Storage],
        addresses: _Table,
        sizes: _Table,
        rows: NDArray[np.int32],
        hyper: _Doubles,
        steps: _Doubles,
        numbers: _Doubles,
        threads: int = 0,
    ) -> None: ...

step: _Step
stream: _Step

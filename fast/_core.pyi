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

class SmallFloat:
    def __init__(
        self,
        fraction_bits: int,
        min_exponent: int,
        largest: int,
        overflow: int,
        minus_zero: bool,
        nan: int,
        negative_nan: int,
        own_nan: int,
        beyond: int,
        limit: int,
        away: int,
    ) -> None: ...

class PowerOfTwo:
    def __init__(
        self,
        emax: int,
        cut: int,
        even: bool,
        zero: int,
        beyond: int,
        infinite: int,
        negative_nan: bool,
    ) -> None: ...

class BlockFormat:
    signed: bool
    drawn: bool
    keeps_absmax: bool
    largest: float
    least: float
    level: float
    level_divides: bool
    of_zero: int
    powers: PowerOfTwo

    def __init__(
        self, values: _Floats, codes: _Bytes, keys: NDArray[np.int32], scale: str
    ) -> None: ...
    def round_to_floats(self, number: SmallFloat) -> None: ...
    def round_to_integers(self, steps: float, low: float, high: float, mask: int) -> None: ...
    def choose(self, normalise: str, power: str, four_over_six: str) -> None: ...

class AffineFormat:
    def __init__(
        self,
        bits: int,
        minimum: bool,
        reciprocal: bool,
        own_range: bool,
        sum_first: bool,
        least: float,
        of_zero: float,
    ) -> None: ...

class Grouping:
    def __init__(self, rows: int, columns: int, down: int, across: int) -> None: ...

class Storage:
    def __init__(
        self,
        name: str,
        block_size: int = 1,
        map: DynamicMap | None = None,
        number: SmallFloat | None = None,
        power: PowerOfTwo | None = None,
        format: BlockFormat | None = None,
    ) -> None: ...
    def seeded(self, seed: int) -> Storage: ...
    @property
    def name(self) -> str: ...
    @property
    def block_size(self) -> int: ...
    @property
    def values(self) -> list[float]: ...

def encode(storage: Storage, x: _Floats, code: _Bytes, scale: _Bytes, threads: int = 0) -> None: ...
def decode(storage: Storage, code: _Bytes, scale: _Bytes, x: _Floats, threads: int = 0) -> None: ...
def encode_groups(
    storage: Storage, grouping: Grouping, x: _Floats, code: _Bytes, scale: _Bytes, threads: int = 0
) -> None: ...
def decode_groups(
    storage: Storage, grouping: Grouping, code: _Bytes, scale: _Bytes, x: _Floats, threads: int = 0
) -> None: ...
def encode_affine(
    format: AffineFormat,
    grouping: Grouping,
    x: _Floats,
    code: _Bytes,
    scale: _Bytes,
    second: _Bytes,
    threads: int = 0,
) -> None: ...
def decode_affine(
    format: AffineFormat,
    grouping: Grouping,
    code: _Bytes,
    scale: _Bytes,
    second: _Bytes,
    x: _Floats,
    threads: int = 0,
) -> None: ...
def schedules() -> list[tuple[str, str]]: ...
def schedule_values(kernel: int, hyper: _Doubles, steps: _Table, values: _Doubles) -> None: ...
def training_kernels() -> list[tuple[str, str, str, str, str, str, str]]: ...
def train(
    kernel: int,
    hyper: _Doubles,
    given: _Doubles,
    numbers: _Doubles,
    sizes: _Table,
    units: _Table,
    inputs: _Table,
    outputs: _Table,
    threads: int = 0,
) -> None: ...
def rule_kernels() -> list[tuple[str, str, str, str, str, str, str, int]]: ...
def factored_kernels() -> list[tuple[str, str, str, str, str, str, str]]: ...
def factored_step(
    kernel: int,
    storages: Sequence[Storage],
    addresses: _Table,
    views: _Table,
    rows: NDArray[np.int32],
    hyper: _Doubles,
    steps: _Doubles,
    threads: int = 0,
) -> None: ...

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

"""How fast the C++ kernels are, as ratios to the memory traffic alone and to installed libraries.

Everything is measured in one process, in rounds that visit each contender in turn: a ratio is
formed within a round, and the median over the rounds is reported. Absolute times depend on what
else the machine does; the ratios depend on it much less.

Every contender steps tensors of its own, with the same numbers and the library's default of
threads, and its state is what its earlier steps left. The single tensors are larger than caches.
The memory traffic alone goes through the arrays in the fastest order that we know, a short run of
one after another, as our steps do: through all of them at once it can take a quarter longer.
"""

import gc
import importlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from truestep.fast import _core
from truestep.fast.ours.cpu_plans import AdamW, AdamW8bit
from truestep.fast.protocol import Array
from truestep.reference.optimizers import adamw

HYPER = adamw.Hyper(decay="before")
BLOCK_SIZE = 256


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: how many times as long as our step the other takes, median over rounds.

    low and high: the least and the greatest ratio of a round. ours_ms, other_ms: medians over the
    rounds of a round's fastest call, in milliseconds. bytes: memory that our step reads and writes.
    """

    name: str
    against: str
    median_ratio: float
    low: float
    high: float
    ours_ms: float
    other_ms: float
    bytes: int


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A contender that could not be measured, with the reason."""

    name: str
    against: str
    reason: str


Contender = Callable[[], object]


def normals(sizes: list[int], seed: int) -> list[NDArray[np.float32]]:
    """Float32 tensors of normal numbers."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(size, dtype=np.float32) for size in sizes]


def ours(plan: AdamW | AdamW8bit) -> Contender:
    """The steps 1, 2, 3, ... of a plan."""
    calls = itertools.count(1)
    return lambda: plan.step(HYPER, next(calls))


def float32_contenders(sizes: list[int]) -> Iterator[tuple[str, Callable[[], Contender]]]:
    """Our float32 step, its memory traffic, and torch's fused step; each builds its own tensors."""

    def plan() -> AdamW:
        params, grads, m, v = (normals(sizes, seed) for seed in range(4))
        for x in v:
            np.square(x, out=x)
        return AdamW(params, grads, m, v)

    yield "ours", lambda: ours(plan())
    yield "memory traffic alone", lambda: plan().stream
    yield "torch fused", lambda: torch_step("torch.optim", "AdamW", sizes, fused=True)


def contenders_8bit(sizes: list[int]) -> Iterator[tuple[str, Callable[[], Contender]]]:
    """Our 8-bit step, its memory traffic, and the CPU paths of bitsandbytes and torchao."""

    def moment() -> tuple[list[Array], list[Array]]:
        blocks = [-(-size // BLOCK_SIZE) for size in sizes]
        return [np.zeros(n, np.uint8) for n in sizes], [np.zeros(n, np.float32) for n in blocks]

    def plan() -> AdamW8bit:
        params, grads = normals(sizes, 0), normals(sizes, 1)
        return AdamW8bit(params, grads, *moment(), *moment(), BLOCK_SIZE)

    yield "ours", lambda: ours(plan())
    yield "memory traffic alone", lambda: plan().stream
    yield "bitsandbytes", lambda: torch_step("bitsandbytes.optim", "AdamW8bit", sizes)
    yield "torchao", lambda: torch_step("torchao.optim", "AdamW8bit", sizes)


def torch_step(module: str, name: str, sizes: list[int], **options: bool) -> Contender:
    """The step of a torch.optim.Optimizer over parameters that hold their gradients."""
    torch = importlib.import_module("torch")
    params = [torch.from_numpy(x).requires_grad_() for x in normals(sizes, 0)]
    for param, grad in zip(params, normals(sizes, 1), strict=True):
        param.grad = torch.from_numpy(grad)
    optimizer = getattr(importlib.import_module(module), name)(params, lr=1e-3, **options)
    step: Contender = optimizer.step
    return step


def fastest(contender: Contender, calls: int) -> float:
    """Seconds of the fastest of some calls, after one that wakes threads and fills caches."""
    contender()
    best = float("inf")
    for _ in range(calls):
        start = time.perf_counter()
        contender()
        best = min(best, time.perf_counter() - start)
    return best


def compared(
    name: str,
    contenders: Iterator[tuple[str, Callable[[], Contender]]],
    bytes: int,
    rounds: int,
    calls: int,
) -> Iterator[Row | NotMeasured]:
    """Rows of the others against the first, which is ours."""
    built: dict[str, Contender] = {}
    for other, build in contenders:
        try:
            built[other] = build()
            built[other]()
        except Exception as error:
            # Another library's failure is a line of the table, whatever it raises.
            built.pop(other, None)
            reason = str(error).strip().splitlines() or [""]
            yield NotMeasured(name, other, f"{type(error).__name__}: {reason[0]}")
    seconds: dict[str, list[float]] = {other: [] for other in built}
    for _ in range(rounds):
        for other, contender in built.items():
            seconds[other].append(fastest(contender, calls))
    median = statistics.median
    own = seconds.pop("ours")
    for other, theirs in seconds.items():
        ratios = [b / a for a, b in zip(own, theirs, strict=True)]
        least, most, usual = min(ratios), max(ratios), median(ratios)
        yield Row(name, other, usual, least, most, 1e3 * median(own), 1e3 * median(theirs), bytes)


def rows(rounds: int = 9) -> Iterator[Row | NotMeasured]:
    """Every comparison, once it is measured; about a minute, and more where torch compiles."""
    gc.collect()
    large, many = [2**24], [1000] * 1000
    yield from compared("adamw 2^24", float32_contenders(large), 28 * sum(large), rounds, 5)
    yield from compared("adamw 1000 x 1000", float32_contenders(many), 28 * sum(many), rounds, 10)
    yield from compared("adamw 8bit 2^24", contenders_8bit(large), 16 * sum(large), rounds, 3)


def environment() -> Mapping[str, str]:
    """What the numbers depend on."""
    return {"instruction_set": _core.instruction_set(), "numpy": np.__version__}

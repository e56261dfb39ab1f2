"""Speed of the CUDA kernels on a GPU, as shares of the bandwidth of a device copy.

``python -m truestep.fast.ours.cuda_bench`` prints one JSON document. Every number is the median of
REPEATS timings between two events; peers (torch fused, bitsandbytes) are timed where installed, in
the same process.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from truestep.fast.ours import cuda
from truestep.fast.protocol import BackendUnavailable
from truestep.reference.optimizers import adamw

if TYPE_CHECKING:
    from cupy import ndarray

REPEATS = 20
ELEMENTS = 2**26
MANY = (1000, 1000)  # tensors, elements of each
BLOCK_SIZE = 256
# Bytes read and written per element, scales of blocks included.
BYTES = {"adamw float32": 28, "adamw bfloat16": 22, "adamw 8bit": 16 + 4 * 4 / BLOCK_SIZE}


def seconds(call: Callable[[], object]) -> float:
    """The median time of a call on the GPU, after three that are not counted."""
    cupy = cuda.cupy()
    for _ in range(3):
        call()
    times: list[float] = []
    for _ in range(REPEATS):
        start, stop = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        call()
        stop.record()
        stop.synchronize()
        times.append(cupy.cuda.get_elapsed_time(start, stop) / 1e3)
    return statistics.median(times)


def copy_bandwidth() -> float:
    """Bytes per second of a device-to-device copy, read and written."""
    cupy = cuda.cupy()
    source = cupy.ones(ELEMENTS, "float32")
    target = cupy.empty_like(source)
    return float(2 * source.nbytes / seconds(lambda: cupy.copyto(target, source)))


def own(tensors: int, elements: int) -> dict[str, Callable[[], object]]:
    """One call per rule, on tensors of that many elements each."""
    cupy = cuda.cupy()

    def arrays(dtype: str, size: int = elements) -> list[ndarray]:
        return [cupy.full(size, 1, dtype) for _ in range(tensors)]

    blocks = -(-elements // BLOCK_SIZE)
    h = adamw.Hyper(decay="before")
    float32 = cuda.AdamW(*(arrays("float32") for _ in range(4)))
    bfloat16 = cuda.AdamW(
        *(arrays("uint16") for _ in range(2)), *(arrays("float32") for _ in range(2))
    )
    moments = [(arrays("uint8"), arrays("float32", blocks)) for _ in "mv"]
    given = (arrays("float32"), arrays("float32"), *moments[0], *moments[1])
    eight = cuda.AdamW8bit(*given, block_size=BLOCK_SIZE)
    return {
        "adamw float32": lambda: float32.step(h, 10),
        "adamw bfloat16": lambda: bfloat16.step(h, 10),
        "adamw 8bit": lambda: eight.step(h, 10),
    }


def peers(tensors: int, elements: int) -> dict[str, Callable[[], object]]:
    """The same steps of installed libraries."""
    found: dict[str, Callable[[], object]] = {}
    try:
        import torch
    except ImportError:
        return found

    def parameters() -> list[torch.Tensor]:
        made = [torch.ones(elements, device="cuda", requires_grad=True) for _ in range(tensors)]
        for p in made:
            p.grad = torch.ones_like(p)
        return made

    found["adamw float32: torch fused"] = torch.optim.AdamW(parameters(), fused=True).step
    try:
        optimizers = importlib.import_module("bitsandbytes.optim")
    except ImportError:
        return found
    found["adamw 8bit: bitsandbytes"] = optimizers.AdamW8bit(parameters()).step
    return found


def main() -> int:
    """Print the measurements; where there is no GPU, that they were not run."""
    try:
        cupy = cuda.cupy()
    except BackendUnavailable as unavailable:
        print(json.dumps({"not_run": str(unavailable)}))
        return 0
    bandwidth = copy_bandwidth()
    rows = []
    for tensors, elements in ((1, ELEMENTS), MANY):
        for name, call in {**own(tensors, elements), **peers(tensors, elements)}.items():
            time = seconds(call)
            moved = BYTES[name.partition(":")[0]] * tensors * elements
            rows.append(
                {
                    "what": name,
                    "tensors": tensors,
                    "elements": elements,
                    "seconds": time,
                    "share_of_copy_bandwidth": moved / time / bandwidth,
                }
            )
    device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    print(json.dumps({"device": device, "copy_bytes_per_second": bandwidth, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from truestep.fast.ours import cuda
from truestep.fast.ours.rule_kernels import kernel_for
from truestep.fast.ours.storages import dynamic_8bit_kept
from truestep.fast.protocol import BackendUnavailable
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS, adamw, lamb, lion, sgd

if TYPE_CHECKING:
    from cupy import ndarray

REPEATS = 20
ELEMENTS = 2**26
MANY = (1000, 1000)  # tensors, elements of each
BLOCK_SIZE = 256


@dataclass(frozen=True, slots=True)
class Measured:
    """A rule that is timed. stored: whether its states are 8-bit codes in blocks of BLOCK_SIZE."""

    rule: str
    hyper: Hyper
    format: str = "float32"
    stored: bool = False

    def bytes(self) -> float:
        """Bytes read and written per element, scales of blocks included."""
        kernel = kernel_for(self.rule, self.hyper)
        number = 2 if self.format == "bfloat16" else 4
        state = 1 + 4 / BLOCK_SIZE if self.stored else 4
        read = 2 * number + len(kernel.states) * state
        # A rule with sums reads everything once more.
        return (2 if kernel.sums else 1) * read + number + len(kernel.states) * state


_ADAMW = adamw.Hyper(decay="before")
MEASURED: Mapping[str, Measured] = {
    "adamw float32": Measured("adamw", _ADAMW),
    "adamw bfloat16": Measured("adamw", _ADAMW, "bfloat16"),
    "adamw 8bit": Measured("adamw", _ADAMW, stored=True),
    "lamb float32": Measured("lamb", lamb.Hyper()),
    "lion float32": Measured("lion", lion.Hyper()),
    "sgd float32": Measured("sgd", sgd.Hyper(momentum=0.9)),
}


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
    return {name: _step_of(what, tensors, elements) for name, what in MEASURED.items()}


def _step_of(what: Measured, tensors: int, elements: int) -> Callable[[], object]:
    cupy = cuda.cupy()

    def arrays(dtype: str, size: int = elements) -> list[ndarray]:
        return [cupy.full(size, 1, dtype) for _ in range(tensors)]

    behaviour = OPTIMIZERS[what.rule].State.BEHAVIOUR
    state, kept = {}, {}
    for name in kernel_for(what.rule, what.hyper).states:
        if what.stored:
            kept[name] = dynamic_8bit_kept(not behaviour[name].nonnegative, BLOCK_SIZE)
            state[f"{name}_code"] = arrays("uint8")
            state[f"{name}_absmax"] = arrays("float32", kept[name].blocks(elements))
        else:
            state[name] = arrays("float32")
    number = "uint16" if what.format == "bfloat16" else "float32"
    plan = cuda.Plan(what.rule, arrays(number), arrays(number), state, kept=kept)
    steps = count(1)
    return lambda: plan.step(what.hyper, next(steps))


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
            moved = MEASURED[name.partition(":")[0]].bytes() * tensors * elements
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

"""Schedules on a CUDA device: the text of a schedule's unit, and its values through a launch.

The kernel of csrc/cuda/schedule.h takes, in the device's memory, the hyperparameters as doubles,
counters of the steps made and the learning rates that it writes, and moves the counters on: in a
captured graph every replay makes the next rate.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from truestep.fast.ours.cuda_plan import Device
from truestep.fast.ours.schedule_kernels import defined, row
from truestep.reference.declared import Hyper

THREADS = 128
# Of a unit's text the device with its kernel.
Compiled: TypeAlias = Callable[[str], Device]


def kernel_name(rule: str) -> str:
    """The kernel of a schedule's unit."""
    return f"{rule}_schedule_kernel"


def unit(rule: str) -> str:
    """The CUDA source that instantiates a schedule's kernel."""
    return f"""\
#include "cuda/schedule.h"
#include "schedules/{rule}.h"

extern "C" __global__ void {kernel_name(rule)}(const double* hyper, double* t, double* lr,
                                               long long stride, long long count) {{
  truestep::cuda::advance<truestep::schedules::{rule}::Hyper>(hyper, t, lr, stride, count);
}}
"""


def schedule_values(
    compiled: Compiled, rule: str, h: Hyper, steps: Sequence[int]
) -> NDArray[np.float64]:
    """The rates after so many steps, with a counter for each of them.

    Raises ValueError where the schedule has no value, RuntimeError where a counter did not move.
    """
    counts = np.array(steps, dtype=np.int64)
    if not counts.size:
        return np.empty(0)
    device = compiled(unit(rule))
    hyper = device.upload(np.array(row(rule, h)))
    counters, rates = device.upload(counts.astype(np.float64)), device.upload(np.empty(len(counts)))
    grid = -(-len(counts) // THREADS)
    arguments = (hyper, counters, rates, np.int64(1), np.int64(len(counts)))
    device.launch(kernel_name(rule), grid, THREADS, arguments)
    if not np.array_equal(device.download(counters), counts + 1.0):
        raise RuntimeError(f"{kernel_name(rule)} did not move every counter on by one")
    return defined(h, counts, device.download(rates))

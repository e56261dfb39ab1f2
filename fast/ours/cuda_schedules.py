"""Schedules on a CUDA device: the unit of a schedule, and its values through a launch.

The kernel of csrc/cuda/schedule.h takes, in the device's memory, the hyperparameters as doubles,
counters of the steps made and the learning rates that it writes, and moves the counters on: in a
captured graph every replay makes the next rate.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from truestep.fast.ours.cuda_build import Unit
from truestep.fast.ours.cuda_plan import ROW_THREADS, Device
from truestep.fast.ours.schedule_kernels import defined, row
from truestep.reference.declared import Hyper


def kernel_name(rule: str) -> str:
    """The kernel of a schedule's unit."""
    return f"{rule}_schedule_kernel"


def schedule_unit(rule: str) -> Unit:
    """The kernel of a schedule."""
    return Unit(
        f"{rule}_schedule",
        f"""\
#include "cuda/schedule.h"
#include "schedules/{rule}.h"

extern "C" __global__ void {kernel_name(rule)}(const double* hyper, double* t, double* lr,
                                               long long stride, long long count) {{
  truestep::cuda::advance<truestep::schedules::{rule}::Hyper>(hyper, t, lr, stride, count);
}}
""",
    )


def values(device: Device, rule: str, h: Hyper, steps: Sequence[int]) -> NDArray[np.float64]:
    """The rates of the steps after so many steps made, a counter for each.

    Raises ValueError where the schedule has no value, RuntimeError where a counter did not move.
    """
    counts = np.array(steps, dtype=np.int64)
    if not counts.size:
        return np.empty(0)
    hyper = device.upload(np.array(row(rule, h)))
    counters, rates = device.upload(counts.astype(np.float64)), device.upload(np.zeros(len(counts)))
    arguments = (hyper, counters, rates, np.int64(1), np.int64(len(counts)))
    grid = -(-len(counts) // ROW_THREADS)
    device.launch(schedule_unit(rule), kernel_name(rule), grid, ROW_THREADS, arguments)
    if not np.array_equal(device.download(counters), counts + 1.0):
        raise RuntimeError(f"{kernel_name(rule)} did not move every counter on by one")
    return defined(h, counts, device.download(rates))

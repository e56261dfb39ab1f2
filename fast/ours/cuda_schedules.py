"""Schedules on a CUDA device: the unit of a schedule, and its values through a launch.

The kernel of csrc/cuda/schedule.h takes, in the device's memory, the hyperparameters as doubles,
counts of the steps made and the learning rates that it writes, and moves the counts on: in a
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


class Rates:
    """The launch that writes a schedule's rates into a device's memory, one step after another.

    made: how many steps each row has made. address: where the first row's rate lies, a double;
    stride: how many doubles further the next one's. In front of a plan's launches, with the place
    of lr in its table of hyperparameters, it makes a captured graph follow the schedule.
    """

    def __init__(
        self, device: Device, rule: str, h: Hyper, made: Sequence[int], address: int, stride: int
    ) -> None:
        self._device, self._rule, self._count = device, rule, len(made)
        self._hyper = device.upload(np.array(row(rule, h)))
        self.made = device.upload(np.array(made, dtype=np.float64))
        self._target = np.uint64(address), np.int64(stride)

    def launch(self) -> None:
        """Write every row's rate, and count its step as made."""
        arguments = (self._hyper, self.made, *self._target, np.int64(self._count))
        grid = -(-self._count // ROW_THREADS)
        unit = schedule_unit(self._rule)
        self._device.launch(unit, kernel_name(self._rule), grid, ROW_THREADS, arguments)


def values(device: Device, rule: str, h: Hyper, steps: Sequence[int]) -> NDArray[np.float64]:
    """The rates of the steps after so many steps made, a row for each.

    Raises ValueError where the schedule has no value, RuntimeError where a count did not move.
    """
    counts = np.array(steps, dtype=np.int64)
    if not counts.size:
        return np.empty(0)
    found = device.upload(np.zeros(len(counts)))
    rates = Rates(device, rule, h, steps, found.address, stride=1)
    rates.launch()
    if not np.array_equal(device.download(rates.made), counts + 1.0):
        raise RuntimeError(f"{kernel_name(rule)} did not move every count on by one")
    return defined(h, counts, device.download(found))

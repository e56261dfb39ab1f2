"""Schedules through their CUDA kernel on the host: values, counters in memory, captured steps."""

from __future__ import annotations

import numpy as np
import pytest

from truestep.fast.ours import cuda_on_cpu, cuda_schedules, schedule_kernels
from truestep.fast.ours.cuda_on_cpu import Device, Kernels, Schedule
from truestep.fast.protocol import BackendUnavailable
from truestep.reference.schedules import SCHEDULES, one_cycle, warm_restarts


@pytest.fixture(scope="module")
def kernels() -> Kernels:
    """The shipped kernels; skipped where nothing can be compiled."""
    try:
        return Kernels()
    except BackendUnavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("rule", SCHEDULES)
def test_values_are_those_of_the_cpu(kernels: Kernels, rule: str) -> None:
    """In every bit, in every order of blocks and threads: the same header, and the same libm."""
    choice = {"after": "hold"} if rule == "one_cycle" else {}
    h, steps = SCHEDULES[rule].Hyper(**choice), range(0, 1200, 7)
    for order in cuda_on_cpu.ORDERS:
        got = cuda_schedules.values(Device(kernels, Schedule(order, 3)), rule, h, steps)
        assert np.array_equal(got, schedule_kernels.values(rule, h, steps))


def test_replays_move_along_the_schedule(kernels: Kernels) -> None:
    """The same launch again and again, as a graph replays it, with a row's rate every 3 doubles."""
    device, h = Device(kernels, Schedule()), warm_restarts.Hyper(cycle_steps=4, decay=0.5)
    hyper = device.upload(np.array(schedule_kernels.row("warm_restarts", h)))
    counters, rates = device.upload(np.array([0.0, 9.0])), device.upload(np.full(6, -1.0))
    unit = cuda_schedules.schedule_unit("warm_restarts")
    for replay in range(12):
        arguments = (hyper, counters, rates, np.int64(3), np.int64(2))
        device.launch(unit, cuda_schedules.kernel_name("warm_restarts"), 1, 64, arguments)
        due = schedule_kernels.values("warm_restarts", h, [replay, replay + 9])
        assert device.download(rates).tolist() == [due[0], -1.0, -1.0, due[1], -1.0, -1.0]
        assert device.download(counters).tolist() == [replay + 1.0, replay + 10.0]


def test_no_value_past_the_end(kernels: Kernels) -> None:
    """The device writes nan there, and the backend raises; nothing is asked of no steps."""
    device, h = Device(kernels, Schedule()), one_cycle.Hyper(total_steps=50)
    assert len(cuda_schedules.values(device, "one_cycle", h, [])) == 0
    with pytest.raises(ValueError, match="got t = 50"):
        cuda_schedules.values(device, "one_cycle", h, [49, 50])

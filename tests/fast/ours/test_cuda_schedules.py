"""Schedules through their CUDA kernel on the host: values, counts in memory, captured steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from truestep.fast.ours import cuda_on_cpu, cuda_schedules, schedule_kernels
from truestep.fast.ours.cpu_plans import Plan
from truestep.fast.ours.cuda_on_cpu import Device, Kernels, Schedule
from truestep.fast.ours.cuda_plan import StepPlan
from truestep.fast.ours.rule_kernels import kernel_for
from truestep.fast.protocol import BackendUnavailable
from truestep.reference.optimizers import adamw
from truestep.reference.schedules import SCHEDULES, cosine, one_cycle, warm_restarts


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
    found = device.upload(np.full(6, -1.0))
    rates = cuda_schedules.Rates(device, "warm_restarts", h, [0, 9], found.address, stride=3)
    for replay in range(12):
        rates.launch()
        due = schedule_kernels.values("warm_restarts", h, [replay, replay + 9])
        assert device.download(found).tolist() == [due[0], -1.0, -1.0, due[1], -1.0, -1.0]
        assert device.download(rates.made).tolist() == [replay + 1.0, replay + 10.0]


def test_a_captured_step_follows_the_schedule(kernels: Kernels) -> None:
    """Rates, then the plan: five replays are five steps with the schedule's learning rates."""
    device, h = Device(kernels, Schedule()), cosine.Hyper(lr=0.1, total_steps=7)
    rng = np.random.default_rng(1)
    p, g = (rng.standard_normal(50).astype(np.float32) for _ in range(2))
    arrays = {"params": p, "grads": g, "m": np.zeros_like(p), "v": np.zeros_like(p)}
    buffers = {name: device.upload(x) for name, x in arrays.items()}
    addresses = {name: [buffer.address] for name, buffer in buffers.items()}
    plan = StepPlan(device, "adamw", "float32", addresses, [p.size])
    first = adamw.Hyper(decay="before", weight_decay=0.1)
    plan.prepare(first, 1)
    names = kernel_for("adamw", first).hyper
    place = plan.hyper.address + 8 * names.index("lr")
    rates = cuda_schedules.Rates(device, "cosine", h, [0], place, stride=len(names))
    for _ in range(5):
        rates.launch()
        plan.launch()
    host = Plan("adamw", [p], [g], {"m": [arrays["m"]], "v": [arrays["v"]]})
    for t, lr in enumerate(schedule_kernels.values("cosine", h, range(5)), start=1):
        host.step(replace(first, lr=float(lr)), t)
    for name, x in arrays.items():
        assert device.download(buffers[name]).tobytes() == x.tobytes()


def test_no_value_past_the_end(kernels: Kernels) -> None:
    """The device writes nan there, and the backend raises; nothing is asked of no steps."""
    device, h = Device(kernels, Schedule()), one_cycle.Hyper(total_steps=50)
    assert len(cuda_schedules.values(device, "one_cycle", h, [])) == 0
    with pytest.raises(ValueError, match="got t = 50"):
        cuda_schedules.values(device, "one_cycle", h, [49, 50])

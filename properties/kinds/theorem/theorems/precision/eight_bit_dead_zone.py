"""A code moves only where the moment has changed by half of the way to the next one."""

from typing import cast

import numpy as np

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.kinds.optimizer.storage import held_storage, rule_of
from truestep.properties.kinds.theorem.theorems.controls import held
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    equal,
    spoilt,
)
from truestep.reference.quantizers import dynamic_8bit
from truestep.reference.validation import Array

# With the first no code ever moves, with the second the finely spaced ones do.
BETAS = (0.999, 0.98)
# The least block: one of so many elements keeps its block's scale, by a gradient that stays.
GROUP = 64


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Every code of the map, in a block whose largest moment stays at 1, and no more gradients."""
    tests, points = list[Outcome](), list[Point]()
    for beta2 in BETAS:
        made, points = _codes(kernel, beta2, trial.pick(24, 512))
        tests += made
    return Evidence.of(tests, points)


def values_of(kernel: Kernel) -> Array:
    """The numbers that the codes of v stand for, in a block of scale 1; those above 0 alone."""
    capability = cast(OptimizerCapability, kernel.capability)
    fields = {**capability.dialect, **held_storage(capability)}
    h = rule_of(capability).Hyper(**fields).storage["v"]
    values = dynamic_8bit.all_values(h)
    return values[values > 0]


def _codes(kernel: Kernel, beta2: float, T: int) -> tuple[list[Outcome], list[Point]]:
    """v = q, then beta2 q at every step: it is read as q again where it is nearer to q.

    What is nearer is decided far from rounding: no map has its thresholds at beta2 q.
    """
    q = values_of(kernel)
    below = np.concatenate([[0.0], q[:-1]])
    frozen = (1 - beta2) * q < (q - below) / 2
    place, lasting = _placed(q)
    run = kernel.start(np.zeros(len(lasting)), lr=0.0, beta2=0.0)
    g = lasting.copy()
    g[place] = np.sqrt(q)
    run.step(g)
    first = np.asarray(run.state["v_code"])[place]
    tests, points = list[Outcome](), list[Point]()
    for t in range(1, T + 1):
        run.step(lasting, beta2=beta2)
        same = np.asarray(run.state["v_code"])[place] == first
        wrong = int(np.sum(same != frozen) if t == 1 else np.sum(frozen & ~same))
        tests.append(equal(f"beta2 = {beta2:g}, step {t}: codes off", float(wrong), 0.0, 0.0))
        if t & (t - 1) == 0:
            due = float(frozen.sum())
            points.append((t, float(same.sum()), due, (due, len(q))))
    return tests, points


def _placed(q: Array) -> tuple[Array, Array]:
    """Where the elements of the codes stand, and the gradient of the others: 1 in each group."""
    groups = -(-len(q) // (GROUP - 1))
    lasting = np.zeros(groups * GROUP)
    lasting[::GROUP] = 1.0
    return np.flatnonzero(lasting == 0)[: len(q)], lasting


EIGHT_BIT_DEAD_ZONE = Theorem(
    name="eight_bit_dead_zone",
    topic="precision",
    statement=(
        "In a block whose largest second moment stays, the 8-bit code of a moment q without "
        "gradient is frozen for ever where (1 - beta2) q is less than half of its distance to the "
        "next lower one, and moves in the first step elsewhere: with beta2 = 0.999 no code of the "
        "dynamic map moves."
    ),
    source=(
        "by rounding to nearest; T. Dettmers et al., ICLR 2022 (arXiv:2110.02861), for the map"
    ),
    subject=Subject(
        "adam",
        dialect={"bias_correction": ("both", "none")},
        sets=("lr", "beta2"),
        formats=("bfloat16", "float32"),
        storage=("dynamic_8bit",),
        codes="nearest",
    ),
    constants={"beta2": BETAS[0], "beta2_that_moves_some": BETAS[1]},
    experiment=experiment,
    controls=spoilt(experiment, **{"beta2 = 0.9": held(beta2=0.9)}),
    axes=("t", "codes that stay"),
    changed="the number of codes",
)

"""Under decoupled decay a constant gradient drives p to a point that does not know its size."""

import numpy as np

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.kinds.theorem.theorems.controls import another, numbers
from truestep.properties.kinds.theorem.theorems.drift import Drift
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, reference
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    spoilt,
)

LR, DECAY, START = 0.125, 0.5, np.array([3.0, -0.75, 5.0, -4.0])
# Equal gradients have the code of the block's largest, which is exact of positive numbers alone.
POSITIVE, NEGATIVE = (1e-3, 50.0), (-50.0,)


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """The whole way there, for several sizes of the gradient."""
    capability, tests, points = kernel.capability, list[Outcome](), list[Point]()
    coded = isinstance(capability, OptimizerCapability) and capability.storage
    for g in POSITIVE if coded else POSITIVE + NEGATIVE:
        made, points = _way(kernel, g, trial.pick(48, 512))
        tests += made
    return Evidence.of(tests, points)


def _way(kernel: Kernel, slope: float, T: int) -> tuple[list[Outcome], list[Point]]:
    """p_t - p* = kept^t (p_0 - p*), where a step is p' = kept p - moved sign(g)."""
    kept, moved = recursion(str(kernel.hyper({}).decay))
    given = {"lr": LR, "weight_decay": DECAY, "beta2": 0.99, "eps": 0.0}
    run = kernel.start(START, **given)
    drift, start, g = Drift(kernel, run.p, given), run.p, np.full(len(START), slope)
    end = -moved / (1 - kept) * np.sign(g)
    tests, points = list[Outcome](), list[Point]()
    for t in range(1, T + 1):
        x, error = run.step(g), drift.step(g)
        due = end + kept**t * (start - end)
        gap = np.abs(x - due)
        i = int(np.argmax(gap / error))
        name = f"g = {slope:g}, step {t}: way to the fixed point, coordinate {i}"
        tests.append(Outcome(float(gap[i] / error[i]), name, float(2 * error[i] / abs(due[i]))))
        if t & (t - 1) == 0:
            far, e = float(abs(due[3] - end[3])), float(error[3])
            points.append((t, float(abs(x[3] - end[3])), far, (max(far - e, 0.0), far + e)))
    return tests, points


def recursion(decay: str) -> tuple[float, float]:
    """What a step in this form of decay keeps of p, and how far it moves p."""
    kept = 1 - DECAY if decay == "unscaled" else 1 - LR * DECAY
    return kept, LR * (kept if decay == "after" else 1.0)


ADAMW_FIXED_POINT = Theorem(
    name="adamw_fixed_point",
    topic="adaptive",
    statement=(
        "Under a constant gradient of any size AdamW with eps = 0 goes to the fixed point "
        "-sign(g) / weight_decay as (1 - lr weight_decay)^t, exactly (-lr sign(g) / weight_decay "
        "where decay is not scaled by lr, (1 - lr weight_decay) times as far where it comes last)."
    ),
    source=(
        "I. Loshchilov, F. Hutter, ICLR 2019 (arXiv:1711.05101), proposition 2, with m / sqrt(v) = "
        "sign(g) of a constant gradient"
    ),
    subject=Subject(
        "adamw", sets=("lr", "weight_decay", "beta2", "eps"), storage=("dynamic_8bit",)
    ),
    constants={"lr": LR, "weight_decay": DECAY},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "decay a tenth stronger": numbers(
                lambda given, _: {**given, "weight_decay": 1.1 * DECAY}
            ),
            "decay in the gradient, as in Adam": another(
                reference("adam"), "lr", "weight_decay", "beta2", "eps"
            ),
        },
    ),
    axes=("t", "distance to the fixed point"),
    changed="the parameter",
)

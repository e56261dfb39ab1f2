"""SGD with momentum: exact moments, and a floor of noise 1 / (1 - momentum) times as high."""

import numpy as np

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.controls import held, longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.momentum.modes import mode, response
from truestep.properties.kinds.theorem.theorems.stochastic import gaussian
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

LR, BETA, OPTIMUM, START, STEPS = 0.1, 0.9, 2.0, -1.0, 256


def floor(lr: float, beta: float) -> float:
    """The variance at rest on x^2 / 2 with noise of variance 1."""
    return lr * (1 + beta) / ((1 - beta) * (2 * (1 + beta) - lr))


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Runs from rest: their mean is the mode's, one noise is left over like its response."""
    n, rng = trial.pick(8_000, 100_000), trial.rng()
    trace = 1 + BETA - LR
    mean = (START - OPTIMUM) * mode(trace, BETA, STEPS)
    impulse = response(trace, BETA, STEPS)
    variances = LR**2 * np.cumsum(impulse**2)
    level = trial.level / (STEPS.bit_length() * gaussian.moment_tests(1))
    run = kernel.start(np.full(n, START), lr=LR, momentum=BETA)
    errors: list[float] = []
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for t in range(1, STEPS + 1):
        before = run.p
        g = before - OPTIMUM + rng.standard_normal(n)
        x = run.step(g)
        way = float(np.abs(x - before).max())
        # The buffer, lr times which is the way, rounds its own product and sum.
        errors.append(rounding.of_step(kernel.u, before, x, 2 * LR, g) + 6 * kernel.u * way)
        if t & (t - 1) == 0:
            drift = rounding.carried(errors, np.abs(impulse).tolist())
            centre, C = np.array([OPTIMUM + mean[t]]), np.array([[variances[t - 1]]])
            name = f"t = {t}"
            outcomes.append(gaussian.moments(x[:, None], centre, C, drift, level, name))
            due = float(variances[t - 1])
            band = gaussian.variance_band(due, n, drift, level)
            points.append((t, float(np.mean((x - centre) ** 2)), due, band))
    # |impulse| is below 3 sqrt(beta)^t, and so is what is still missing after all steps.
    missing = LR**2 * 9 * BETA**STEPS / (1 - BETA)
    rest = equal("the floor in closed form", variances[-1], floor(LR, BETA), missing + 2.0**-40)
    return Evidence.of([*outcomes, rest._replace(change=np.inf)], points)


MOMENTUM_MOMENTS = Theorem(
    name="momentum_moments",
    topic="stochastic",
    statement=(
        "SGD with momentum b on a parabola of curvature l obeys x_{t+1} = (1 + b - a l) x_t - "
        "b x_{t-1} - a e_t exactly in both moments, and rests at the variance a s^2 (1 + b) / "
        "((1 - b) l (2 (1 + b) - a l)), about 1 / (1 - b) times that without momentum."
    ),
    source=(
        "by the discrete Lyapunov equation; S. Mandt, M. Hoffman, D. Blei, JMLR 18, 2017, section "
        "4, in the limit of small a"
    ),
    subject=Subject("sgd", sets=("lr", "momentum", "dampening")),
    constants={"a": LR, "b": BETA, "l": 1.0, "s": 1.0, "steps": STEPS},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "a dampened gradient": held(dampening=0.1),
            "no momentum": held(momentum=0.0),
            "steps 20 percent too long": longer(1.2),
        },
    ),
    axes=("t", "variance"),
    random=True,
    changed="the variance",
)

"""Nesterov's O(1 / k^2) for convex functions, and the function on which nothing is faster."""

from collections.abc import Callable

import numpy as np

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.controls import held, numbers
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    at_most,
    spoilt,
)
from truestep.reference.problems import huber, quadratic
from truestep.reference.validation import Array

K, L = 40, 4.0


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """40 steps on Nesterov's chain of 81 coordinates, and on the worst of gradient descent."""
    chain = _chain(2 * K + 1)
    distance = float(np.linalg.norm(chain.optimum))
    outcomes: list[Outcome] = []
    points: list[Point] = []
    d = len(chain.optimum)
    for k, x, erring in _accelerated(kernel, np.zeros(d), lambda x: quadratic.gradient(chain, x)):
        gap, upper = float(quadratic.value(chain, x)), 2 * L * distance**2 / (k + 1) ** 2
        # What the first k coordinates alone can reach; at k = K this is at least the statement's.
        lower = L / 8 * (1 / (k + 1) - 1 / (d + 1))
        # f moves by |grad f| of an error and L / 2 of its square.
        slope = float(np.linalg.norm(quadratic.gradient(chain, x)))
        allowed = slope * erring + L / 2 * erring**2
        outcomes.append(at_most(f"k = {k}: upper bound", gap, upper, allowed))
        outcomes.append(at_most(f"k = {k}: lower bound", lower, gap, allowed))
        if k & (k - 1) == 0:
            points.append((k, gap, upper, (lower - allowed, upper + allowed)))
    least = 3 / 32 * L * distance**2 / (K + 1) ** 2
    outcomes.append(at_most("the statement's lower bound", least, gap))
    f = huber.Problem(L=L, r=1 / (2 * K + 1))
    for k, x, erring in _accelerated(kernel, np.ones(1), lambda x: huber.gradient(f, x)):
        gap, allowed = float(huber.value(f, x)[0]), huber.constants(f).G * erring
        outcomes.append(at_most(f"k = {k}: Huber", gap, 2 * L / (k + 1) ** 2, allowed))
    return Evidence.of(outcomes, points)


def _chain(d: int) -> quadratic.Problem:
    """L / 4 times the second difference: a step passes on to one more coordinate alone."""
    H = L / 4 * (2 * np.eye(d) - np.eye(d, k=1) - np.eye(d, k=-1))
    optimum = 1 - np.arange(1, d + 1) / (d + 1)
    return quadratic.Problem(H, optimum, np.zeros((d, d)))


def _accelerated(
    kernel: Kernel, start: Array, slope: Callable[[Array], Array]
) -> list[tuple[int, Array, float]]:
    """k, x_k and a bound on its rounding, with momentum (t_k - 1) / t_{k+1}.

    An error grows like that of the linear recursion, at most k times over k steps, where lr f''
    lies in [0, 1].
    """
    run, weight, found, errors = kernel.start(start, lr=1 / L, momentum=0.0), 1.0, [], [0.0]
    momentum = 0.0
    for k in range(1, K + 1):
        before = run.p
        u = np.asarray(run.state["u"]).astype(np.float64)
        g = slope(before + momentum * u)
        x = run.step(g, momentum=momentum)
        once = rounding.of_step(kernel.u, before, x, 1 / L, g) + 4 * kernel.u * np.abs(u).max()
        errors.append(float(np.sqrt(len(x)) * once))
        found.append((k, x, k * sum(errors)))
        following = (1 + np.sqrt(1 + 4 * weight**2)) / 2
        momentum, weight = float((weight - 1) / following), following
    return found


NESTEROV_BOUND = Theorem(
    name="nesterov_bound",
    topic="momentum",
    statement=(
        "With a = 1 / L and momentum (t_k - 1) / t_{k+1}, t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2, "
        "Nesterov's method has f(x_k) - f* <= 2 L |x_0 - x*|^2 / (k + 1)^2 on every smooth convex "
        "f; on a chain of 2 k + 1 coordinates no method that steps along gradients is below "
        "3 L |x_0 - x*|^2 / (32 (k + 1)^2)."
    ),
    source=(
        "Y. Nesterov, Soviet Math. Dokl. 27, 1983; Lectures on Convex Optimization, 2018, theorem "
        "2.1.7; A. Beck, M. Teboulle, SIAM J. Imaging Sci. 2, 2009, theorem 4.4"
    ),
    subject=Subject("nesterov", dialect={"form": ("lookahead",)}, sets=("lr", "momentum")),
    constants={"L": L, "k": K, "coordinates": 2 * K + 1},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "no momentum: gradient descent": held(momentum=0.0),
            "momentum half as large": numbers(
                lambda given, t: {**given, "momentum": float(given["momentum"]) / 2}
            ),
        },
    ),
    axes=("k", "f(x_k) - f* on the chain"),
    changed="the gap",
)

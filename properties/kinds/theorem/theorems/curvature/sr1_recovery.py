"""SR1 knows a quadratic's Hessian after n steps, and ends at its optimum in the next."""

import numpy as np

from truestep.fast.protocol import Number
from truestep.properties.kinds.theorem.theorems.controls import held
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
from truestep.reference.problems import quadratic
from truestep.reference.validation import Array

# Between the first matrix, the identity, and twice it, every model step lowers f by enough.
N, SPECTRUM = 3, (1.2, 1.5, 1.8)
Q = quadratic.with_spectrum(SPECTRUM, (1.0,) * N, (3.0, -2.0, 0.5), seed=6)
START = np.array([1.0, 1.5, -2.0])
# A cubic term of no size.
GIVEN: dict[str, Number] = {"mu0": 1e-30, "curvature": 1.0, "memory": 5}


def function(x: Array) -> tuple[Array, Array]:
    """f and its gradient."""
    return quadratic.value(Q, x), quadratic.gradient(Q, x)


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """n steps, the matrix that their pairs determine, and the step after them."""
    run = kernel.start(START, **GIVEN)
    size = float(np.linalg.norm(run.p - Q.optimum))
    tests, points = list[Outcome](), list[Point]()
    for k in range(1, N + 1):
        left = float(np.linalg.norm(run.step(function) - Q.optimum))
        tests.append(at_most(f"step {k}: distance", left, size))
        points.append((k, left, size, (0.0, size)))
    S, Y = (np.asarray(run.state[name], np.float64)[-N:].T for name in ("steps", "changes"))
    independent = S.shape == (N, N) and np.linalg.cond(S) < 1 / kernel.u
    inverse = np.linalg.inv(S) if independent else np.full((N, N), np.nan)
    error = _error(kernel) * float(np.linalg.norm(inverse))
    off = float(np.linalg.norm(Y @ inverse[: Y.shape[1]] - Q.H))
    tests.append(Outcome(off / error, "the Hessian", 2 * error / SPECTRUM[-1]))
    before = run.p
    left = float(np.linalg.norm(run.step(function) - Q.optimum))
    # A Newton step with a matrix that errs by so much keeps error / mu of the distance; it rounds
    # the gradient, n^2 operations of its solution and p.
    kept = error / (SPECTRUM[0] - error) * float(np.linalg.norm(before - Q.optimum))
    sizes = SPECTRUM[-1] / SPECTRUM[0] * (4 + N * N) * size + float(np.linalg.norm(Q.optimum))
    allowed = kept + kernel.u * sizes
    tests.append(at_most("distance after one more step", left, allowed))
    points.append((N + 1, left, 0.0, (0.0, allowed)))
    return Evidence.of(tests, points)


def _error(kernel: Kernel) -> float:
    """B S = Y determines B = Y S^-1, and |B - H| <= |Y - H S| |S^-1|: a bound on |Y - H S|.

    A column y - H s errs by the roundings of two gradients, of their difference, and of two
    parameters, which H carries over: none is farther from the optimum than the start, nor larger
    than the two together.
    """
    far = float(np.linalg.norm(START - Q.optimum))
    largest = far + float(np.linalg.norm(Q.optimum))
    return float(np.sqrt(N)) * kernel.u * SPECTRUM[-1] * 4 * (far + largest)


SR1_RECOVERY = Theorem(
    name="sr1_recovery",
    topic="curvature",
    statement=(
        "On a quadratic in n dimensions SR1 whose n steps are independent has the Hessian as its "
        "matrix after them, without any line search, and ends at the optimum in step n + 1."
    ),
    source="J. Nocedal, S. J. Wright, Numerical Optimization, 2nd edition, 2006, theorem 6.1",
    subject=Subject("sr1_cubic", kind="minimizer", sets=tuple(GIVEN)),
    constants={"n": N, "L": SPECTRUM[-1], "mu": SPECTRUM[0]},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "a memory of n - 1 pairs": held(memory=N - 1),
            "a cubic term of weight 0.1": held(mu0=0.1),
        },
    ),
    axes=("step", "distance to the optimum"),
    changed="the iterate",
)

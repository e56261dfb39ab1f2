"""L-BFGS with exact line searches is the method of conjugate gradients on quadratics."""

from collections.abc import Sequence

import numpy as np

from truestep.fast.protocol import Number
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, Run
from truestep.properties.kinds.theorem.theorems.replicas import Replicas
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Experiment,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
)
from truestep.reference.problems import quadratic
from truestep.reference.validation import Array

# Three distinct eigenvalues in six dimensions, and an optimum away from 0.
Q = quadratic.with_spectrum(
    (1.0, 1.0, 3.0, 3.0, 8.0, 8.0), (1.0,) * 6, (3.0, -2.0, 0.5, 7.0, 1.0, -4.0), seed=5
)
DISTINCT, MEMORIES = 3, (1, 5)
START = np.array([1.0, 1.0, -1.0, 4.0, 2.0, -1.0])


def function(x: Array) -> tuple[Array, Array]:
    """f and its gradient."""
    return quadratic.value(Q, x), quadratic.gradient(Q, x)


def conjugate_gradients(x: Array, steps: int) -> list[Array]:
    """The iterates of Hestenes and Stiefel."""
    found, r = list[Array](), -quadratic.gradient(Q, x)
    d = r
    for _ in range(steps):
        a = (r @ r) / (d @ Q.H @ d)
        x, new = x + a * d, r - a * (Q.H @ d)
        d, r = new + (new @ new) / (r @ r) * d, new
        found.append(x)
    return found


def searching(reach: float) -> Experiment:
    """The experiment with searches that go so far of the exact way."""

    def experiment(kernel: Kernel, trial: Trial) -> Evidence:
        """The three iterates, the last of which is the optimum, for two memories."""
        tests, points = list[Outcome](), list[Point]()
        for memory in MEMORIES:
            made, points = _iterates(kernel, memory, reach)
            tests += made
        return Evidence.of(tests, points)

    return experiment


def _iterates(kernel: Kernel, memory: int, reach: float) -> tuple[list[Outcome], list[Point]]:
    """The exact step along each direction is found by a run that makes a trial step of 1."""
    given: dict[str, Number] = {"memory": memory, "tolerance_grad": 0.0, "tolerance_change": 0.0}
    run = kernel.start(START, **given)
    replicas, start, rates = Replicas(kernel, run.p, given), run.p, list[float]()
    tests, points = list[Outcome](), list[Point]()
    size = float(np.linalg.norm(start - Q.optimum))
    for k, due in enumerate(conjugate_gradients(start, DISTINCT), start=1):
        before = run.p
        d = _replayed(kernel, given, rates).step(function, lr=1.0) - before
        a = -reach * float(quadratic.gradient(Q, before) @ d) / float(d @ Q.H @ d)
        rates.append(a)
        x, error = run.step(function, lr=a), replicas.step(function, lr=a)
        gap, allowed = float(np.linalg.norm(x - due)), float(np.linalg.norm(error))
        name = f"memory {memory}, step {k}: the conjugate gradients' iterate"
        tests.append(Outcome(gap / allowed, name, 2 * allowed / size))
        left, far = float(np.linalg.norm(x - Q.optimum)), float(np.linalg.norm(due - Q.optimum))
        points.append((k, left, far, (max(far - allowed, 0.0), far + allowed)))
    return tests, points


def _replayed(kernel: Kernel, given: dict[str, Number], rates: Sequence[float]) -> Run:
    """A run that has made the same steps."""
    run = kernel.start(START, **given)
    for a in rates:
        run.step(function, lr=a)
    return run


LBFGS_TERMINATION = Theorem(
    name="lbfgs_termination",
    topic="curvature",
    statement=(
        "With exact line searches on a quadratic L-BFGS of any memory makes the iterates of "
        "conjugate gradients, and so ends at the optimum after as many steps as there are distinct "
        "eigenvalues."
    ),
    source=(
        "L. Nazareth, SIAM J. Numer. Anal. 16, 1979; J. Nocedal, S. J. Wright, Numerical "
        "Optimization, 2nd edition, 2006, theorem 6.4 and section 7.2"
    ),
    subject=Subject(
        "lbfgs",
        kind="minimizer",
        dialect={"line_search": ("none",), "gamma": ("latest", "one")},
        sets=("lr", "memory", "tolerance_grad", "tolerance_change"),
    ),
    constants={"dimension": 6, "eigenvalues": DISTINCT},
    experiment=searching(1.0),
    controls={
        "searches that stop 1 % short": searching(0.99),
        "searches that go 1 % too far": searching(1.01),
    },
    axes=("step", "distance to the optimum"),
    changed="the iterate",
)

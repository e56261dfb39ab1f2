"""Muon's step has the gradient's singular vectors, and singular values near 1."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import longer
from truestep.properties.kinds.theorem.theorems.curvature.newton_schulz import (
    DIALECT,
    GIVEN,
    mapped,
    scale,
    with_singular_values,
)
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.replicas import Replicas
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
from truestep.reference.validation import Array

LR, SHAPES = 0.5, ((4, 6), (6, 4))
# The last one of the first is 0.0113 of their norm, just within what five steps bring near 1.
SPECTRA = np.array([[7.0, 5.0, 2.0, 0.1], [3.0, 2.5, 2.0, 1.5]])
LOW, HIGH = 0.68, 1.14


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """One step from rest, of wide and of tall gradients."""
    tests, points = list[Outcome](), list[Point]()
    for seed, shape in enumerate(SHAPES):
        for values in SPECTRA:
            made, new = _step(kernel, shape, values, seed)
            tests += made
            points += new
    return Evidence.of(tests, sorted(points))


def _step(
    kernel: Kernel, shape: tuple[int, int], values: Array, seed: int
) -> tuple[list[Outcome], list[Point]]:
    """The step, the matrix U diag(mapped) V', and its singular values between the two bounds."""
    U, Vt, G = with_singular_values(values, shape, seed)
    given = {**GIVEN, "lr": LR}
    run = kernel.start(np.full(shape, 1.5), **given)
    replicas, start = Replicas(kernel, run.p, given), run.p
    way, error = start - run.step(G), replicas.step(G)
    due = mapped(values / np.linalg.norm(values))
    unit = LR * scale(kernel, shape)
    # G is rounded to the format first, which the slope at 0 of the iteration blows up.
    e = float(np.linalg.norm(error)) / unit + 3.4445**5 * 2 * kernel.u
    gap = float(np.linalg.norm(way / unit - U @ np.diag(due) @ Vt))
    found = np.linalg.svd(way / unit, compute_uv=False)
    tests = [
        Outcome(gap / e, f"shape {shape}, values {values}: the step", 2 * e),
        at_most(f"shape {shape}: largest singular value", float(found[0]), HIGH, e),
        at_most(f"shape {shape}: least singular value", LOW, float(found[-1]), e),
    ]
    # U' X V, whose diagonal holds the singular values in their order.
    got = np.diag(U.T @ (way / unit) @ Vt.T)
    points = [
        (float(s), float(y), float(d), (float(d) - e, float(d) + e))
        for s, y, d in sorted(zip(values / np.linalg.norm(values), got, due, strict=True))
    ]
    return tests, points


MUON_SINGULAR_VALUES = Theorem(
    name="muon_singular_values",
    topic="curvature",
    statement=(
        "Muon's step is U diag(h(s / |s|)) V' of a momentum U diag(s) V', h five times "
        "3.4445 s - 4.775 s^3 + 2.0315 s^5: singular values between 0.01 and 1 of the Frobenius "
        "norm come between 0.68 and 1.14, the vectors stay."
    ),
    source="K. Jordan et al., Muon, 2024; h by composition of the polynomial on the values",
    subject=Subject("muon", dialect=DIALECT, sets=("lr", *GIVEN)),
    constants={"low": LOW, "high": HIGH},
    experiment=experiment,
    controls=spoilt(
        experiment,
        # Five steps in bfloat16 can stray by the size of their result: only this is far off there.
        **{"steps eight times as long": longer(8.0)},
    ),
    axes=("singular value over the Frobenius norm", "singular value of the step"),
    changed="the step",
)

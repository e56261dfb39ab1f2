"""Shampoo's regret on matrices of linear losses, and its way on one gradient for ever."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import held, longer
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

LR, EPS, SIZE = 0.5, 0.01, 3.0
LEFT, RIGHT = np.array([0.6, 0.8, 0.0]), np.array([1.0, 2.0, 2.0, 0.0]) / 3
START = np.arange(12.0).reshape(3, 4) / 4 + 1
GIVEN = {"lr": LR, "eps": EPS, "momentum": 0.0, "precondition_frequency": 1}


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """One gradient of rank one for ever, then random ones with an adversary's sign."""
    made, points = _one_gradient(kernel, trial.pick(12, 128))
    return Evidence.of([*made, _regret(kernel, trial, trial.pick(16, 128))], points)


def _one_gradient(kernel: Kernel, T: int) -> tuple[list[Outcome], list[Point]]:
    """Both factors have eps + t |G|^2 along G: each step is G / sqrt(eps + t |G|^2)."""
    direction = np.outer(LEFT, RIGHT)
    run = kernel.start(START, **GIVEN)
    replicas, start, way = Replicas(kernel, run.p, GIVEN), run.p, 0.0
    tests, points = list[Outcome](), list[Point]()
    for t in range(1, T + 1):
        # The kernel's own G: of rank one but for its rounding.
        x, error = run.step(SIZE * direction), replicas.step(SIZE * direction)
        way += LR * SIZE / float(np.sqrt(EPS + t * SIZE**2))
        gap = float(np.linalg.norm(start - x - way * direction))
        allowed = float(np.linalg.norm(error)) + kernel.u * way
        tests.append(Outcome(gap / allowed, f"way after {t} gradients", 2 * allowed / way))
        if t & (t - 1) == 0:
            along = float(np.sum((start - x) * direction))
            points.append((t, along, way, (way - allowed, way + allowed)))
    return tests, points


def _regret(kernel: Kernel, trial: Trial, T: int) -> Outcome:
    """Against a point half a unit of Frobenius norm from the start in the direction of the losses.

    The bound is of exact arithmetic on the gradients that the kernel has met, from which it strays
    by no more than the replicas.
    """
    rng = trial.rng()
    run = kernel.start(START, **GIVEN)
    replicas, start = Replicas(kernel, run.p, GIVEN), run.p
    way, losses, strayed = list[Array](), list[Array](), 0.0
    for _ in range(T):
        x = run.p
        G = np.outer(rng.standard_normal(3), rng.standard_normal(4))
        G *= 1.0 if np.sum(G * (x - start)) >= 0 else -1.0
        G = G.astype(np.float32).astype(np.float64)
        strayed += float(np.sum(np.abs(G) * replicas.error))
        way.append(x)
        losses.append(G)
        run.step(G)
        replicas.step(G)
    total = np.sum(losses, axis=0)
    best = start - total / (2 * np.linalg.norm(total))
    regret = float(np.sum([np.sum(G * (x - best)) for G, x in zip(losses, way, strict=True)]))
    far = max(float(np.linalg.norm(x - best)) for x in way) + float(np.max(replicas.error)) * 12
    trace = _trace(np.sum([G @ G.T for G in losses], axis=0))
    trace *= _trace(np.sum([G.T @ G for G in losses], axis=0))
    # Of rank one: r = 1.
    bound = (far**2 / (2 * LR) + LR) * trace
    return at_most(f"regret after {T} losses", max(regret, 0.0), bound, strayed)


def _trace(squares: Array) -> float:
    """tr (eps I + squares)^(1/4)."""
    values = np.linalg.eigvalsh(squares + EPS * np.eye(len(squares)))
    return float(np.sum(np.maximum(values, 0.0) ** 0.25))


SHAMPOO_REGRET = Theorem(
    name="shampoo_regret",
    topic="curvature",
    statement=(
        "On linear losses of rank at most r Shampoo has a regret of at most (D^2 / (2 lr) + lr r) "
        "tr L_T^(1/4) tr R_T^(1/4), D the largest distance to the point it is compared with, L_T "
        "and R_T its factors; equal gradients G of rank one move it by exactly "
        "lr G sum_t (eps + t |G|^2)^(-1/2)."
    ),
    source=(
        "V. Gupta, T. Koren, Y. Singer, ICML 2018 (arXiv:1802.09568), theorem 7, whose proof gives "
        "this before lr is chosen"
    ),
    subject=Subject(
        "shampoo",
        dialect={"exponent": ("half_order",), "statistics": ("gradient",), "timing": ("first",)},
        sets=("lr", "eps", "momentum", "precondition_frequency"),
    ),
    constants={"lr": LR, "eps": EPS, "G": SIZE},
    experiment=experiment,
    controls=spoilt(
        experiment, **{"every step 1 % too long": longer(1.01), "eps = 1": held(eps=1.0)}
    ),
    axes=("t", "way on one gradient"),
    changed="the way",
)

"""Every example once an epoch beats drawing with replacement: a^3 against a, by enumeration."""

from functools import partial
from itertools import permutations, product

import numpy as np

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.controls import longer
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
from truestep.reference.validation import Array

# Of f_i = (x - b_i)^2 / 2: their minima, which are numbers of every format, with mean 1.
MINIMA = np.array([-1.0, 0.5, 1.0, 1.5, 3.0])
STEPS = (0.2, 0.1, 0.05)


def experiment(kernel: Kernel, trial: Trial, replaced: bool = False) -> Evidence:
    """One epoch from x* in every order, and of every sequence of draws; then the floors.

    replaced: sequences of draws in the orders' place.
    """
    n, spread = len(MINIMA), float(np.var(MINIMA))
    orders = np.array(list(permutations(MINIMA)))
    draws = np.array(list(product(MINIMA, repeat=n)))
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for a in STEPS:
        rho = 1 - a
        weights = rho ** np.arange(n)
        plain, squares = float(weights.sum()), float((weights**2).sum())
        due = a**2 * spread * (n * squares - plain**2) / (n - 1)
        got, allowed = _epoch(kernel, draws if replaced else orders, a)
        outcomes.append(equal(f"a = {a}: an epoch in random order", got, due, allowed))
        drawn, drawn_allowed = _epoch(kernel, draws, a)
        drawn_due = a**2 * spread * squares
        outcomes.append(equal(f"a = {a}: drawn with replacement", drawn, drawn_due, drawn_allowed))
        # Epochs are independent, and each contracts what was by rho^n.
        kept = 1 - rho ** (2 * n)
        band = (due - allowed) / kept, (due + allowed) / kept
        points.append((a, got / kept, due / kept, band))
    return Evidence.of(outcomes, points)


def _epoch(kernel: Kernel, sequences: Array, a: float) -> tuple[float, float]:
    """The mean squared distance from x* after an epoch, and what rounding may change of it."""
    optimum = float(MINIMA.mean())
    run, erring = kernel.start(np.full(len(sequences), optimum), lr=a), 0.0
    for b in sequences.T:
        before = run.p
        g = before - b
        x = run.step(g)
        erring = (1 - a) * erring + rounding.of_step(kernel.u, before, x, a, g) + 2.0**-53 * 8
    distance = float(np.sqrt(np.mean((run.p - optimum) ** 2)))
    return distance**2, 2 * erring * (distance + erring) + erring**2


SHUFFLING = Theorem(
    name="shuffling_beats_replacement",
    topic="batches",
    statement=(
        "On n parabolas of one curvature l and minima of variance s^2, an epoch of steps a in "
        "random order leaves from x* the variance a^2 s^2 (n S_2 - S_1^2) / (n - 1), with "
        "S_k = sum (1 - a l)^(k j) over j < n, and n draws with replacement a^2 s^2 S_2: floors of "
        "the order a^3 and a."
    ),
    source=(
        "K. Mishchenko, A. Khaled, P. Richtarik, NeurIPS 2020 (arXiv:2006.05988), lemma 1, for the "
        "variance of sampling without replacement"
    ),
    subject=Subject("sgd"),
    constants={"n": len(MINIMA), "L": 1.0, "variance": float(np.var(MINIMA))},
    experiment=experiment,
    controls={
        "drawn with replacement": partial(experiment, replaced=True),
        **spoilt(experiment, steps_1_percent_too_long=longer(1.01)),
    },
    axes=("a", "floor of the mean squared distance, in random order"),
    changed="the variance",
)

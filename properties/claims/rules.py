"""Claims about schedules and rules by name, decided on their references."""

from __future__ import annotations

import time

import numpy as np

from truestep.properties.claims.claim import Claim, Drawing, Found, near, slope
from truestep.reference.optimizers import adam
from truestep.reference.schedules import noam, one_cycle, warmup_stable_decay
from truestep.reference.validation import Array


def _transformer(_: int) -> Found:
    """The paper's schedule against the best multiple of 1/sqrt(t), before and after the warm-up."""
    h = noam.Hyper()
    t = np.unique(np.geomspace(1, 200_000, 80).astype(int))
    got = np.array([float(noam.value(h, int(s) - 1)) for s in t])
    root = 512**-0.5 / np.sqrt(t)
    before, after = t <= h.warmup_steps, t >= h.warmup_steps
    drawing = Drawing("The Transformer's schedule, d = 512", "step", "rate")
    drawing.line("its reference", "measured", t, got)
    warm = 512**-0.5 * t * 4000**-1.5
    drawing.line("Vaswani et al., equation 3", "exact", t, np.minimum(root, warm))
    drawing.line("d^-1/2 / sqrt(step)", "control", t, root)
    rise, fall = slope(t[before], got[before]), slope(t[after], got[after])
    peak = float(noam.value(h, h.warmup_steps - 1))
    return Found(
        claimed=near(got, root, 1e-3),
        in_part=near(got[after], root[after], 1e-12),
        corrected=abs(rise - 1) < 1e-9 and abs(fall + 0.5) < 1e-9 and near(peak, 6.987712e-4, 1e-6),
        control=not near(got[before][:-1], root[before][:-1], 1e-3),
        numbers={"power of the step before 4000": rise, "after": fall, "peak": peak},
        chart=drawing.done(),
    )


def _one_cycle(_: int) -> Found:
    """How many steps stand at the peak, and where the second phase ends."""
    n = 1000
    h = one_cycle.Hyper(lr=1.0, total_steps=n, phases="three", anneal="linear", pct_start=0.45)
    got = np.array([float(one_cycle.value(h, t)) for t in range(n)])
    stable = warmup_stable_decay
    other = stable.Hyper(lr=1.0)
    with_plateau = np.array([float(stable.value(other, t)) for t in range(n)])
    k = round(h.pct_start * n - 1)
    first = 1 / h.div_factor
    plateau, held = (int(np.sum(x >= 0.999 * np.max(x))) for x in (got, with_plateau))
    drawing = Drawing("One cycle, and a plateau", "step", "rate", log_x=False, log_y=False)
    drawing.line("one cycle, three phases", "measured", np.arange(n), got)
    drawing.line("its corners", "exact", [0, k, 2 * k, n - 1], np.array([first, 1.0, first, 0.0]))
    drawing.line("warmup, stable, decay", "control", np.arange(n), with_plateau)
    return Found(
        claimed=plateau > n / 100,
        corrected=near(got[[0, k, 2 * k]], [first, 1.0, first], 1e-9) and got[-1] < first / 1000,
        control=held > n / 10,
        numbers={"steps at the peak": plateau, "of a schedule with a plateau": held},
        chart=drawing.done(),
    )


def _adam(_: int) -> Found:
    """Gradients that grow by beta2 / beta1 a step move p by more than one spike after none does."""
    h = adam.Hyper(lr=1.0, eps=0.0, bias_correction="none")
    n = 400
    growing = (h.beta2 / h.beta1) ** np.arange(n)
    spike = np.concatenate([np.full(n - 1, 1e-30), [1.0]])
    of_growing, of_spike = (_moves(h, g) for g in (growing, spike))
    claimed = (1 - h.beta1) / np.sqrt(1 - h.beta2)
    bound = claimed / np.sqrt(1 - h.beta1**2 / h.beta2)
    t = np.arange(1, n + 1)
    drawing = Drawing("Adam's step over its rate, no bias correction", "step", "|move| / rate")
    drawing.line("gradients (beta2/beta1)^t", "measured", t, of_growing)
    drawing.line("(1-b1) / sqrt((1-b2)(1-b1^2/b2))", "exact", t, np.full(n, bound))
    drawing.line("(1-b1) / sqrt(1-b2), one spike", "control", t, np.full(n, claimed))
    largest = float(np.max(of_growing))
    return Found(
        claimed=largest <= claimed * (1 + 1e-9),
        in_part=near(of_spike[-1], claimed, 1e-6),
        corrected=largest <= bound * (1 + 1e-9) and near(largest, bound, 1e-3),
        control=near(of_spike[-1], claimed, 1e-6),
        numbers={"largest move": largest, "claimed": float(claimed), "bound": float(bound)},
        chart=drawing.done(),
    )


def _moves(h: adam.Hyper, gradients: Array) -> Array:
    """|move of p| at every step, rate 1."""
    p, found = np.zeros(1), []
    state = adam.init(h, p)
    for g in gradients:
        before = p
        state, p = adam.step(h, state, p, np.array([g]))
        found.append(abs(float(p[0] - before[0])))
    return np.array(found)


def _batch_speed(seed: int) -> Found:
    """Time of an example's gradient in batches of B, on this machine and now."""
    rng = np.random.default_rng(seed)
    weights, sizes = rng.standard_normal((256, 64)), np.array([1, 4, 16, 64, 256])
    each = []
    for B in sizes:
        x = rng.standard_normal((int(B), 256))
        best = np.inf
        for _ in range(20):
            start = time.perf_counter()
            x.T @ np.tanh(x @ weights)
            best = min(best, time.perf_counter() - start)
        each.append(best / B)
    got = np.array(each)
    drawing = Drawing("This machine: time of an example by the batch's size", "B", "seconds")
    drawing.line("one layer's gradient", "measured", sizes, got)
    drawing.line("a 256th of a batch of 256", "control", sizes, np.full(sizes.size, got[-1]))
    numbers = {"one by one, over a batch of 256": float(got[0] / got[-1])}
    return Found(False, True, True, numbers, drawing.done())


CLAIMS = {
    "adam_step_bound": Claim(
        "A step of Adam moves no parameter further than lr (1 - beta1) / sqrt(1 - beta2).",
        "That is of one spike after zeros, 3.16 lr. The bound is lr (1 - beta1) / sqrt((1 - beta2) "
        "(1 - beta1^2 / beta2)), 7.27 lr, which gradients growing by beta2 / beta1 attain.",
        "Cauchy and Schwarz; D. P. Kingma, J. Ba, arXiv:1412.6980, section 2.1, for the claim",
        _adam,
    ),
    "one_cycle_plateau": Claim(
        "One-cycle warms up, stays on a plateau, and anneals.",
        "It rises to the peak and falls to where it began in as many steps, then by orders of "
        "magnitude; the peak is one step. What has a plateau is warm-up, stable, decay.",
        "L. N. Smith, N. Topin, arXiv:1708.07120; L. N. Smith, arXiv:1803.09820",
        _one_cycle,
    ),
    "one_by_one_speed": Claim(
        "256 images one by one take 5 to 10 times as long as in one batch.",
        "That is a number of a machine, of a model and of a day; no theorem decides it.",
        "measured here, where the page was made",
        _batch_speed,
        hardware=True,
    ),
    "transformer_schedule": Claim(
        "The Transformer's original schedule is lr / sqrt(t).",
        "d^-1/2 min(s^-1/2, s 4000^-3/2), s from 1: a linear warm-up, no free factor, a peak of "
        "6.99e-4 at d = 512.",
        "A. Vaswani et al., arXiv:1706.03762, equation 3",
        _transformer,
    ),
}

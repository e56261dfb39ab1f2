"""Claims about step sizes that decrease."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from truestep.properties.claims.claim import Claim, Drawing, Found, near, slope
from truestep.reference.schedules import power


def _inverse_sqrt(_: int) -> Found:
    """Sums of squares over [2^k, 2^(k+1)): none of 1/sqrt(t) is below 1/2, so they diverge."""
    root, full = (power.certificate(power.Hyper(power=p)) for p in (0.5, 1.0))
    k = np.arange(20)
    t = np.arange(1, 2**20)
    blocks = [slice(2**i - 1, 2 ** (i + 1) - 1) for i in k]
    of_root = np.array([np.sum(1 / t[b]) for b in blocks])
    of_full = np.array([np.sum(1 / t[b] ** 2.0) for b in blocks])
    # E x^2 of SGD on lambda x^2 / 2 with noise 1 and steps c / sqrt(t), exactly.
    c, rate, second = 0.5, 2.0, 1.0
    for a in c / np.sqrt(np.arange(1, 200_001)):
        second = (1 - a * rate) ** 2 * second + a * a
    due = c / np.sqrt(200_000) / (2 * rate)
    drawing = Drawing(
        "Sums of squared steps over [2^k, 2^(k+1))", "first t of the block", "sum of a_t^2"
    )
    drawing.band("1/2 to 1, which never becomes small", 2.0**k, 0.5 + 0 * k, 1.0 + 0 * k)
    drawing.line("1/sqrt(t)", "measured", 2.0**k, of_root)
    drawing.line("1/t, whose blocks halve", "control", 2.0**k, of_full)
    diverge = bool(np.all(of_root >= 0.5))
    return Found(
        claimed=root.sum_diverges is True and root.squares_converge is True,
        corrected=diverge and root.squares_converge is False and near(second, due, 0.02),
        control=full.squares_converge is True and bool(np.all(of_full <= 2.0**-k)),
        numbers={"last block of 1/t": float(of_root[-1]), "E x^2 at 200000": float(second),
                 "a / (2 lambda)": float(due)},
        chart=drawing.done(),
    )  # fmt: skip


def _decaying(_: int) -> Found:
    """Without noise, on lambda x^2 / 2: |x_T| is a product; a linear rate has its log grow as T."""
    rate, c = 1.0, 0.75
    t = np.geomspace(100, 1_000_000, 17).round()
    log_power = gammaln(t + 1 - c * rate) - gammaln(t + 1) - gammaln(1 - c * rate)
    all_steps = np.arange(1, 1_000_001)
    log_root = np.cumsum(np.log(np.abs(1 - c * rate / np.sqrt(all_steps))))[t.astype(int) - 1]
    constant = t * np.log(1 - 0.001 * rate)
    drawing = Drawing(
        "Without noise: log of 1 / |x_T|, a straight line of slope 1 for a linear rate", "T",
        "log 1 / |x_T|",
    )  # fmt: skip
    drawing.line("a = 0.75 / t", "measured", t, -log_power)
    drawing.line("c lambda log T", "exact", t, c * rate * np.log(t))
    drawing.line("2 c lambda sqrt(T)", "bound", t, 2 * c * rate * np.sqrt(t))
    drawing.line("0.75 / sqrt(t)", "measured", t, -log_root)
    drawing.line("constant step 0.001", "control", t, -constant)
    found = slope(t, np.exp(log_power))
    growth = [slope(t, -x) for x in (log_power, log_root, constant)]
    return Found(
        claimed=growth[0] > 0.99,
        corrected=abs(found + c * rate) < 1e-3 and abs(growth[1] - 0.5) < 0.02,
        control=abs(growth[2] - 1) < 1e-12,
        numbers={"power of T, 0.75 / t": found, "in the exponent, 0.75 / sqrt(t)": growth[1]},
        chart=drawing.done(),
    )  # fmt: skip


def _averaged(_: int) -> Found:
    """Steps 1/t on G |x| from 1, G = 1 / (2 H_T): the average is on its way, 1 / log T is left."""
    t = np.array([10, 100, 1_000, 10_000, 100_000, 1_000_000])
    harmonic = np.cumsum(1 / np.arange(1, t[-1] + 1))
    gaps, strong = [], []
    for T in t:
        h = harmonic[:T]
        slope_of_f = 1 / (2 * h[-1])
        gaps.append(slope_of_f * (1 - slope_of_f * np.mean(h)))
        # Steps 1 / (lambda t) on x^2 / 2 with noise 1: the average is a sum of weighted noises.
        weights = (h[-1] - np.concatenate([[0.0], h[:-1]])) / T
        strong.append(np.sum(weights**2) / 2)
    gap, strongly = np.array(gaps), np.array(strong)
    # (D^2 + G^2 sum a^2) / (2 sum a), the bound of the average, at this D and G.
    G = 1 / (2 * harmonic[t - 1])
    bound = (1 + G**2 * np.pi**2 / 6) / (2 * harmonic[t - 1])
    drawing = Drawing("Gap of the averaged iterate at steps 1/t", "T", "f - minimum")
    drawing.line("merely convex, worst slope", "measured", t, gap)
    drawing.line("1 / (4 H_T)", "exact", t, 1 / (4 * harmonic[t - 1]))
    drawing.line("upper bound", "bound", t, bound)
    drawing.line("strongly convex", "control", t, strongly)
    claimed = gap * t / np.log(t)
    return Found(
        claimed=bool(claimed[-1] <= claimed[0]),
        corrected=bool(np.all(gap >= 1 / (4 * harmonic[t - 1])) and np.all(gap <= bound)),
        control=bool(np.all(strongly <= (1 + np.log(t)) / (2 * t) * 2)),
        numbers={"gap at 10^6, merely convex": float(gap[-1]),
                 "strongly convex": float(strongly[-1])},
        chart=drawing.done(),
    )  # fmt: skip


CLAIMS = {
    "averaging_of_convex": Claim(
        "Averaged iterates converge at O(log T / T) for convex functions with steps of Robbins and "
        "Monro.",
        "That is of strongly convex functions with steps 1/(mu t), and weights or suffixes remove "
        "the log. Merely convex functions leave 1/sqrt(T) at best, and steps 1/t only 1/log T.",
        "A. Nemirovski et al., SIAM J. Optim. 19, 2009; S. Shalev-Shwartz et al., 2011",
        _averaged,
    ),
    "inverse_sqrt_steps": Claim(
        "Steps c/sqrt(t) satisfy both conditions of Robbins and Monro.",
        "The sum of their squares is infinite, as the harmonic series is. On strongly convex "
        "quadratics E |x - x*|^2 tends to 0 all the same, as a_t sigma^2 / (2 lambda).",
        "H. Robbins, S. Monro, Ann. Math. Statist. 22, 1951",
        _inverse_sqrt,
    ),
    "linear_rate_of_decaying_steps": Claim(
        "On smooth, strongly convex functions SGD with decaying steps converges linearly.",
        "A linear rate takes steps that stay above a constant, and no noise. Steps c/t give "
        "t^(-c lambda) without noise, c/sqrt(t) give exp(-2 c lambda sqrt(t)); with noise O(1/t).",
        "L. Bottou, F. E. Curtis, J. Nocedal, SIAM Review 60, 2018, section 4",
        _decaying,
    ),
}

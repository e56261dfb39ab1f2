"""M-SVAG, momentum damped where gradients vary (Balles & Hennig 2018).

Rule
    g_t = -g when maximizing, else g
    m_t = beta m_{t-1} + (1 - beta) g_t;  v_t = beta v_{t-1} + (1 - beta) g_t^2
    m_hat = m_t / (1 - beta^t);  v_hat = v_t / (1 - beta^t)
    rho = min((1 - beta)^2 (1 - beta^2t) / ((1 - beta^t)^2 (1 - beta^2)), 0.9999)
    s_t = (v_hat - m_hat^2) / (1 - rho)
    f_t = m_hat^2 / (m_hat^2 + rho s_t), between 0 and 1, and 0 where that is 0/0 or unknown
    p_t = p_{t-1} - lr f_t m_hat

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr >= 0 and finite; 0 <= beta < 1.

Choices
    The paper's rho is 1 in the first step, where s is 0/0; the authors' code caps it, and brings
    what rounding does to f back into [0, 1].

Special cases
    g = 0 from the start leaves p as it is. Gradients that do not change have s = 0 and f = 1. nan
    in g poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly. In the first steps s is what is left of a
    difference, ten thousand times, and f may be off by a thousandth.

Sources
    L. Balles, P. Hennig, "Dissecting Adam: The Sign, Magnitude and Variance of Stochastic
    Gradients", ICML 2018 (arXiv:1705.07774), Algorithm 2 and equation (19). The authors' code,
    lballes/msvag, msvag.py, for the cap and the clip.
"""

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, First, Rate, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS: dict[str, dict[str, str]] = {}
# Of rho, the authors' number.
CAP = 0.9999


class Hyper(declared.Hyper):
    """Hyperparameters of M-SVAG; the defaults are the paper's."""

    lr: Rate = 0.1
    beta: Beta = 0.9
    maximize: Switch = False


class State(declared.State):
    """Moments m and v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    m = h.beta * s.m + (1 - h.beta) * g
    v = h.beta * s.v + (1 - h.beta) * (g * g)
    left = 1 - h.beta**t
    m_hat, v_hat = m / left, v / left
    rho = (1 - h.beta) ** 2 * (1 - h.beta ** (2 * t)) / (left * left * (1 - h.beta**2))
    rho = np.minimum(rho, CAP)
    square = m_hat * m_hat
    variance = (v_hat - square) / (1 - rho)
    total = square + rho * variance
    factor = square / np.where(total == 0, 1.0, total)
    factor = np.clip(np.where(np.isnan(factor), 0.0, factor), 0.0, 1.0)
    return State(t=t, m=m, v=v), p - h.lr * (factor * m_hat)

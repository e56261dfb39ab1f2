"""The perceptron's error-correction rule (Rosenblatt 1958).

Rule
    (x, y) = one example: input, in the gradient's place, and response y = 1 or -1
    p_t = p_{t-1} + lr y x if y <p_{t-1}, x> <= 0, else p_{t-1}

Shapes
    p, x: one shape, any rank; y: 0-d. t: the number of examples seen.

Domain
    lr >= 0 and finite. y = 1 or -1 is assumed, not checked: another y scales the correction.

Choices
    tie: a score of 0 counts as a mistake ("mistake"), so that p = 0 learns; implementations that
    test for a strictly negative score never leave p = 0 ("correct"); JAX's gradient of
    max(0, -score) at a tie is half of that of a mistake ("half").
    form: an example that is no mistake is passed over ("branch"); as the gradient of a loss its
    correction is multiplied by 0 ("factor"), so that nan and inf in x reach p.
    A bias is one more element of p whose x is 1.

Special cases
    x = 0 leaves p as it is. A nan score is no mistake, which leaves p as it is but for what form
    says; an infinite x with a mistake makes p infinite. Empty p scores 0 and stays empty.

Judged
    p by the bounded contract, where the score's sign is decided; t exactly.

Sources
    F. Rosenblatt, "The perceptron: a probabilistic model for information storage and organization
    in the brain", Psychological Review 65 (1958). A. Novikoff, "On convergence proofs on
    perceptrons", Symposium on the Mathematical Theory of Automata 12 (1962), for the mistake
    bound.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Rate
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# The score sums over the whole tensor.
FACTS = Facts(elementwise=False, inputs={"response": lambda shape: ()})
DIALECTS = {
    "form": {
        "branch": "an example that is no mistake is passed over",
        "factor": "the correction of an example that is no mistake is multiplied by zero",
    },
    "tie": {
        "mistake": "a score of zero is corrected",
        "correct": "a score of zero is left alone",
        "half": "a score of zero is corrected by half",
    },
}


class Hyper(declared.Hyper):
    """The learning rate, which from p = 0 only scales p, and what a score of zero means."""

    lr: Rate = 1.0
    form: Literal["branch", "factor"] = "branch"
    tie: Literal["mistake", "correct", "half"] = "mistake"


class State(declared.State):
    """The number t of examples seen."""

    t: int


def init(h: Hyper, p: Array) -> State:
    """The state before the first example: t = 0."""
    return State(t=0)


def step(h: Hyper, s: State, p: Array, g: Array, *, response: Array) -> tuple[State, Array]:
    """One step from state s at p with the example (g, response): the new state and the new p."""
    x, y = g, response
    score = y * np.sum(p * x)
    if h.tie == "half":
        y = np.where(score < 0, y, y / 2)
    mistake = score < 0 if h.tie == "correct" else score <= 0
    if h.form == "factor":
        return State(t=s.t + 1), p + h.lr * np.where(mistake, y, 0 * y) * x
    return State(t=s.t + 1), np.where(mistake, p + h.lr * y * x, p)

"""Steps in NumPy are understood as people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from truestep import wrap
from truestep.fast.discovery import BrokenBackend

Array = Any


def one_by_one(
    w: Array, dw: Array, m: Array, v: Array, t: int, lr: float = 1e-3, beta1: float = 0.9,
    beta2: float = 0.999, epsilon: float = 1e-8,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Adam that is handed its moments and the number of the step."""
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    root = np.sqrt(v / (1 - beta2**t)) + epsilon
    return w - lr * (m / (1 - beta1**t)) / root, m, v


def in_place(w: Array, dw: Array, v: Array, learning_rate: float = 0.01, mu: float = 0.9) -> None:
    """Momentum that writes what it is handed."""
    v[...] = mu * v + dw
    w -= learning_rate * v


class Moments(NamedTuple):
    """State of AdamW."""

    t: int
    m: Array
    v: Array


def from_none(
    grads: Array, params: Array, state: Moments | None = None, lr: float = 1e-3, b1: float = 0.9,
    b2: float = 0.999, eps: float = 1e-8, wd: float = 0.01,
) -> tuple[Array, Moments]:  # fmt: skip
    """AdamW that begins with None, and keeps a tuple."""
    state = state or Moments(0, np.zeros_like(params), np.zeros_like(params))
    t, m = state.t + 1, b1 * state.m + (1 - b1) * grads
    v = b2 * state.v + (1 - b2) * grads * grads
    step = lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
    return params * (1 - lr * wd) - step, Moments(t, m, v)


def change(
    g: Array, state: dict[str, Array], lr: float = 1e-4, b1: float = 0.9, b2: float = 0.99
) -> tuple[Array, dict[str, Array]]:
    """Lion that returns what is to be added."""
    m = state.get("m", np.zeros_like(g))
    return -lr * np.sign(b1 * m + (1 - b1) * g), {"m": b2 * m + (1 - b2) * g}


class ByName:
    """Adam of a dictionary, with an epsilon that is no argument, before the correction."""

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999) -> None:
        self.lr, self.beta1, self.beta2, self.iter = lr, beta1, beta2, 0
        self.m: dict[str, Array] = {}
        self.v: dict[str, Array] = {}

    def update(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        """Write the parameters."""
        self.iter += 1
        rate = self.lr * np.sqrt(1 - self.beta2**self.iter) / (1 - self.beta1**self.iter)
        for key, g in grads.items():
            m, v = self.m.get(key, 0 * g), self.v.get(key, 0 * g)
            self.m[key] = m + (1 - self.beta1) * (g - m)
            self.v[key] = v + (1 - self.beta2) * (g**2 - v)
            params[key] -= rate * self.m[key] / (np.sqrt(self.v[key]) + 1e-7)


class InLists:
    """Momentum that holds the rate, of lists that it returns."""

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.9) -> None:
        self.learning_rate, self.momentum, self.velocities = learning_rate, momentum, []  # type: ignore[var-annotated]

    def step(self, params: list[Array], grads: list[Array]) -> list[Array]:
        """New parameters."""
        old = self.velocities or [np.zeros_like(p) for p in params]
        pairs = zip(old, grads, strict=True)
        self.velocities = [self.momentum * v - self.learning_rate * g for v, g in pairs]
        return [p + v for p, v in zip(params, self.velocities, strict=True)]


class Alone:
    """RMSprop of one array and the number of the step, whose state begins as 0."""

    def __init__(self, lr: float = 0.01, decay: float = 0.9, eps: float = 1e-8) -> None:
        self.lr, self.decay, self.eps, self.cache = lr, decay, eps, 0.0

    def update(self, t: int, w: Array, dw: Array) -> Array:
        """A new parameter."""
        self.cache = self.decay * self.cache + (1 - self.decay) * dw**2
        return w - self.lr * dw / (np.sqrt(self.cache) + self.eps)


class Owner:
    """Adagrad that owns its parameters."""

    def __init__(self, params: list[Array], lr: float = 0.01, eps: float = 1e-10) -> None:
        self.params, self.lr, self.eps = params, lr, eps
        self.sums = [np.zeros_like(p) for p in params]

    def step(self, grads: list[Array]) -> None:
        """Write them."""
        for p, g, total in zip(self.params, grads, self.sums, strict=True):
            total += g * g
            p -= self.lr * g / (np.sqrt(total) + self.eps)


@pytest.mark.parametrize(
    ("made", "rule", "due"),
    [
        (one_by_one, "adam", "judged as adam; m is m, v is v, t is count of calls;"),
        (in_place, "sgd", "judged as sgd; b is v;"),
        (from_none, "adamw", "judged as adamw, decay before; m is m, v is v, t is t;"),
        (change, "lion", "judged as lion; m is m;"),
        (ByName, "adam", "judged as adam, eps_placement before_correction; m is m, v is v, t is i"),
        (InLists, "nesterov", "judged as nesterov; u is velocities;"),
        (Alone, "rmsprop", "judged as rmsprop; v is cache, t is count of calls,"),
        (Owner, "adagrad", "judged as adagrad; total is sums;"),
    ],
)
def test_how_people_write_steps(made: Callable[..., Any], rule: str, due: str) -> None:
    """The rule's form and where its state is."""
    assert wrap.callable(made, rule).declaration.startswith(due)


def test_a_constant_of_its_own_lines_is_found() -> None:
    """A usual epsilon would agree as well on a run's tensors."""
    assert wrap.callable(ByName, "adam").found.fixed["eps"] == 1e-7


def test_a_count_of_parameters_in_the_place_of_steps_is_told() -> None:
    """One alone would be right."""

    class CountsEach(ByName):
        def update(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
            for key in params:
                one = {key: params[key]}
                super().update(one, {key: grads[key]})
                params[key] = one[key]

    with pytest.raises(BrokenBackend, match="of two parameters in one optimizer the first is ste"):
        wrap.callable(CountsEach, "adam")


def test_a_wrong_slot_is_told() -> None:
    """A second moment of g in the place of its square is no form of Adam."""

    def wrong(
        w: Array, dw: Array, m: Array, v: Array, t: int, lr: float = 1e-3, beta1: float = 0.9,
        beta2: float = 0.999, epsilon: float = 1e-8,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        w, m, _ = one_by_one(w, dw, m, v, t, lr, beta1, beta2, epsilon)
        return w, m, beta2 * v + (1 - beta2) * dw

    with pytest.raises(BrokenBackend, match="does not compute adam in any form"):
        wrap.callable(wrong, "adam")

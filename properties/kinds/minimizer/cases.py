"""Cases of rules that evaluate the function: a drawn problem, a start, and how far the rule is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from truestep.properties.arithmetic.formats import Format
from truestep.properties.cases.hypers import hypers
from truestep.properties.cases.restored import recorded
from truestep.properties.cases.tensors import TensorSpec
from truestep.reference.problems import logistic, quadratic

Float = NDArray[np.float64]
Function = Callable[[Float], tuple[Float, Float]]

PROBLEMS = ("quadratic", "logistic", "rosenbrock", "saddle")
SHAPES = ((2,), (5,), (1,), (3, 4), (17,), ())


@dataclass(frozen=True, slots=True)
class ProblemSpec:
    """A function of tensors of that shape: a kind with its seed, times 10^exponent.

    kind: "quadratic", convex, eigenvalues over 10^-condition..1, least at zero; "logistic", a
    regression; "rosenbrock", a curved valley; "saddle", a quadratic with a falling direction;
    "flat", constant.
    """

    kind: str
    shape: tuple[int, ...]
    seed: int = 0
    exponent: int = 0
    condition: int = 1


@dataclass(frozen=True, slots=True)
class MinimizerCase:
    """Hyperparameters by field, the problem, the start, and consecutive steps from a state.

    history: steps that the reference makes first, so that the memory is filled.
    """

    hyper: Mapping[str, object]
    problem: ProblemSpec
    start: TensorSpec
    history: int = 0
    steps: int = 3

    def to_json(self) -> dict[str, object]:
        """A dictionary that json accepts and restored reads back exactly."""
        return recorded(self)


def function_of(spec: ProblemSpec, format: Format) -> Function:
    """The function: value and gradient in float64, each then rounded to the format.

    This, with its roundings, is what a backend minimizes and what the reference evaluates.
    """
    exact, scale = KINDS[spec.kind](spec), 10.0**spec.exponent
    shape = spec.shape

    def rounded(x: Float) -> tuple[Float, Float]:
        with np.errstate(all="ignore"):
            value, gradient = exact(np.asarray(x, dtype=np.float64).reshape(-1))
            return (
                format.round(np.asarray(scale * value)),
                format.round(scale * gradient).reshape(shape),
            )

    return rounded


def _size(spec: ProblemSpec) -> int:
    return int(np.prod(spec.shape))


def _quadratic(spec: ProblemSpec, sign: float = 1.0) -> Function:
    n = _size(spec)
    spectrum = list(np.logspace(-spec.condition, 0, n)) if n > 1 else [0.7] * n
    if n:
        spectrum[0] *= sign
    problem = quadratic.with_spectrum(spectrum, [0.0] * n, [0.0] * n, spec.seed)
    return lambda x: (quadratic.value(problem, x), quadratic.gradient(problem, x))


def _logistic(spec: ProblemSpec) -> Function:
    rng = np.random.default_rng(spec.seed)
    A = rng.standard_normal((12, _size(spec)))
    labels = np.where(rng.random(12) < 0.5, -1.0, 1.0)
    problem = logistic.Problem(A, labels, l2=10.0**-spec.condition)
    return lambda x: (logistic.value(problem, x), logistic.gradient(problem, x))


def _rosenbrock(spec: ProblemSpec) -> Function:
    def function(x: Float) -> tuple[Float, Float]:
        a, b = 1 - x[:-1], x[1:] - x[:-1] * x[:-1]
        value = np.sum(a * a + 10 * b * b) + x[-1:].sum() ** 2 / 100
        gradient = np.concatenate([-2 * a - 40 * b * x[:-1], x[-1:] / 50])
        gradient[1:] += 20 * b
        return value, gradient

    return function


def _flat(spec: ProblemSpec) -> Function:
    return lambda x: (np.asarray(1.0), np.zeros_like(x))


KINDS: dict[str, Callable[[ProblemSpec], Function]] = {
    "flat": _flat,
    "logistic": _logistic,
    "quadratic": _quadratic,
    "rosenbrock": _rosenbrock,
    "saddle": lambda spec: _quadratic(spec, -1.0),
}


def cases(
    rule: Any,
    dialect: Mapping[str, str],
    fixed: Mapping[str, Any],
    *,
    kinds: tuple[str, ...] = PROBLEMS,
    shapes: tuple[tuple[int, ...], ...] = SHAPES,
    exponents: tuple[int, int] = (-1, 1),
    conditions: tuple[int, int] = (0, 2),
    starts: tuple[str, ...] = ("normal", "spread"),
    scales: tuple[int, int] = (-1, 1),
    histories: tuple[int, int] = (0, 0),
    memories: tuple[int, ...] = (3, 10),
    steps: tuple[int, int] = (1, 3),
) -> st.SearchStrategy[MinimizerCase]:
    """Cases of a rule on problems and starts of these kinds, sizes and scales."""
    problem = st.builds(
        ProblemSpec,
        kind=st.sampled_from(kinds),
        shape=st.sampled_from(shapes),
        seed=st.integers(0, 2**16),
        exponent=st.integers(*exponents),
        condition=st.integers(*conditions),
    )
    start = st.builds(
        TensorSpec,
        shape=st.just(()),
        kind=st.sampled_from(starts),
        seed=st.integers(0, 2**16),
        exponent=st.integers(*scales),
    )
    if "memory" in rule.Hyper.RANGES:
        fixed = {"memory": memories, **fixed}
    return st.builds(
        MinimizerCase,
        hyper=hypers(rule, dialect, fixed),
        problem=problem,
        start=start,
        history=st.integers(*histories),
        steps=st.integers(*steps),
    ).map(lambda case: replace(case, start=replace(case.start, shape=case.problem.shape)))

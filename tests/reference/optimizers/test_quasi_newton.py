"""L-BFGS, online L-BFGS and mL-BFGS: exact algebra in rational numbers, searches, golden traces.

Over 300 lines: each rule of the family by hand and by its identities.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from truestep.reference import line_search
from truestep.reference.optimizers import lbfgs, ml_lbfgs, online_lbfgs
from truestep.reference.problems import logistic, quadratic

RNG = np.random.default_rng(11)


def _rational(x: Any) -> Any:
    """The numbers as an object array of fractions with small denominators."""
    return np.vectorize(lambda v: Fraction(int(v), 7), otypes=[object])(np.asarray(x))


def _integers(*shape: int) -> Any:
    return RNG.integers(-9, 10, shape)


def _identity(n: int) -> Any:
    return _rational(7 * np.eye(n))


def _convex_pairs(n: int, m: int) -> tuple[Any, Any, Any]:
    """Steps, changes = A steps with A symmetric positive definite, and their rho."""
    root = _rational(_integers(n, n))
    A = root @ root.T + _identity(n)
    steps = _rational(_integers(m, n))
    changes = steps @ A
    return steps, changes, 1 / np.sum(steps * changes, axis=1)


def _dense(steps: Any, changes: Any, rho: Any, gamma: Any) -> Any:
    """H by the matrix recursion H+ = (I - rho s y') H (I - rho y s') + rho s s'."""
    identity = _identity(steps.shape[1])
    H = gamma * identity
    for s, y, r in zip(steps, changes, rho, strict=True):
        left = identity - r * np.outer(s, y)
        H = left @ H @ left.T + r * np.outer(s, s)
    return H


@pytest.mark.parametrize(("n", "m"), [(1, 1), (4, 1), (5, 3), (3, 6)])
def test_two_loops_are_the_dense_recursion(n: int, m: int) -> None:
    """H g by the two loops is H g by BFGS's matrices, in rational numbers, as fractions equal."""
    steps, changes, rho = _convex_pairs(n, m)
    g = _rational(_integers(n))
    for gamma in (Fraction(1), Fraction(3, 11)):
        due = _dense(steps, changes, rho, gamma) @ g
        assert list(lbfgs.two_loop(steps, changes, rho, gamma, g)) == list(due)


def test_pairs_that_are_not_kept_change_nothing() -> None:
    """rho = 0 marks a place of the memory without a pair, whatever lies in it."""
    steps, changes, rho = _convex_pairs(4, 3)
    g = _rational(_integers(4))
    due = lbfgs.two_loop(steps[1:], changes[1:], rho[1:], Fraction(2), g)
    rho[0] = Fraction(0)
    assert list(lbfgs.two_loop(steps, changes, rho, Fraction(2), g)) == list(due)


def test_the_secant_equation_holds_for_the_last_pair() -> None:
    """H y = s exactly; it holds for the pair before only by chance."""
    steps, changes, rho = _convex_pairs(5, 3)
    last = lbfgs.two_loop(steps, changes, rho, Fraction(2, 3), changes[-1])
    assert list(last) == list(steps[-1])
    before = lbfgs.two_loop(steps, changes, rho, Fraction(2, 3), changes[-2])
    assert list(before) != list(steps[-2])


def test_the_direction_turns_with_the_coordinates() -> None:
    """Rotated pairs and gradient give the rotated direction: a rational rotation, exactly."""
    steps, changes, rho = _convex_pairs(2, 2)
    g = _rational(_integers(2))
    Q = np.array([[Fraction(3, 5), Fraction(-4, 5)], [Fraction(4, 5), Fraction(3, 5)]])
    turned = lbfgs.two_loop(steps @ Q.T, changes @ Q.T, rho, Fraction(1), Q @ g)
    assert list(turned) == list(Q @ lbfgs.two_loop(steps, changes, rho, Fraction(1), g))


def test_a_quadratic_is_minimized_in_n_steps_by_exact_line_searches() -> None:
    """Directions are conjugate, the gradient is zero after n steps and not before, H is A^-1."""
    n = 4
    root = _rational(_integers(n, n))
    A = root @ root.T + _identity(n)
    x = _rational(_integers(n))
    steps, changes, rho = [], [], []
    g = A @ x
    for k in range(n):
        assert any(g != 0), f"zero gradient after {k} steps"
        gamma = Fraction(1) if not steps else Fraction(5, 3)
        pairs = [np.array(a, dtype=object) for a in (steps, changes, rho)]
        d = -lbfgs.two_loop(*pairs, gamma, g)
        assert all(s @ A @ d == 0 for s in steps)
        s = -(g @ d) / (d @ A @ d) * d
        x = x + s
        steps, changes, rho = [*steps, s], [*changes, A @ s], [*rho, 1 / (s @ A @ s)]
        g = A @ x
    assert all(g == 0)
    H = _dense(*[np.array(a, dtype=object) for a in (steps, changes, rho)], Fraction(1))
    assert np.array_equal(H @ A, _identity(n))


def _rosenbrock(x: Any) -> tuple[Any, Any]:
    a, b = 1 - x[:-1], x[1:] - x[:-1] * x[:-1]
    g = np.concatenate([-2 * a - 40 * b * x[:-1], np.zeros(1)])
    g[1:] += 20 * b
    return np.sum(a * a + 10 * b * b), g


def _problems() -> dict[str, Callable[[Any], tuple[Any, Any]]]:
    bowl = quadratic.with_spectrum([0.01, 0.5, 1.0, 3.0], [0] * 4, [1.0, -2.0, 0.5, 0.0], 3)
    fit = logistic.Problem(RNG.standard_normal((9, 4)), np.where(RNG.random(9) < 0.5, -1, 1), 0.1)
    return {
        "logistic": lambda x: (logistic.value(fit, x), logistic.gradient(fit, x)),
        "quadratic": lambda x: (quadratic.value(bowl, x), quadratic.gradient(bowl, x)),
        "rosenbrock": _rosenbrock,
    }


PROBLEMS = _problems()
START = np.array([-1.2, 1.0, 0.5, -0.8])


@pytest.mark.parametrize("trial", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("search", ["strong_wolfe", "strong_wolfe_cubic"])
def test_the_strong_wolfe_conditions_hold_at_the_step_that_is_returned(
    search: str, problem: str, trial: float
) -> None:
    """Both conditions, at a step that the search evaluated, from a far too short or long start."""
    f = PROBLEMS[problem]
    value, g = f(START)
    slope = -(g @ g)
    tried: dict[float, tuple[Any, Any]] = {}

    def phi(a: Any) -> tuple[Any, Any]:
        there, gradient = f(START - a * g)
        tried[float(a)] = there, gradient @ -g
        return tried[float(a)]

    more = {"least": 0.0} if search == "strong_wolfe_cubic" else {}
    for c2 in (0.9, 0.1):
        tried.clear()
        found = getattr(line_search, search)
        a = found(phi, value, slope, trial, c1=1e-4, c2=c2, evaluations=60, **more)
        there, there_slope = tried[float(a)]
        assert there <= value + 1e-4 * a * slope
        assert abs(there_slope) <= -c2 * slope


def test_a_search_makes_no_more_evaluations_than_it_is_given() -> None:
    """On a function that falls for ever a bracket grows until the evaluations are used up."""
    calls = []

    def phi(a: Any) -> tuple[Any, Any]:
        calls.append(a)
        return -a - a * a * a / 8, -1.0 - 3 * a * a / 8

    for evaluations in (1, 2, 7):
        calls.clear()
        a = line_search.strong_wolfe(phi, 0.0, -1.0, 1.0, c1=0.1, c2=0.5, evaluations=evaluations)
        assert len(calls) == evaluations and a == 2.0 ** (evaluations - 1)
        calls.clear()
        line_search.strong_wolfe_cubic(
            phi, 0.0, -1.0, 1.0, c1=0.1, c2=0.5, evaluations=evaluations, least=0.0
        )
        assert len(calls) == evaluations + 1


def test_backtracking_takes_the_first_power_with_sufficient_decrease() -> None:
    """f = a^2 - a from slope -1: a <= 1 - c1 decreases enough, so 4 is halved three times."""
    a = line_search.backtracking(
        lambda a: (a * a - a, 2 * a - 1), 0.0, -1.0, 4.0, c1=0.25, shrink=0.5, evaluations=25
    )
    assert a == 0.5


def test_the_cubic_through_two_points_has_its_minimum_found() -> None:
    """a^3 - 3 a is least at 1; outside the interval its nearer end is taken."""

    def point(a: float) -> tuple[Any, Any, Any]:
        return np.float64(a), a**3 - 3 * a, 3 * a * a - 3

    for ends in ((point(0.0), point(2.0)), (point(2.0), point(0.0))):
        assert line_search.cubic_minimum(*ends, 0.0, 2.0) == 1.0
        assert line_search.cubic_minimum(*ends, 1.5, 2.0) == 1.5


@pytest.mark.parametrize("search", ["strong_wolfe", "strong_wolfe_cubic", "backtracking"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_step_goes_down(search: Any, problem: str) -> None:
    """Directions of descent and smaller values, until the values cannot tell any more."""
    f = PROBLEMS[problem]
    h = lbfgs.Hyper(line_search=search, memory=3)
    s, p = lbfgs.init(h, START), START
    for _ in range(8):
        value, g = f(p)
        s, p = lbfgs.step(h, s, p, f)
        assert g @ s.step < 0
        assert f(p)[0] < value


# torch.optim.LBFGS (PyTorch 2.13), float64, max_iter=1, no tolerances, history_size=2, from START
# on the function above: without line search at lr 0.5, with strong_wolfe at lr 1.
TRACES = {
    "none": [
        "-1.011577082103 0.917306556409 0.426166568222 -0.644949793266",
        "-0.908490222155 0.741969545550 0.366478002086 -0.424616577615",
        "-0.808491657027 0.691795076582 0.311805177722 -0.189085601058",
        "-0.759809138729 0.599542322478 0.343709283653 -0.016453631121",
        "-0.702421482018 0.589540811609 0.357164514820 0.069114593566",
    ],
    "strong_wolfe_cubic": [
        "-0.823154164206 0.834613112817 0.352333136444 -0.489899586533",
        "-0.716116548133 0.466732277280 0.287437960983 -0.111701404527",
        "-0.638854064763 0.456422135217 0.242112140594 0.042424230895",
        "-0.586843129589 0.451154782914 0.263669852888 0.071608538369",
        "-0.559447294641 0.443194285994 0.275151336317 0.079389626159",
    ],
}


@pytest.mark.parametrize("search", TRACES)
def test_five_steps_reach_what_torch_recorded(search: Any) -> None:
    """Each element equals the recorded one to its last printed digit."""
    h = lbfgs.Hyper(
        lr=0.5 if search == "none" else 1.0,
        memory=2,
        accept="curvature",
        first_step="l1",
        line_search=search,
        stalled="recorded",
    )
    s, p = lbfgs.init(h, START), START
    for printed in TRACES[search]:
        s, p = lbfgs.step(h, s, p, _rosenbrock)
        assert " ".join(f"{x:.12f}" for x in p) == printed


def test_zero_gradients_and_empty_tensors_leave_everything_as_it_is() -> None:
    """Not even t counts: the same state and the same p come back."""
    h = lbfgs.Hyper()
    for p in (np.ones(3), np.ones((2, 0))):
        s = lbfgs.init(h, p)
        new, q = lbfgs.step(h, s, p, lambda x: (np.float64(1.0), np.zeros_like(x)))
        assert new is s and q is p


def test_pairs_are_accepted_by_their_curvature() -> None:
    """y' s = 1e-11, -1, 0: "positive" keeps the first, "curvature" none, "always" the first two."""
    kept = {"positive": [1, 0, 0], "curvature": [0, 0, 0], "always": [1, 1, 0]}
    for accept, due in kept.items():
        h = lbfgs.Hyper(accept=accept, memory=2)  # type: ignore[arg-type]
        for curvature, one in zip((1e-11, -1.0, 0.0), due, strict=True):
            zeros = np.zeros((2, 1))
            s = lbfgs.State(
                1, zeros, zeros, np.zeros(2), np.ones(()), np.ones(1), -np.array([curvature])
            )
            rho = lbfgs.remembered(h, s, np.zeros(1))[2]
            assert np.count_nonzero(rho) == one


def test_a_direction_of_ascent_is_not_followed_unless_asked() -> None:
    """p stays; the step kept is zero, or torch's, which was not made; optax makes it."""
    pair = np.array([[1.0]])
    s = lbfgs.State(1, pair, -pair, -np.ones(1), np.ones(()), np.zeros(1), np.ones(1))
    for stalled, end, due in (("zero", 1.0, 0.0), ("recorded", 1.0, 1.0), ("followed", 2.0, 1.0)):
        h = lbfgs.Hyper(memory=1, stalled=stalled, line_search="none")  # type: ignore[arg-type]
        new, p = lbfgs.step(h, s, np.ones(1), lambda x: (x @ x / 2, x))
        assert (p[0], new.t, new.step[0]) == (end, 2, due)


def test_zero_gradients_count_as_steps_where_nothing_is_tested() -> None:
    """stalled = "followed": t advances, p stays, and rho of the empty pair is zero."""
    h = lbfgs.Hyper(memory=1, accept="always", line_search="none", stalled="followed")
    s, p = lbfgs.init(h, np.ones(2)), np.ones(2)
    for t in (1, 2):
        s, p = lbfgs.step(h, s, p, lambda x: (np.float64(0.0), np.zeros(2)))
        np.testing.assert_array_equal(p, np.ones(2))
        assert s.t == t and np.all(s.rho == 0)


def test_nan_reaches_p_and_is_not_kept_as_a_pair() -> None:
    """Without line search p is nan after a nan gradient, and the memory stays empty."""
    h = lbfgs.Hyper(line_search="none", memory=2)
    s, p = lbfgs.step(h, lbfgs.init(h, START), START, _rosenbrock)
    s, p = lbfgs.step(h, s, p, lambda x: (np.float64(np.nan), np.full(4, np.nan)))
    assert np.all(np.isnan(p)) and np.all(s.rho == 0)


def _full_batch(h: Any, steps: int) -> Any:
    p, s = START, online_lbfgs.init(h, START)
    for _ in range(steps):
        g = PROBLEMS["quadratic"](p)[1]
        s, p = online_lbfgs.step(h, s, p, g, g_previous=g)
    return s, p


def test_without_noise_online_lbfgs_is_lbfgs_without_line_search() -> None:
    """Bit for bit: one full batch, scaled by the last pair, rate not decreasing."""
    h = online_lbfgs.Hyper(lr=0.5, tau=1e300, gamma="latest", memory=3)
    s, p = _full_batch(h, 6)
    other = lbfgs.Hyper(lr=0.5, memory=3, line_search="none")
    t, q = lbfgs.init(other, START), START
    for _ in range(6):
        t, q = lbfgs.step(other, t, q, PROBLEMS["quadratic"])
    np.testing.assert_array_equal(p, q)
    np.testing.assert_array_equal(s.changes, t.changes)


def test_online_pairs_use_one_sample_and_the_shift_lambd() -> None:
    """y = g_previous - stored gradient + lambd s, in integers; the new sample's g has no part."""
    h = online_lbfgs.Hyper(lambd=0.5, memory=1, gamma="latest")
    zeros = np.zeros((1, 2))
    s = online_lbfgs.State(1, zeros, zeros, np.zeros(1), np.array([2.0, 4.0]), np.array([1.0, 1.0]))
    new, _ = online_lbfgs.step(
        h, s, np.zeros(2), np.array([50.0, -3.0]), g_previous=np.array([3.0, 2.0])
    )
    np.testing.assert_array_equal(new.changes, [[3.0, 3.0]])
    np.testing.assert_array_equal(new.rho, [1 / 18])


def test_the_first_online_step_is_tiny_and_the_rate_falls() -> None:
    """eps lr g at first, lr times tau / (tau + t - 1) later; c divides it."""
    h = online_lbfgs.Hyper(lr=1.0, eps=0.5, c=0.25, tau=2.0)
    g = np.array([1.0, -2.0])
    _, p = online_lbfgs.step(h, online_lbfgs.init(h, g), np.zeros(2), g, g_previous=g)
    np.testing.assert_array_equal(p, -2.0 * g)
    zeros = np.zeros((10, 2))
    s = online_lbfgs.State(2, zeros, zeros, np.zeros(10), g, g)
    h = online_lbfgs.Hyper(lr=1.0, eps=0.5, tau=2.0, accept="positive")
    _, p = online_lbfgs.step(h, s, np.zeros(2), g, g_previous=np.zeros(2))
    np.testing.assert_array_equal(p, -0.25 * g)


def test_c_scales_the_rank_one_term() -> None:
    """(I - rho s y') H (I - rho y s') + c rho s s' with its two loops, as fractions."""
    steps, changes, rho = _convex_pairs(3, 1)
    s, y, r, g = steps[0], changes[0], rho[0], _rational(_integers(3))
    for rank_one, c in (("scaled", Fraction(1, 4)), ("unscaled", 1)):
        h = online_lbfgs.Hyper(gamma="latest", rank_one=rank_one)  # type: ignore[arg-type]
        object.__setattr__(h, "c", Fraction(1, 4))
        left = _identity(3) - r * np.outer(s, y)
        H = (s @ y) / (y @ y) * (left @ left.T) + c * r * np.outer(s, s)
        got = online_lbfgs.direction(h, steps, changes, rho, g)
        assert list(got) == list(H @ g)


@pytest.mark.parametrize("tau0", [Fraction(1), Fraction(4, 5)])
def test_damped_pairs_have_curvature_within_the_bounds(tau0: Fraction) -> None:
    """s' y_hat / s' s is tau mu + 1 - tau; with tau0 = 1 the bound that mu exceeds, exactly."""
    h = ml_lbfgs.Hyper()
    low, high = Fraction(1, 10), Fraction(3, 2)
    for name, value in (("sigma_low", low), ("sigma_high", high), ("tau0", tau0)):
        object.__setattr__(h, name, value)
    empty = np.zeros((1, 3), dtype=object)
    for mu in (Fraction(-5), Fraction(0), low, Fraction(2, 5), Fraction(1), high, Fraction(40)):
        s = _rational([3, -1, 2])
        sideways = _rational([1, 3, 0])
        _, changes, rho = ml_lbfgs.remembered(
            h, empty, empty, np.zeros(1, dtype=object), s, mu * s + sideways
        )
        found = (s @ changes[0]) / (s @ s)
        assert low <= found <= high
        assert rho[0] * (s @ changes[0]) == 1
        if tau0 == 1:
            assert found == min(max(mu, low), high)


def test_ml_lbfgs_takes_pairs_of_averages_every_period() -> None:
    """momentum = 1/2, period = 2: integers and halves, so that every average is exact."""
    h = ml_lbfgs.Hyper(lr=0.0, momentum=0.5, period=2, memory=2, tau0=1.0, sigma_high=1e9)
    s, p = ml_lbfgs.init(h, START), np.array([4.0])
    s = ml_lbfgs.init(h, p)
    for x, g in ((4.0, 8.0), (8.0, 12.0), (2.0, 6.0)):
        s, _ = ml_lbfgs.step(h, s, np.array([x]), np.array([g]))
    # P: 4, 6, 4; G: 8, 10, 8: no motion, no pair.
    assert np.all(s.rho == 0) and (s.mean_p[0], s.mean_g[0]) == (4.0, 8.0)
    for x, g in ((8.0, 16.0), (10.0, 20.0)):
        s, _ = ml_lbfgs.step(h, s, np.array([x]), np.array([g]))
    # P: 6, 8; G: 12, 16: s = 4, y = 8.
    assert (s.steps[1, 0], s.changes[1, 0], s.rho[1], s.rho[0]) == (4.0, 8.0, 1 / 32, 0.0)


def test_averages_that_begin_at_zero_put_p_into_the_first_pair() -> None:
    """start = "zero": the first s is (1 - momentum) p, though p never moved."""
    for start, due in (("zero", 2.0), ("first", 0.0)):
        h = ml_lbfgs.Hyper(lr=0.0, momentum=0.5, period=1, memory=1, start=start)  # type: ignore[arg-type]
        s = ml_lbfgs.init(h, np.zeros(1))
        for _ in range(2):
            s, _ = ml_lbfgs.step(h, s, np.array([8.0]), np.array([1.0]))
        assert s.mean_p[0] - (0 if start == "first" else 4.0) == (8.0 if start == "first" else due)

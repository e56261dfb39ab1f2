"""Line searches: how far to go along a direction of descent.

Over 120 lines: the searches of three rules, and the cubic steps that they share.

Rule
    phi(a) = f(p + a d), slope phi'(a) = g(p + a d)' d, both known at 0
    sufficient decrease:  phi(a) <= phi(0) + c1 a phi'(0)
    strong curvature:     |phi'(a)| <= c2 |phi'(0)|
    backtracking          a, shrink a, shrink^2 a, ... until decrease is sufficient
    strong_wolfe          Nocedal & Wright's Algorithms 3.5 and 3.6: brackets grow by doubling and
                          are halved
    strong_wolfe_cubic    minFunc's and PyTorch's: both interpolate cubically

Every search takes phi, a function a -> (phi(a), phi'(a)), what it is at 0, and the first a to try;
it makes at most so many evaluations, and gives the a that it then holds. Comparisons with nan are
false, which lets a bracket grow until the evaluations are used up.

Sources
    J. Nocedal, S. J. Wright, "Numerical Optimization", 2nd edition, 2006, section 3.5. L. Armijo,
    "Minimization of Functions having Lipschitz Continuous First Partial Derivatives", Pacific J.
    Math. 16 (1966). M. Schmidt, minFunc, as ported to torch.optim.LBFGS (PyTorch 2.13).
"""

from collections.abc import Callable

import numpy as np

from truestep.reference.validation import Array

Phi = Callable[[Array], tuple[Array, Array]]


def backtracking(
    phi: Phi, value: Array, slope: Array, a: Array, *, c1: Array, shrink: Array, evaluations: int
) -> Array:
    """The first of a, shrink a, ... with sufficient decrease; the last one tried if none has it."""
    for _ in range(evaluations - 1):
        if phi(a)[0] <= value + c1 * a * slope:
            break
        a = shrink * a
    return a


def strong_wolfe(
    phi: Phi, value: Array, slope: Array, a: Array, *, c1: Array, c2: Array, evaluations: int
) -> Array:
    """Algorithm 3.5: grow an interval until it brackets acceptable steps, then zoom."""
    previous, previous_value = 0 * a, value
    for i in range(evaluations):
        here, here_slope = phi(a)
        if here > value + c1 * a * slope or (i > 0 and here >= previous_value):
            low, low_value, high = previous, previous_value, a
            break
        if np.abs(here_slope) <= -c2 * slope:
            return a
        if here_slope >= 0:
            low, low_value, high = a, here, previous
            break
        previous, previous_value, a = a, here, 2 * a
    else:
        return previous
    for _ in range(evaluations - 1 - i):
        # Algorithm 3.6, zoom: low has the lowest value of those with sufficient decrease.
        a = (low + high) / 2
        here, here_slope = phi(a)
        if here > value + c1 * a * slope or here >= low_value:
            high = a
            continue
        if np.abs(here_slope) <= -c2 * slope:
            return a
        if here_slope * (high - low) >= 0:
            high = low
        low, low_value = a, here
    return low


def strong_wolfe_cubic(
    phi: Phi,
    value: Array,
    slope: Array,
    a: Array,
    *,
    c1: Array,
    c2: Array,
    evaluations: int,
    least: Array,
) -> Array:
    """PyTorch's: of both ends of the last bracket the one with the lower value.

    least: a shorter bracket, times max |d|, is not refined; given divided by max |d|.
    Where the first two points decrease sufficiently, the second's value may exceed the first's:
    Algorithm 3.5 compares them, this one compares from the third on.
    """
    found = phi(a)
    point, before = (a, *found), (0 * a, value, slope)
    done, used = False, 0
    while used < evaluations:
        a, here, here_slope = point
        if here > value + c1 * a * slope or (used > 1 and here >= before[1]):
            bracket = [before, point]
            break
        if np.abs(here_slope) <= -c2 * slope:
            return a
        if here_slope >= 0:
            bracket = [before, point]
            break
        a = cubic_minimum(before, point, a + 0.01 * (a - before[0]), a * 10)
        before, point, used = point, (a, *phi(a)), used + 1
    else:
        bracket = [(0 * a, value, slope), point]
    low = 0 if bracket[0][1] <= bracket[1][1] else 1
    insufficient = False
    while not done and used < evaluations:
        ends = (bracket[0][0], bracket[1][0])
        if np.abs(ends[1] - ends[0]) < least:
            break
        first, last = np.minimum(*ends), np.maximum(*ends)
        a = cubic_minimum(bracket[0], bracket[1], first, last)
        a, insufficient = _kept_inside(a, first, last, insufficient)
        point, used = (a, *phi(a)), used + 1
        if point[1] > value + c1 * a * slope or point[1] >= bracket[low][1]:
            bracket[1 - low] = point
            low = 0 if bracket[0][1] <= bracket[1][1] else 1
            continue
        if np.abs(point[2]) <= -c2 * slope:
            done = True
        elif point[2] * (bracket[1 - low][0] - bracket[low][0]) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = point
    return bracket[low][0]


def cubic_minimum(
    left: tuple[Array, Array, Array], right: tuple[Array, Array, Array], low: Array, high: Array
) -> Array:
    """Where the cubic through two points (a, phi, phi') is least, clipped to low..high.

    The middle of low and high where the cubic has no minimum.
    """
    (a, f, f_slope), (b, g, g_slope) = (left, right) if left[0] <= right[0] else (right, left)
    d1 = f_slope + g_slope - 3 * (f - g) / (a - b)
    square = d1 * d1 - f_slope * g_slope
    if not square >= 0:
        return (low + high) / 2
    d2 = np.sqrt(square)
    least = b - (b - a) * ((g_slope + d2 - d1) / (g_slope - f_slope + 2 * d2))
    return np.minimum(np.maximum(least, low), high)


def _kept_inside(a: Array, low: Array, high: Array, insufficient: bool) -> tuple[Array, bool]:
    """a, or a tenth off the nearer end where the last a came close to an end, or this one is it."""
    margin = 0.1 * (high - low)
    if not np.minimum(high - a, a - low) < margin:
        return a, False
    if not (insufficient or a >= high or a <= low):
        return a, True
    return (high - margin if np.abs(a - high) < np.abs(a - low) else low + margin), False

"""Faults in schedules of which order or shape is the point: fractal orders, milestones, ratios."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

HALF = "(1 + np.cos(PI * x)) / 2"
MIX = "return weighted(h.min_lr, h.lr, weight)"
BETWEEN = "return weighted(after, before, weight)"
RATIO = "(1 - x) / (1 - x / 2)"
WHOLE = {"knots": "whole", "after": "hold"}

chebyshev = partial(fault, "chebyshev", "schedule")
interpolate = partial(fault, "piecewise_interpolate", "schedule")
one_cycle = partial(fault, "one_cycle", "schedule")
rex = partial(fault, "rex", "schedule")

ORDERS: dict[str, Fault] = {
    "chebyshev_curvatures": chebyshev(
        "the nodes are the steps, not their inverses [curvatures taken for rates]",
        ("return h.lr / (", "return h.lr * ("),
    ),
    "chebyshev_extremes": chebyshev(
        "the places of a polynomial's extremes, not of its zeros [two families of one name]",
        ("(place(i, T) + 0.5) / T", "place(i, T) / max(T - 1, 1)"),
    ),
    "chebyshev_from_one": chebyshev(
        "half a place too far on [s - 1/2 of places that are counted from 0]",
        ("place(i, T) + 0.5", "place(i, T) - 0.5"),
    ),
    "chebyshev_in_order": chebyshev(
        "the steps come in the order of their size [a permutation left out]",
        ("(place(i, T) + 0.5)", "(i + 0.5)"),
    ),
    "chebyshev_interlaced_upwards": chebyshev(
        "the upper half is interlaced in its own order [bit reversal]",
        ("m - 1 - s if", "m // 2 + s if"),
    ),
    "chebyshev_least_curvature_forgotten": chebyshev(
        "the interval's middle is half of its upper end [an interval that begins at 0]",
        ("(h.max_curvature + h.min_curvature) / 2", "h.max_curvature / 2"),
    ),
    "chebyshev_made_once": chebyshev(
        "stays at the last step, where the first is due again [a table that is not cyclic]",
        ('min(t, T - 1) if h.after == "hold" else t % T', "min(t, T - 1)"),
        check="past_the_end",
        computes="stays at the last value",
    ),
    "chebyshev_three_times": chebyshev(
        "the first step is made three times, the last two never [pytorch-optimizer's scheduler]",
        ('max(t - 2, 0) if h.start == "late" else t', "max(t - 2, 0)"),
        computes="the first step is made three times",
    ),
    "chebyshev_upside_down": chebyshev(
        "long steps where short ones are due [a cosine's sign]",
        ("middle - radius", "middle + radius"),
    ),
    "chebyshev_whole_places": chebyshev(
        "the half is left out [nodes at the left ends of their parts]",
        ("place(i, T) + 0.5", "place(i, T)"),
    ),
    "linear_warmup_cosine_two_ahead": fault(
        "linear_warmup_cosine",
        "schedule",
        "the cosine starts two steps early [a count from one in two places]",
        ("early = 1 if", "early = 2 if"),
        dialect={"warmup": "from_one", "cosine": "ahead"},
    ),
    "one_cycle_whole_knots_rounded": one_cycle(
        "the peak's step is rounded, where it is cut off [int() and round()]",
        ("math.floor(h.pct_start * h.total_steps)", "round(h.pct_start * h.total_steps)"),
        dialect=WHOLE,
    ),
    "one_cycle_whole_knots_to_the_last": one_cycle(
        "the last step made has the last value, which is due after it [inclusive horizons]",
        ("total_steps), h.total_steps", "total_steps), h.total_steps - 1"),
        dialect=WHOLE,
    ),
    "piecewise_interpolate_clock_runs": interpolate(
        "the way to a milestone is counted from the first step [a clock that is not reset]",
        ("passed[-1] if passed else 0, coming[0]", "0, coming[0]"),
    ),
    "piecewise_interpolate_cosine": interpolate(
        "half a cosine in the place of a line [a default of the factory]",
        (f'{HALF} if h.shape == "cosine" else 1 - x', HALF),
        computes="half a cosine from milestone to milestone",
    ),
    "piecewise_interpolate_forgets": interpolate(
        "past the last milestone the first value comes back [a sum over intervals alone]",
        ("return before\n", "return h.lr\n"),
    ),
    "piecewise_interpolate_geometric": interpolate(
        "what is between two values is their geometric mean [logarithms interpolated]",
        (BETWEEN, "return after ** (1 - weight) * before**weight"),
    ),
    "piecewise_interpolate_in_8_bits": interpolate(
        "milestones are kept in 8 bits [counters of 8 bits]",
        ("h.milestones if milestone > t", "h.milestones if milestone % 256 > t"),
        check="strata",
    ),
    "piecewise_interpolate_of_the_first": interpolate(
        "every factor is one of the first value [factors that are due to accumulate]",
        ("h.gamma ** (len(passed) + coming.count(end))", "h.gamma"),
    ),
    "piecewise_interpolate_one_longer": interpolate(
        "a milestone is reached one step late [inclusive and exclusive ends]",
        ("(end - start)", "(end - start + 1)"),
    ),
    "piecewise_interpolate_quarter": interpolate(
        "a quarter of a wave between two milestones [pi and pi / 2]",
        (HALF, "np.cos(PI * x / 2)"),
        dialect={"shape": "cosine"},
    ),
    "piecewise_interpolate_repeats_once": interpolate(
        "a milestone listed twice acts once on the way to it [pytorch/pytorch#31828]",
        ("coming.count(end)", "1"),
        check="strata",
    ),
    "piecewise_interpolate_stairs": interpolate(
        "stays at each value until the next milestone [a piecewise constant schedule]",
        (BETWEEN, "return before"),
    ),
    "rex_at_the_floor_first": rex(
        "the first step has min_lr [pytorch-optimizer's REXScheduler]",
        (f"weight = {RATIO}", f"weight = {RATIO} if x else 0.0"),
    ),
    "rex_beyond_its_end": rex(
        "goes on past its end, into negative rates [a count that is not clipped]",
        ("min(require_step(t), h.total_steps)", "require_step(t)"),
        ("(1 - x / 2)", "max(1 - x / 2, 0.25)"),
        check="past_the_end",
    ),
    "rex_ends_exchanged": rex(
        "climbs from min_lr to lr [positional arguments]",
        (MIX, "return weighted(h.lr, h.min_lr, weight)"),
    ),
    "rex_floor_ignored": rex(
        "falls to 0 instead of min_lr [arguments dropped on the way to a scheduler]",
        (MIX, "return weight * h.lr"),
    ),
    "rex_horizon_one_longer": rex(
        "reaches min_lr one step late [inclusive and exclusive horizons]",
        ("x = min(", "h = changed(h, total_steps=h.total_steps + 1)\n    x = min("),
        computes="rex with total_steps +1",
    ),
    "rex_in_float32": rex(
        "computed in float32, declared as double [tensors for learning rates]",
        ("weight = (1 - x)", "weight = np.float32(1 - x)"),
    ),
    "rex_late": rex(
        "repeats the first step [THUDM/slime#1546]",
        ("min(require_step(t), ", "min(max(require_step(t) - 1, 0), "),
        computes="one step late",
    ),
    "rex_line_instead": rex(
        "decays along a straight line [a default of the factory]",
        (RATIO, "1 - x"),
        computes="polynomial",
    ),
    "rex_profile_twice": rex(
        "the square of the ratio [a profile applied in two places]", (RATIO, f"({RATIO}) ** 2")
    ),
    "rex_without_brackets": rex(
        "3/2 - x in the denominator [1/2 + 1/2 (1 - x) without its second half]",
        ("(1 - x / 2)", "(1.5 - x)"),
    ),
    "warmup_stable_decay_square_of_the_rest": fault(
        "warmup_stable_decay",
        "schedule",
        "the square of what is left, where 1 less a square is due [1 - x^2 and (1 - x)^2]",
        ("1 - x * x", "(1 - x) * (1 - x)"),
        dialect={"shape": "one_minus_square"},
    ),
}

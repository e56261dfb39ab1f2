"""Faults in rules that find their own rate."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

cocob = partial(fault, "cocob", "averaging")
dog = partial(fault, "dog", "norm")
dowg = partial(fault, "dowg", "norm")

R = "r = np.maximum(s.r, np.sqrt(np.sum(way * way)))"
D = "d = np.maximum(s.d, np.sum(way * way))"

PARAMETER_FREE: dict[str, Fault] = {
    "cocob_alpha_without_size": cocob(
        "alpha is held against the total in no unit of the gradient [a factor forgotten]",
        ("h.alpha * size))", "h.alpha))"),
    ),
    "cocob_first_point_moves": cocob(
        "the point before the step takes the place of the first [state written too early]",
        ("State(s.t + 1, s.p0,", "State(s.t + 1, p,"),
    ),
    "cocob_largest_of_the_last": cocob(
        "the size is that of this gradient alone [a maximum forgotten]",
        ("np.maximum(s.size, np.abs(g))", "np.abs(g)"),
    ),
    "cocob_reward_may_be_negative": cocob(
        "losses are taken off a reward of zero [a maximum forgotten]",
        ("np.maximum(s.reward - g * (p - s.p0), 0.0)", "s.reward - g * (p - s.p0)"),
    ),
    "cocob_reward_of_before": cocob(
        "the reward before this step is bet [state read before it was written]",
        ("(size + reward)", "(size + s.reward)"),
    ),
    "cocob_reward_reversed": cocob(
        "steps that climbed are rewarded [a sign]", ("s.reward - g", "s.reward + g")
    ),
    "cocob_size_not_bet": cocob(
        "the reward alone is bet, and the first bet is nothing [a term dropped on the way]",
        ("share * (size + reward)", "share * reward"),
    ),
    "cocob_steps_from_the_last": cocob(
        "the bet is made from the last point, not from the first [a variable mixed up]",
        ("new = s.p0 + share", "new = p + share"),
    ),
    "cocob_total_of_squares": cocob(
        "squares are summed, as in AdaGrad [AdaGrad's line, copied]",
        ("total = s.total + np.abs(g)", "total = s.total + g * g"),
    ),
    "cocob_total_without_size": cocob(
        "the total alone is held against alpha [a term dropped on the way]",
        ("np.maximum(total + size,", "np.maximum(total,"),
        check="combinations",
    ),
    "dog_distance_not_rooted": dog(
        "the distance is squared [a function not called]",
        (R, "r = np.maximum(s.r, np.sum(way * way))"),
    ),
    "dog_distance_of_before": dog(
        "the distance before this step makes the rate [state read before it was written]",
        ("rate = r / np.sqrt", "rate = s.r / np.sqrt"),
    ),
    "dog_distance_of_the_last": dog(
        "the distance is the last, not the largest [a maximum forgotten]",
        (R, "r = np.sqrt(np.sum(way * way)) + 0.0 * s.r"),
    ),
    "dog_eps_outside_the_root": dog(
        "eps is added to the root [brackets in another place]",
        ("np.sqrt(squares + h.eps)", "(np.sqrt(squares) + h.eps)"),
        check="update_alone",
    ),
    "dog_first_point_moves": dog(
        "the point before the step takes the place of the first [state written too early]",
        ("p0=s.p0, r=r", "p0=p, r=r"),
    ),
    "dog_mean_of_squares": dog(
        "the squares' mean is taken for their sum [a reduction mixed up]",
        ("s.G + np.sum(g * g)", "s.G + np.sum(g * g) / max(g.size, 1)"),
    ),
    "dog_norm_of_the_parameter": dog(
        "the parameter's norm is taken for the way [a variable mixed up]",
        ("way = s.p0 - p", "way = p"),
    ),
    "dog_norms_summed": dog(
        "norms are summed, not their squares [a root one line too early]",
        ("s.G + np.sum(g * g)", "s.G + np.sqrt(np.sum(g * g))"),
    ),
    "dog_squares_of_before": dog(
        "this gradient is not part of its divisor [state read before it was written]",
        ("np.sqrt(squares + h.eps)", "np.sqrt(s.G + h.eps)"),
    ),
    "dog_squares_not_stored": dog(
        "the sum of squares stays as it was [state not written back]", ("G=squares)", "G=s.G)")
    ),
    "dowg_distance_not_in_the_weights": dowg(
        "squares are summed without the distance, as in DoG [DoG's line, copied]",
        ("s.G + d * np.sum(g * g)", "s.G + np.sum(g * g)"),
    ),
    "dowg_distance_of_before": dowg(
        "the distance before this step weighs the squares [state read before it was written]",
        ("s.G + d * np.sum", "s.G + s.d * np.sum"),
        check="counter_beyond_float32",
    ),
    "dowg_distance_of_the_last": dowg(
        "the distance is the last, not the largest [a maximum forgotten]",
        (D, "d = np.sum(way * way) + 0.0 * s.d"),
    ),
    "dowg_distance_rooted": dowg(
        "the distance is not squared [a root too many]",
        (D, "d = np.maximum(s.d, np.sqrt(np.sum(way * way)))"),
    ),
    "dowg_eps_inside_the_root": dowg(
        "eps is added under the root, as in DoG [DoG's line, copied]",
        ("(np.sqrt(squares) + h.eps)", "np.sqrt(squares + h.eps)"),
        check="update_alone",
    ),
    "dowg_first_point_moves": dowg(
        "the point before the step takes the place of the first [state written too early]",
        ("p0=s.p0, d=d", "p0=p, d=d"),
    ),
    "dowg_mean_of_squares": dowg(
        "the squares' mean is taken for their sum [a reduction mixed up]",
        ("d * np.sum(g * g)", "d * (np.sum(g * g) / max(g.size, 1))"),
    ),
    "dowg_numerator_rooted": dowg(
        "the rate is of the distance, not of its square [a root too many]",
        ("rate = d / (", "rate = np.sqrt(d) / ("),
    ),
    "dowg_squares_not_rooted": dowg(
        "the weighed sum divides, not its root [a function not called]",
        ("(np.sqrt(squares) + h.eps)", "(squares + h.eps)"),
    ),
    "dowg_squares_not_stored": dowg(
        "the weighed sum stays as it was [state not written back]", ("G=squares)", "G=s.G)")
    ),
}

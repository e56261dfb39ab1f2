"""Faults in rules that find their own rate."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

cocob = partial(fault, "cocob", "averaging")
dadapt_adam = partial(fault, "dadapt_adam", "norm")
dog = partial(fault, "dog", "norm")
dowg = partial(fault, "dowg", "norm")
mechanic = partial(fault, "mechanic", "norm")

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
    "dadapt_adam_average_without_the_estimate": dadapt_adam(
        "the first moment is Adam's, without the estimate [Adam's line, copied]",
        ("m = h.beta1 * s.m + (1 - h.beta1) * (rate * g)", "m = h.beta1 * s.m + (1 - h.beta1) * g"),
    ),
    "dadapt_adam_decay_without_the_estimate": dadapt_adam(
        "the decay does not look at the estimate [AdamW's line, copied]",
        ("p * (1 - rate * h.weight_decay) - u", "p * (1 - h.lr * h.weight_decay) - u"),
    ),
    "dadapt_adam_estimate_may_fall": dadapt_adam(
        "the estimate is the last, not the largest [a maximum forgotten]",
        ("np.maximum(s.d, estimate))", "estimate + 0.0 * s.d)"),
    ),
    "dadapt_adam_memory_of_the_sum": dadapt_adam(
        "sums remember as squares do [a root forgotten]",
        ("beta3 = h.lr * s.d, np.sqrt(h.beta2)", "beta3 = h.lr * s.d, h.beta2"),
    ),
    "dadapt_adam_product_not_preconditioned": dadapt_adam(
        "the sum is not divided by the root of the second moment [D-Adaptation of SGD, copied]",
        ("np.sum(g * (s.s / (np.sqrt(s.v) + h.eps)))", "np.sum(g * s.s)"),
    ),
    "dadapt_adam_product_with_the_new_sum": dadapt_adam(
        "this gradient is in the sum that it is multiplied by [state written too early]",
        ("np.sum(g * (s.s / (", "np.sum(g * ((beta3 * s.s + (1 - beta3) * (rate * g)) / ("),
    ),
    "dadapt_adam_product_weighed_once": dadapt_adam(
        "the rate is left out of the sum of products [a factor forgotten]",
        ("(1 - beta3) * (rate * product)", "(1 - beta3) * product"),
    ),
    "dadapt_adam_size_in_the_largest": dadapt_adam(
        "the sum's largest element is taken for its size [a norm mixed up]",
        ("size = np.sum(np.abs(total))", "size = np.max(np.abs(total), initial=0.0)"),
    ),
    "dadapt_adam_sum_not_averaged": dadapt_adam(
        "the estimate is of sums, with the averages' products [a factor forgotten]",
        ("estimate = r / ((1 - beta3) * np.where", "estimate = r / (np.where"),
        check="combinations",
    ),
    "dadapt_adam_sum_without_the_estimate": dadapt_adam(
        "gradients are summed as they are [a factor forgotten]",
        ("total = beta3 * s.s + (1 - beta3) * (rate * g)", "total = beta3 * s.s + (1 - beta3) * g"),
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
    "mechanic_decay_without_the_scale": mechanic(
        "the decay does not look at the scale [a factor forgotten]",
        ("h.weight_decay * scale * share * p", "h.weight_decay * share * p"),
    ),
    "mechanic_first_scale_not_shared": mechanic(
        "each memory bets the whole of the first scale [a factor forgotten]",
        ("h.s_init / h.memories * m", "h.s_init * m"),
    ),
    "mechanic_memories_in_the_square": mechanic(
        "squares remember as sizes do [a square forgotten]",
        ("memory * memory * s.v", "memory * s.v"),
    ),
    "mechanic_product_with_the_new_way": mechanic(
        "this step is part of the way that its gradient judges [state written too early]",
        ("share * p) * way)", "share * p) * (way - h.lr * g))"),
    ),
    "mechanic_reward_reversed": mechanic(
        "ways that climbed are rewarded [a sign]",
        ("r = memory * s.r - limited * s.s", "r = memory * s.r + limited * s.s"),
    ),
    "mechanic_reward_of_one_scale": mechanic(
        "what is won is not in proportion to what was bet [a factor forgotten]",
        ("- limited * s.s", "- limited + 0.0 * s.s"),
    ),
    "mechanic_scales_averaged": mechanic(
        "the mean of the scales is taken for their sum [a reduction mixed up]",
        ("new = start + np.sum(scales) * way", "new = start + np.mean(scales) * way"),
    ),
    "mechanic_size_of_the_last": mechanic(
        "the largest product is the last [a maximum forgotten]",
        ("np.maximum(memory * s.m, size)", "size + 0.0 * s.m"),
    ),
    "mechanic_steps_from_the_last": mechanic(
        "the way begins at the last point, not at the first [a variable mixed up]",
        ("new = start + np.sum", "new = p + np.sum"),
    ),
    "mechanic_way_not_stored": mechanic(
        "the tuned rule's way stays as it was [state not written back]",
        ('way if h.way == "kept" else s.way', "s.way"),
    ),
}

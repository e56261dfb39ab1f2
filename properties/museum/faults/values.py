"""Faults in rules that are told the function's value."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

momo = partial(fault, "momo", "norm")
adapted_momo = partial(momo, dialect={"bound": "adapted"})
momo_adam = partial(fault, "momo_adam", "norm")
adapted_momo_adam = partial(momo_adam, dialect={"bound": "adapted"})
polyak_sgd = partial(fault, "polyak_sgd", "norm")

GAP = "gap = np.maximum(a * (f - weight * bound - c) + reach, 0.0)"

VALUES: dict[str, Fault] = {
    "momo_adam_adapted_bound_not_corrected": adapted_momo_adam(
        "the bound that is found is not corrected for the averages' start [a correction forgotten]",
        (
            "(f + reach - c - rate * size / 2) / weight, h.l",
            "(f + reach - c - rate * size / 2), h.l",
        ),
    ),
    "momo_adam_bound_not_corrected": momo_adam(
        "the bound is held against an average that began with zero [a correction forgotten]",
        (GAP, "gap = np.maximum(a * (f - bound - c) + reach, 0.0)"),
        check="strata",
    ),
    "momo_adam_decay_forgotten_in_the_gap": momo_adam(
        "the decay is left out of the model [a term dropped on the way]",
        (GAP, "gap = np.maximum((f - weight * bound - c) + reach, 0.0)"),
    ),
    "momo_adam_eps_inside_the_root": momo_adam(
        "eps is added under the root [brackets in another place]",
        ("h.eps + np.sqrt(v / (1 - h.beta2**t))", "np.sqrt(v / (1 - h.beta2**t) + h.eps)"),
        check="update_alone",
    ),
    "momo_adam_gap_may_be_negative": momo_adam(
        "below its bound the step climbs [a maximum forgotten]",
        (GAP, "gap = a * (f - weight * bound - c) + reach"),
    ),
    "momo_adam_products_with_the_average": momo_adam(
        "the average's products with p are averaged, not the gradient's [a variable mixed up]",
        ("np.sum(g * p)", "np.sum(m * p)"),
    ),
    "momo_adam_rate_not_corrected": momo_adam(
        "lr is not divided by the average's weight [a correction forgotten]",
        ("np.minimum(h.lr / weight,", "np.minimum(h.lr,"),
    ),
    "momo_adam_second_moment_not_corrected": momo_adam(
        "the second moment is not corrected [a correction forgotten]",
        ("np.sqrt(v / (1 - h.beta2**t))", "np.sqrt(v)"),
        check="update_alone",
    ),
    "momo_adam_size_of_the_average": momo_adam(
        "the size is that of the average, not in the step's own norm [MoMo's line, copied]",
        ("size, reach = np.sum(m * u),", "size, reach = np.sum(m * m),"),
    ),
    "momo_adam_values_not_averaged": momo_adam(
        "the model is of the last value alone [an average forgotten]",
        ("f = h.beta1 * s.f + (1 - h.beta1) * value", "f = (1 - h.beta1**t) * value"),
    ),
    "momo_average_of_the_last": momo(
        "the step is along the average before this gradient [state read before it was written]",
        ("(p - rate * m) / a", "(p - rate * s.m) / a"),
    ),
    "momo_bound_reset_to_the_whole": adapted_momo(
        "a bound that is passed is reset to the model, not to half of it [a factor forgotten]",
        ("least / (2 * a * weight)", "least / (a * weight)"),
        check="strata",
    ),
    "momo_decay_forgotten_in_the_gap": momo(
        "the decay is left out of the model [a term dropped on the way]",
        (GAP, "gap = np.maximum((f - weight * bound - c) + reach, 0.0)"),
    ),
    "momo_first_value_averaged_with_zero": momo(
        "averages begin with zero, and nothing corrects them [an average begun too low]",
        ("beta = 0.0 if h.start", "beta = h.beta if h.start"),
        check="strata",
    ),
    "momo_gap_may_be_negative": momo(
        "below its bound the step climbs [a maximum forgotten]",
        (GAP, "gap = a * (f - weight * bound - c) + reach"),
    ),
    "momo_new_bound_falls_by_the_whole_step": adapted_momo(
        "the bound falls by the whole of the step's square [a factor forgotten]",
        ("- rate * size / 2)", "- rate * size)"),
    ),
    "momo_norm_not_squared": momo(
        "the gap is divided by the norm [a root too many]",
        ("np.where(still, 1.0, size)", "np.where(still, 1.0, np.sqrt(size))"),
    ),
    "momo_products_reversed": momo(
        "products with p are added on the wrong side [a sign]",
        (GAP, "gap = np.maximum(a * (f - weight * bound + c) - reach, 0.0)"),
    ),
    "momo_rate_not_limited": momo(
        "lr does not limit the step [a minimum forgotten]",
        (
            "np.minimum(h.lr / weight, np.where(still, 0.0,",
            "np.maximum(0.0 * h.lr, np.where(still, 0.0,",
        ),
    ),
    "momo_values_not_averaged": momo(
        "the model is of the last value alone [an average forgotten]",
        ("f = beta * s.f + (1 - beta) * value", "f = value + 0.0 * s.f"),
    ),
    "polyak_sgd_gap_halved": polyak_sgd(
        "the gap is halved, as for quadratics [a factor of another text]",
        ("polyak = np.minimum(gap /", "polyak = np.minimum(gap / 2 /"),
    ),
    "polyak_sgd_gap_of_sizes": polyak_sgd(
        "the gap is between sizes [a function too many]",
        ("gap = value - h.f_min", "gap = np.abs(value) - h.f_min"),
    ),
    "polyak_sgd_gap_reversed": polyak_sgd(
        "the value is taken off its least [a sign]",
        ("gap = value - h.f_min", "gap = h.f_min - value"),
    ),
    "polyak_sgd_least_forgotten": polyak_sgd(
        "the least value is taken for zero [a term forgotten]",
        ("gap = value - h.f_min", "gap = value - 0.0 * h.f_min"),
        check="strata",
    ),
    "polyak_sgd_limit_below": polyak_sgd(
        "the bound of the step is its least [a minimum and a maximum mixed up]",
        ("np.minimum(gap /", "np.maximum(gap /"),
    ),
    "polyak_sgd_limit_forgotten": polyak_sgd(
        "nothing limits the step [a minimum forgotten]",
        (
            "polyak = np.minimum(gap / np.where(still, 1.0, size), h.max_step)",
            "polyak = gap / np.where(still, 1.0, size) + 0.0 * h.max_step",
        ),
    ),
    "polyak_sgd_limit_of_both": polyak_sgd(
        "lr is in the limit, and not in Polyak's step [a factor at the wrong place]",
        (
            "p - h.lr * (np.where(still, 0.0, polyak) * g)",
            "p - np.where(still, 0.0, np.minimum(polyak, h.lr * h.max_step)) * g",
        ),
        check="strata",
    ),
    "polyak_sgd_mean_of_squares": polyak_sgd(
        "the squares' mean is taken for their sum [a reduction mixed up]",
        ("np.sum(measured * measured)", "np.sum(measured * measured) / max(g.size, 1)"),
    ),
    "polyak_sgd_norm_not_squared": polyak_sgd(
        "the gap is divided by the norm [a root too many]",
        ("np.sum(measured * measured) + h.eps", "np.sqrt(np.sum(measured * measured)) + h.eps"),
    ),
    "polyak_sgd_positive_gap_of_the_value": polyak_sgd(
        "the value, not the gap, is kept from below zero [brackets in another place]",
        ("gap = np.maximum(gap, 0.0)", "gap = np.maximum(value, 0.0) - h.f_min"),
        dialect={"gap": "positive"},
    ),
}

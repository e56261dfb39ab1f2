"""Faults in rules that descend on their own rate."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

adam_hd = partial(fault, "adam_hd", "norm")
sgd_hd = partial(fault, "sgd_hd", "norm")

PRODUCT = "np.sum(g * direction(h, s.t, s.m, s.v))"
RATE = "rate = s.rate + h.hypergrad_lr * np.sum(g * s.u)"
STEP = "p - rate * direction(h, t, m, v)"

HYPERGRADIENTS: dict[str, Fault] = {
    "adam_hd_decay_not_in_the_rate": adam_hd(
        "the decay is left out [a term dropped on the way]", ("g = g + h.weight_decay * p", "pass")
    ),
    "adam_hd_direction_corrected_ahead": adam_hd(
        "the last direction is corrected for this step [counts from 0 and 1]",
        (PRODUCT, "np.sum(g * direction(h, t, s.m, s.v))"),
        check="strata",
    ),
    "adam_hd_means_exchanged": adam_hd(
        "squares decay by beta1 [arguments in another order]",
        (
            "v = h.beta2 * s.v + (1 - h.beta2) * (g * g)",
            "v = h.beta1 * s.v + (1 - h.beta1) * (g * g)",
        ),
    ),
    "adam_hd_product_averaged": adam_hd(
        "the products' mean is taken for their sum [a reduction mixed up]",
        (PRODUCT, "np.sum(g * direction(h, s.t, s.m, s.v)) / max(g.size, 1)"),
    ),
    "adam_hd_product_of_the_moment": adam_hd(
        "the last moment is not divided by its root [a preconditioner forgotten]",
        (PRODUCT, "np.sum(g * s.m)"),
    ),
    "adam_hd_product_with_the_last_gradient_alone": adam_hd(
        "the gradient itself is multiplied [SGD-HD's line, copied]", (PRODUCT, "np.sum(g * g)")
    ),
    "adam_hd_rate_falls": adam_hd(
        "agreeing gradients lower the rate [a sign]",
        ("rate = rate + h.hypergrad_lr", "rate = rate - h.hypergrad_lr"),
    ),
    "adam_hd_rate_not_stored": adam_hd(
        "the rate stays as it was [state not written back]", ("rate=rate)", "rate=s.rate)")
    ),
    "adam_hd_rate_of_before": adam_hd(
        "the step is by the rate of before [state read before it was written]",
        (STEP, "p - s.rate * direction(h, t, m, v)"),
    ),
    "adam_hd_rate_scaled_by_itself": adam_hd(
        "the rate grows in proportion to itself [the multiplicative form]",
        ("rate = rate + h.hypergrad_lr *", "rate = rate + rate * h.hypergrad_lr *"),
    ),
    "adam_hd_step_not_corrected": adam_hd(
        "the first moment is not corrected [a correction forgotten]",
        ("return m / left1 / (", "return m / ("),
    ),
    "sgd_hd_direction_not_stored": sgd_hd(
        "the last direction stays as it was [state not written back]", ("u=u,", "u=s.u,")
    ),
    "sgd_hd_first_rate_in_all_steps": sgd_hd(
        "the rate of the group steps [state never read]",
        ("p - rate * u", "p - h.lr * u + 0.0 * rate"),
    ),
    "sgd_hd_length_divides": sgd_hd(
        "the product is of directions [a norm too many]",
        (RATE, "rate = s.rate + h.hypergrad_lr * np.sum(g * s.u) / (np.sum(g * g) + 1e-8)"),
    ),
    "sgd_hd_momentum_dampened": sgd_hd(
        "gradients are weighed by one minus the momentum [another form of momentum]",
        ("b = h.momentum * s.b + g", "b = h.momentum * s.b + (1 - h.momentum) * g"),
    ),
    "sgd_hd_product_averaged": sgd_hd(
        "the products' mean is taken for their sum [a reduction mixed up]",
        ("np.sum(g * s.u)", "np.sum(g * s.u) / max(g.size, 1)"),
    ),
    "sgd_hd_rate_falls": sgd_hd(
        "agreeing gradients lower the rate [a sign]",
        (RATE, "rate = s.rate - h.hypergrad_lr * np.sum(g * s.u)"),
    ),
    "sgd_hd_rate_never_negative": sgd_hd(
        "the rate is kept from falling below zero [a maximum too many]",
        (RATE, "rate = np.maximum(s.rate + h.hypergrad_lr * np.sum(g * s.u), 0.0)"),
    ),
    "sgd_hd_rate_not_stored": sgd_hd(
        "the rate stays as it was [state not written back]", ("rate=rate)", "rate=s.rate)")
    ),
    "sgd_hd_rate_of_before": sgd_hd(
        "the step is by the rate of before [state read before it was written]",
        ("p - rate * u", "p - s.rate * u"),
    ),
    "sgd_hd_rate_scaled_by_itself": sgd_hd(
        "the rate grows in proportion to itself [the multiplicative form]",
        (RATE, "rate = s.rate + s.rate * h.hypergrad_lr * np.sum(g * s.u)"),
    ),
    "sgd_hd_undecayed": sgd_hd(
        "there is no decay [a term dropped on the way]", ("g = g + h.weight_decay * p", "pass")
    ),
}

"""Faults in D-Adaptation of rules other than Adam."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

dadapt_adagrad = partial(fault, "dadapt_adagrad", "norm")
dadapt_adan = partial(fault, "dadapt_adan", "norm")
dadapt_lion = partial(fault, "dadapt_lion", "norm")
dadapt_sgd = partial(fault, "dadapt_sgd", "norm")

NEW = "new = h.beta * p + (1 - h.beta) * (s.p0 - way)"
MAXIMUM = "np.maximum(s.d, estimate))"
LAST = "estimate + 0.0 * s.d)"

DISTANCES: dict[str, Fault] = {
    "dadapt_adagrad_estimate_may_fall": dadapt_adagrad(
        "the estimate is the last, not the largest [a maximum forgotten]", (MAXIMUM, LAST)
    ),
    "dadapt_adagrad_euclidean_size": dadapt_adagrad(
        "the way's length divides, not its sum of sizes [D-Adaptation of SGD, copied]",
        ("np.sum(np.abs(total))", "np.sqrt(np.sum(total * total))"),
    ),
    "dadapt_adagrad_momentum_turned_round": dadapt_adagrad(
        "the old point is weighed by the new one's share [arguments in another order]",
        (
            "h.beta * p + (1 - h.beta) * (s.p0 - total / root)",
            "(1 - h.beta) * p + h.beta * (s.p0 - total / root)",
        ),
    ),
    "dadapt_adagrad_not_divided": dadapt_adagrad(
        "the parameter goes the sum's whole way [a preconditioner forgotten]",
        ("(s.p0 - total / root)", "(s.p0 - total)"),
    ),
    "dadapt_adagrad_rate_of_the_new_estimate": dadapt_adagrad(
        "the rate is that of the start [state never read]",
        ("rate = h.lr * s.d", "rate = h.lr * h.d0 + 0.0 * s.d"),
    ),
    "dadapt_adagrad_root_of_before": dadapt_adagrad(
        "the root is of the sum without this gradient [state read before it was written]",
        ("root = np.sqrt(a) + h.eps", "root = np.sqrt(s.a) + h.eps"),
    ),
    "dadapt_adagrad_squares_forget_the_rate": dadapt_adagrad(
        "squares of gradients are not weighed [a factor forgotten]",
        ("rate * rate * np.sum(g * g / root)", "np.sum(g * g / root)"),
    ),
    "dadapt_adagrad_squares_weighed_once": dadapt_adagrad(
        "squares are weighed by the rate [a square forgotten]",
        ("rate * rate * np.sum(g * g / root)", "rate * np.sum(g * g / root)"),
    ),
    "dadapt_adagrad_step_from_the_last": dadapt_adagrad(
        "the whole way is gone from the last point [a variable mixed up]",
        ("(s.p0 - total / root)", "(p - total / root)"),
    ),
    "dadapt_adagrad_sum_without_the_estimate": dadapt_adagrad(
        "gradients are summed by lr alone [a factor forgotten]",
        ("total = s.s + rate * g", "total = s.s + h.lr * g"),
    ),
    "dadapt_adan_average_without_the_estimate": dadapt_adan(
        "the first moment is Adan's, without the estimate [Adan's line, copied]",
        ("m = h.beta1 * s.m + (1 - h.beta1) * (rate * g)", "m = h.beta1 * s.m + (1 - h.beta1) * g"),
    ),
    "dadapt_adan_decay_multiplies": dadapt_adan(
        "the decay multiplies after the step [a first-order form of a quotient]",
        ("(p - u) / (1 + rate * h.weight_decay)", "(p - u) * (1 - rate * h.weight_decay)"),
        check="strata",
    ),
    "dadapt_adan_decay_without_the_estimate": dadapt_adan(
        "the decay does not look at the estimate [Adan's line, copied]",
        ("(1 + rate * h.weight_decay)", "(1 + h.lr * h.weight_decay)"),
    ),
    "dadapt_adan_difference_turned_round": dadapt_adan(
        "the gradient is taken off the one before [a sign]",
        ("difference = g - s.previous", "difference = s.previous - g"),
    ),
    "dadapt_adan_estimate_may_fall": dadapt_adan(
        "the estimate is the last, not the largest [a maximum forgotten]", (MAXIMUM, LAST)
    ),
    "dadapt_adan_fourth_power": dadapt_adan(
        "squares are squared [pytorch-optimizer's DAdaptAdan]",
        ("(ahead * ahead)", "(ahead * ahead * ahead * ahead)"),
    ),
    "dadapt_adan_previous_not_stored": dadapt_adan(
        "the gradient before stays as it was [state not written back]",
        ("total, g, squares, d)", "total, s.previous, squares, d)"),
    ),
    "dadapt_adan_share_forgotten": dadapt_adan(
        "the sum's square is not divided by one minus beta3 [a factor forgotten]",
        ("/ (1 - h.beta3) - squares", "- squares"),
    ),
    "dadapt_adan_squares_forget_the_rate": dadapt_adan(
        "squares of gradients are not weighed [a factor forgotten]",
        ("(rate * rate * np.sum(g * g / root))", "np.sum(g * g / root)"),
    ),
    "dadapt_adan_sum_of_the_first_moment": dadapt_adan(
        "the sum forgets as the first moment does [a variable mixed up]",
        (
            "total = h.beta3 * s.s + (1 - h.beta3) * (rate * g)",
            "total = h.beta1 * s.s + (1 - h.beta1) * (rate * g)",
        ),
    ),
    "dadapt_lion_average_without_the_estimate": dadapt_lion(
        "the momentum is Lion's, without the estimate [Lion's line, copied]",
        ("(1 - h.beta2) * (rate * g)", "(1 - h.beta2) * g"),
    ),
    "dadapt_lion_betas_exchanged": dadapt_lion(
        "the step is of the momentum's beta [arguments in another order]",
        ("c = h.beta1 * s.m + (1 - h.beta1) * g", "c = h.beta2 * s.m + (1 - h.beta2) * g"),
    ),
    "dadapt_lion_decay_without_the_estimate": dadapt_lion(
        "the decay does not look at the estimate [Lion's line, copied]",
        ("p * (1 - rate * h.weight_decay)", "p * (1 - h.lr * h.weight_decay)"),
    ),
    "dadapt_lion_estimate_may_fall": dadapt_lion(
        "the estimate is the last, not the largest [a maximum forgotten]", (MAXIMUM, LAST)
    ),
    "dadapt_lion_memory_of_the_sum": dadapt_lion(
        "sums remember as the momentum does [a root forgotten]", ("np.sqrt(h.beta2)", "h.beta2")
    ),
    "dadapt_lion_product_with_the_gradient": dadapt_lion(
        "the gradient is multiplied, not the step [D-Adaptation of SGD, copied]",
        ("np.sum(sign * s.s)", "np.sum(g * s.s)"),
    ),
    "dadapt_lion_product_with_the_new_sum": dadapt_lion(
        "this step is in the sum that it is multiplied by [state written too early]",
        ("np.sum(sign * s.s)", "np.sum(sign * (beta3 * s.s + (1 - beta3) * (rate * sign)))"),
    ),
    "dadapt_lion_product_weighed_once": dadapt_lion(
        "the rate is left out of the sum of products [a factor forgotten]",
        ("(rate * np.sum(sign * s.s))", "np.sum(sign * s.s)"),
    ),
    "dadapt_lion_size_in_the_largest": dadapt_lion(
        "the sum's largest element is taken for its size [a norm mixed up]",
        ("size = np.sum(np.abs(total))", "size = np.max(np.abs(total), initial=0.0)"),
    ),
    "dadapt_lion_sum_of_gradients": dadapt_lion(
        "gradients are summed, not steps [a variable mixed up]",
        ("(1 - beta3) * (rate * sign)", "(1 - beta3) * (rate * g)"),
    ),
    "dadapt_sgd_estimate_halved": dadapt_sgd(
        "products are not doubled [a factor forgotten]", ("estimate = 2 * r /", "estimate = r /")
    ),
    "dadapt_sgd_estimate_may_fall": dadapt_sgd(
        "the estimate is the last, not the largest [a maximum forgotten]", (MAXIMUM, LAST)
    ),
    "dadapt_sgd_length_squared": dadapt_sgd(
        "the way's square divides [a root forgotten]",
        ("length = np.sqrt(np.sum(way * way))", "length = np.sum(way * way)"),
    ),
    "dadapt_sgd_momentum_turned_round": dadapt_sgd(
        "the old point is weighed by the new one's share [arguments in another order]",
        (NEW, "new = (1 - h.beta) * p + h.beta * (s.p0 - way)"),
    ),
    "dadapt_sgd_not_normalized": dadapt_sgd(
        "the first gradient's size does not divide [a factor forgotten]",
        ("rate = h.lr * s.d / np.where(still, 1.0, size)", "rate = h.lr * s.d + 0.0 * size"),
    ),
    "dadapt_sgd_product_with_the_new_way": dadapt_sgd(
        "this step is part of the way that it is multiplied by [state written too early]",
        ("np.sum(g * s.s)", "np.sum(g * (s.s + rate * g))"),
    ),
    "dadapt_sgd_product_without_the_rate": dadapt_sgd(
        "products are summed as they are [a factor forgotten]",
        ("s.r + rate * np.sum(g * s.s)", "s.r + np.sum(g * s.s)"),
    ),
    "dadapt_sgd_size_of_every_gradient": dadapt_sgd(
        "each gradient is divided by its own size [a condition forgotten]",
        ("np.where(s.G == 0, np.sqrt(np.sum(g * g)), s.G)", "np.sqrt(np.sum(g * g)) + 0.0 * s.G"),
    ),
    "dadapt_sgd_step_from_the_last": dadapt_sgd(
        "the whole way is gone from the last point [a variable mixed up]",
        (NEW, "new = h.beta * p + (1 - h.beta) * (p - way)"),
    ),
    "dadapt_sgd_sum_forgotten": dadapt_sgd(
        "the sum of products is of the last step alone [state not read]",
        ("s.r + rate * np.sum(g * s.s)", "rate * np.sum(g * s.s) + 0.0 * s.r"),
    ),
}

"""Faults in rules that divide by averages of squares or by curvature, and in trust ratios."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

P_NORM = "p_norm = np.sqrt(np.sum(p * p))"
RATIO = 'ratio = numerator / (divisor if h.ratio == "norms" else divisor + h.eps)'
U = "u = np.clip(m_hat / denominator, -h.limit, h.limit)"
U_NORM = "update_norm = np.sqrt(np.sum(update * update))"

adadelta = partial(fault, "adadelta", "moment")
adafactor = partial(fault, "adafactor", "moment")
adagrad = partial(fault, "adagrad", "counter")
adan = partial(fault, "adan", "moment")
ademamix = partial(fault, "ademamix", "averaging")
came = partial(fault, "came", "moment")
lamb = partial(fault, "lamb", "norm")
lars = partial(fault, "lars", "averaging")
lomo = partial(fault, "lomo", "norm", dialect={"clip": "norm"})
nadam = partial(fault, "nadam", "averaging")
prodigy = partial(fault, "prodigy", "averaging")
radam = partial(fault, "radam", "averaging")
rmsprop = partial(fault, "rmsprop", "moment")
sm3 = partial(fault, "sm3", "moment")
sophia = partial(fault, "sophia", "curvature")
stable_adamw = partial(fault, "stable_adamw", "norm")
swats = partial(fault, "swats", "moment")

ADAPTIVE: dict[str, Fault] = {
    "adadelta_eps_outside_the_roots": adadelta(
        "eps added to both roots, not inside of them [kozistr/pytorch_optimizer#397]",
        (
            "np.sqrt(s.u + h.eps) / np.sqrt(v + h.eps)",
            "(np.sqrt(s.u) + h.eps) / (np.sqrt(v) + h.eps)",
        ),
        check="update_alone",
    ),
    "adafactor_first_step_averaged": adafactor(
        "the decay rate counts from 0, so that the second step overwrites the average "
        "[counters from 0 and from 1]",
        ("1 - t ** (-h.decay_rate)", "1 - max(t - 1, 1) ** (-h.decay_rate)"),
    ),
    "adafactor_not_clipped": adafactor(
        "the update is divided by its size whether or not that is above the threshold "
        "[a maximum forgotten]",
        ("np.maximum(rms(u) / h.clip_threshold, 1.0)", "(rms(u) / h.clip_threshold)"),
    ),
    "adagrad_rate_counts_from_one": adagrad(
        "lr decays before the first step [counters from 0 and from 1]",
        ("(t - 1) * h.lr_decay", "t * h.lr_decay"),
    ),
    "adalomo_not_clipped": fault(
        "adalomo",
        "norm",
        "large updates are not clipped [a function not called]",
        ("u / np.maximum(rms(u) / h.clip_threshold, 1.0)", "u"),
    ),
    "adam_16bit_eps_added": fault(
        "adam_16bit",
        "eps",
        "eps is added to the second moment, where it is declared as a floor [Adam's line, copied]",
        ("np.sqrt(np.maximum(v_hat, h.eps))", "np.sqrt(v_hat + h.eps)"),
        check="update_alone",
    ),
    "adam_mini_square_of_the_mean": fault(
        "adam_mini",
        "moment",
        "the block's mean gradient is squared, not the squares averaged "
        "[a reduction in another order]",
        ("block_mean(h, g * g)", "np.square(block_mean(h, g))"),
    ),
    "adamax_maximum_of_the_last": fault(
        "adamax",
        "moment",
        "the maximum decays after the gradient has entered it [brackets in another place]",
        (
            "np.maximum(h.beta2 * s.u, np.abs(g) + h.eps)",
            "h.beta2 * np.maximum(s.u, np.abs(g) + h.eps)",
        ),
    ),
    "adan_previous_gradient_not_stored": adan(
        "the difference is that from the first gradient [state not written back]",
        ("previous=g", "previous=s.previous"),
    ),
    "adan_second_difference_averaged": adan(
        "the first difference is averaged with a zero that is none [Algorithm 1 sets v_1]",
        ("if t == 2 and", "if False and"),
    ),
    "ademamix_alpha_from_eps": ademamix(
        "the slow average is weighed by eps [Koratahiu/Advanced_Optimizers#1]",
        ("alpha * m2", "h.eps * m2"),
    ),
    "ademamix_slow_average_with_beta1": ademamix(
        "beta1 averages the slow average too [a hyperparameter read from its neighbour]",
        ("beta3 * s.m2 + (1 - beta3) * g", "h.beta1 * s.m2 + (1 - h.beta1) * g"),
    ),
    "came_confidence_of_the_old_average": came(
        "the instability is that of the average before this step "
        "[state read before it was written]",
        ("(u - m) * (u - m)", "(u - s.m) * (u - s.m)"),
    ),
    "lamb_norm_in_float16": lamb(
        "squares are summed in float16, where they overflow beyond a norm of 256 "
        "[facebookresearch/fairscale#263]",
        (P_NORM, "p_norm = np.float32(np.sqrt(np.sum(np.square(p.astype(np.float16)))))"),
    ),
    "lamb_norm_of_full_blocks": lamb(
        "the norm leaves out the last, partial block of 16 [a reduction without its tail]",
        (P_NORM, "p_norm = np.sqrt(np.sum(np.square(p.reshape(-1)[: p.size // 16 * 16])))"),
    ),
    "lamb_norm_of_shrunk": lamb(
        "the norm is that of the parameter after its decay [tensorflow/addons#2683]",
        (P_NORM, "p_norm = np.sqrt(np.sum(np.square(p * (1 - h.lr * h.weight_decay))))"),
    ),
    "lamb_norm_per_row": lamb(
        "each row has a trust ratio of its own [a reduction over the last axis alone]",
        (P_NORM, "p_norm = np.sqrt(np.sum(p * p, axis=-1 if p.ndim else None, keepdims=True))"),
        (
            U_NORM,
            U_NORM.replace("update))", "update, axis=-1 if p.ndim else None, keepdims=True))"),
        ),
    ),
    "lamb_norm_without_decay": lamb(
        "the decay is not part of the norm of the update "
        "[Paddle and others: decay added after the ratio]",
        ("trust_ratio(h, p, update) *", "trust_ratio(h, p, update - h.weight_decay * p) *"),
    ),
    "lamb_ratio_of_one_for_zero": lamb(
        "a zero parameter moves with trust ratio 1, where 0 is declared "
        "[NVIDIA apex and most libraries, against the paper]",
        (RATIO, f"{RATIO}\n    ratio = np.where((p_norm > 0) & (update_norm > 0), ratio, 1.0)"),
        computes="lamb with trust ratio 1 where a norm is zero",
    ),
    "lars_decay_in_the_ratio_alone": lars(
        "weight decay is part of the ratio, but moves nothing [ooples/AiDotNet.Tensors#955]",
        (
            "h.lr * (trust_ratio(h, p, g, decayed) * decayed)",
            "h.lr * (trust_ratio(h, p, g, g) * g)",
        ),
    ),
    "lars_ratio_outside_the_buffer": lars(
        "the ratio multiplies the whole buffer, not what enters it [ooples/AiDotNet.Tensors#955]",
        ("(trust_ratio(h, p, g, decayed) * decayed)", "decayed"),
        ("p = p - b", "p = p - trust_ratio(h, p, g, decayed) * b"),
    ),
    "lomo_amplifies": lomo(
        "gradients within the norm are made as long as it [no minimum with 1]",
        ("np.minimum(h.clip_norm / (norm + h.eps), 1.0)", "(h.clip_norm / (norm + h.eps))"),
    ),
    "nadam_corrected_as_the_gradient": nadam(
        "the average is corrected by the product that is due to the gradient "
        "[ooples/AiDotNet.Tensors#960]",
        ("mu_next * m / (1 - mu_product * mu_next)", "mu_next * m / (1 - mu_product)"),
    ),
    "nadam_gradient_in_both_terms": nadam(
        "the gradient stands where the average is due [pytorch/pytorch#106615]",
        ("mu_next * m /", "mu_next * g /"),
    ),
    "prodigy_distance_reversed": prodigy(
        "the way made has the wrong sign, and the estimate never grows "
        "[arguments in another order]",
        ("(s.p0 - p)", "(p - s.p0)"),
    ),
    "radam_corrections_stored": radam(
        "the first moment is corrected in place, and so corrected again at the next step "
        "[frgfm/holocron#1]",
        ("m=m, v=v), decayed", "m=m_hat, v=v), decayed"),
    ),
    "radam_rectification_in_float32": radam(
        "rho, near 4 at first, is computed in float32 [ooples/AiDotNet.Tensors#960]",
        (
            "rho = rho_inf - 2",
            "power = np.float32(h.beta2) ** np.float32(t)\n    rho = rho_inf - 2",
        ),
        (
            "rho_inf - 2 * t * h.beta2**t / (1 - h.beta2**t)",
            "float(np.float32(rho_inf) - 2 * np.float32(t) * power / (1 - power))",
        ),
    ),
    "radam_rectified_beyond_five": radam(
        "the step is adaptive where rho > 5, and not where rho > 4 "
        "[a threshold on which libraries differ]",
        ("rho > 4", "rho > 5"),
        check="combinations",
    ),
    "rmsprop_divides_by_previous": rmsprop(
        "the average before this step divides [state read before it was written]",
        ("if corrected else v\n", "if corrected else s.v\n"),
    ),
    "sm3_largest_cover": sm3(
        "the largest of the slices' accumulators divides, not the least "
        "[a maximum taken for a minimum]",
        ("reduce(np.minimum, sides)", "reduce(np.maximum, sides)"),
    ),
    "sophia_clip_forgotten": sophia(
        "the step is not clipped [a function not called]", (U, "u = m_hat / denominator")
    ),
    "sophia_clipped_after_lr": sophia(
        "the step is clipped after lr multiplied it [lines in another order]",
        (U, "u = m_hat / denominator"),
        ("p - h.lr * u", "p - np.clip(h.lr * u, -h.limit, h.limit)"),
    ),
    "sophia_eps_added": sophia(
        "eps is added to the Hessian, where it is declared as a floor "
        "[the authors' code, against the paper]",
        ("np.maximum(h.gamma * used, h.eps)", "h.gamma * np.maximum(used, 0) + h.eps"),
        check="combinations",
        computes="sophia with eps added to gamma times the Hessian where it is positive",
    ),
    "sophia_gamma_of_the_floor": sophia(
        "gamma multiplies eps as well [brackets in another place]",
        ("np.maximum(h.gamma * used, h.eps)", "h.gamma * np.maximum(used, h.eps)"),
        check="combinations",
    ),
    "sophia_hessian_in_every_step": sophia(
        "the Hessian is averaged in every step, not every so many [an argument dropped on the way]",
        ("s.t % h.period == 0", "True"),
    ),
    "sophia_refresh_one_step_late": sophia(
        "the Hessian is refreshed when t + 1 is a multiple of the period "
        "[counters from 0 and from 1]",
        ("s.t % h.period", "t % h.period"),
    ),
    "sophia_size_of_the_hessian": sophia(
        "|h| divides, so that falling directions are taken for steep ones "
        "[a maximum taken for a size]",
        ("np.maximum(h.gamma * used, h.eps)", "np.maximum(h.gamma * np.abs(used), h.eps)"),
    ),
    "stable_adamw_correction_missing": stable_adamw(
        "the average weighs the first gradient by 1 - beta1 [half of a bias correction]",
        ("new1 = (1 - h.beta1) / (1 - h.beta1**t)", "new1 = 1 - h.beta1"),
    ),
    "swats_rate_not_corrected": swats(
        "the step that SGD takes over is not corrected for its zero start "
        "[half of a bias correction]",
        ("rate = average / (1 - h.beta2**t)", "rate = average"),
        check="element_by_element",
    ),
    "swats_undampened_after_the_switch": swats(
        "the velocity of SGD is not multiplied by 1 - beta1 [a factor forgotten]",
        ("(1 - h.beta1) * s.sgd_lr * b", "s.sgd_lr * b"),
    ),
}

"""Faults in rules that weigh gradients and averages of them in ways of their own."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

acprop = partial(fault, "acprop", "moment")
adamod = partial(fault, "adamod", "moment")
grokfast = partial(fault, "grokfast_adamw", "averaging")
madgrad = partial(fault, "madgrad", "averaging")
padam = partial(fault, "padam", "moment")
pnm = partial(fault, "pnm", "momentum")
simplified = partial(fault, "simplified_ademamix", "averaging")

OLD_V = "np.sqrt(s.v / (1 - h.beta2**s.t))"
SUMS = "total, squares = s.s + weight * g, s.v + weight * (g * g)"

AVERAGES: dict[str, Fault] = {
    "acprop_average_for_gradient": acprop(
        "the average moves the parameter, as in Adam [a variable mixed up]",
        ("update = g / (np.sqrt", "update = m / (np.sqrt"),
    ),
    "acprop_correction_of_the_new_count": acprop(
        "the old moment is corrected by the new count [counters from 0 and from 1]",
        ("h.beta2**s.t", "h.beta2**(s.t + 1)"),
    ),
    "acprop_decay_divided": acprop(
        "the decay is divided with the gradient [lines in another order]",
        (
            f"update = g / ({OLD_V} + h.eps)",
            f"g = g + h.weight_decay * p; update = g / ({OLD_V} + h.eps)",
        ),
        ("h.lr * (update + h.weight_decay * p)", "h.lr * update"),
    ),
    "acprop_deviation_of_the_old_mean": acprop(
        "the deviation is that from the mean before this step [google-deepmind/optax, acprop]",
        ('m if h.deviation == "new" else s.m', "s.m"),
        computes="acprop with deviation from the mean before the step",
    ),
    "acprop_eps_outside_alone": acprop(
        "eps does not enter the average of squares [an eps for each of two places]",
        ("(surprise * surprise) + h.eps", "(surprise * surprise)"),
        check="update_alone",
    ),
    "acprop_eps_weighed": acprop(
        "eps is averaged with the square [brackets in another place]",
        ("(surprise * surprise) + h.eps", "(surprise * surprise + h.eps)"),
        check="update_alone",
    ),
    "acprop_first_gradient_normalized": acprop(
        "the first gradient is divided by its own size [a start forgotten]",
        ("update = g / (1 + h.eps)", "update = g / (np.abs(g) + h.eps)"),
    ),
    "acprop_new_moment_divides": acprop(
        "the moment that this gradient is part of divides [state written before it was read]",
        (OLD_V, "np.sqrt(v / (1 - h.beta2**(s.t + 1)))"),
    ),
    "acprop_root_forgotten": acprop(
        "the moment divides, not its root [a function not called]",
        (OLD_V, "(s.v / (1 - h.beta2**s.t))"),
    ),
    "acprop_squares_of_the_gradient": acprop(
        "squares of the gradient are averaged, as in Adam [Adam's line, copied]",
        ("(surprise * surprise)", "(g * g)"),
    ),
    "adamod_corrected_in_the_rate": adamod(
        "the first correction is limited with the rate [lancopku/AdaMod, adamod.py]",
        ('if h.correction == "moments":', "if False:"),
        computes="adamod with corrections of both moments multiply lr, below the limit",
    ),
    "adamod_decayed_after": adamod(
        "the decay shrinks the moved parameter [lines in another order]",
        (
            'elif h.decay == "before":\n        p = p * (1 - h.lr * h.weight_decay)',
            'elif h.decay == "before":\n        pass',
        ),
        (
            "p - np.minimum(rate, limit) * mean",
            "(p - np.minimum(rate, limit) * mean) * (1 - h.lr * h.weight_decay)",
        ),
    ),
    "adamod_eps_inside": adamod(
        "eps is added under the root [brackets in another place]",
        ("np.sqrt(v / left2) + h.eps", "np.sqrt(v / left2 + h.eps)"),
        check="update_alone",
    ),
    "adamod_largest_for_smallest": adamod(
        "rates are raised to the limit [a minimum and a maximum mixed up]",
        ("np.minimum(rate, limit)", "np.maximum(rate, limit)"),
    ),
    "adamod_limit_alone": adamod(
        "the limit is the rate [a minimum forgotten]", ("np.minimum(rate, limit)", "limit")
    ),
    "adamod_limit_by_beta2": adamod(
        "the limit decays as the squares do [a hyperparameter read from its neighbour]",
        ("h.beta3 * s.limit", "h.beta2 * s.limit"),
    ),
    "adamod_limit_not_stored": adamod(
        "the limit stays as it was [state not written back]",
        ("limit=limit), p", "limit=s.limit), p"),
    ),
    "adamod_limit_of_before": adamod(
        "rates are limited by the average before this step [state read before it was written]",
        ("np.minimum(rate, limit)", "np.minimum(rate, s.limit)"),
    ),
    "adamod_limited_rate_averaged": adamod(
        "what is stored is the rate after its limit [state written too late]",
        ("limit=limit), p", "limit=np.minimum(rate, limit)), p"),
    ),
    "adamod_uncorrected": adamod(
        "the mean is not corrected for its zero start [half of a bias correction]",
        ("mean = m / left1", "mean = m"),
    ),
    "grokfast_adamw_alpha_turned_round": grokfast(
        "alpha weighs the new gradient [arguments in another order]",
        ("h.alpha * s.slow + (1 - h.alpha) * g", "(1 - h.alpha) * s.slow + h.alpha * g"),
    ),
    "grokfast_adamw_amplified_twice": grokfast(
        "the slow part is kept as amplified [an update in place]",
        ("slow=slow, m=m", "slow=h.amplification * slow, m=m"),
    ),
    "grokfast_adamw_decay_by_lr_alone": grokfast(
        "the decay is not multiplied by lr [two conventions]",
        ('lr * h.weight_decay if h.decay == "before" else h.weight_decay', "h.weight_decay"),
        computes="grokfast_adamw with weight decay not multiplied by lr",
    ),
    "grokfast_adamw_eps_before_correction": grokfast(
        "eps is added before the moment is corrected [lines in another order]",
        ("root = root + h.eps", "root = root + h.eps / np.sqrt(1 - h.beta2**t)"),
        check="update_alone",
    ),
    "grokfast_adamw_fast_part_lost": grokfast(
        "the slow part takes the gradient's place [a sum overwritten]",
        ("f = g + h.amplification * slow", "f = h.amplification * slow"),
    ),
    "grokfast_adamw_first_slow_part_averaged": grokfast(
        "the slow part begins at zero [a start forgotten]", ("slow = g if t == 1 else", "slow =")
    ),
    "grokfast_adamw_moment_of_the_plain": grokfast(
        "squares of the plain gradient are averaged [a variable mixed up]", ("(f * f)", "(g * g)")
    ),
    "grokfast_adamw_not_amplified": grokfast(
        "the slow part is added as it is [a factor forgotten]", ("h.amplification * slow", "slow")
    ),
    "grokfast_adamw_slow_part_of_before": grokfast(
        "the slow part before this step is added [state read before it was written]",
        ("h.amplification * slow", "h.amplification * s.slow"),
    ),
    "grokfast_adamw_slow_part_of_the_filtered": grokfast(
        "the slow part is of what has been amplified [lines in another order]",
        ("slow=slow, m=m", "slow=h.alpha * s.slow + (1 - h.alpha) * f, m=m"),
    ),
    "madgrad_counts_from_zero": madgrad(
        "the first weight is zero [counters from 0 and from 1]", ("np.sqrt(t)", "np.sqrt(s.t)")
    ),
    "madgrad_eps_inside_the_root": madgrad(
        "eps is added to the squares [brackets in another place]",
        ("v ** (1 / 3) + h.eps", "(v + h.eps) ** (1 / 3)"),
        check="update_alone",
    ),
    "madgrad_first_point_moves": madgrad(
        "the point before the step takes the place of the first [state written too early]",
        ("p0=s.p0)", "p0=p)"),
    ),
    "madgrad_momentum_of_the_new": madgrad(
        "momentum weighs the new point and 1 - momentum the old [arguments in another order]",
        ("h.momentum * p + (1 - h.momentum) * z", "h.momentum * z + (1 - h.momentum) * p"),
    ),
    "madgrad_rate_not_rooted": madgrad(
        "weights grow with the count, not with its root [a function not called]",
        ("np.sqrt(t)", "t"),
    ),
    "madgrad_square_root": madgrad(
        "a square root divides, as in AdaGrad [AdaGrad's line, copied]",
        ("v ** (1 / 3)", "v ** (1 / 2)"),
    ),
    "madgrad_squares_of_weighed_gradients": madgrad(
        "the weight is squared with the gradient [a product taken too early]",
        (SUMS, "total, squares = s.s + weight * g, s.v + (weight * g) * (weight * g)"),
    ),
    "madgrad_squares_without_weight": madgrad(
        "squares are summed as they come [half of a line]",
        (SUMS, "total, squares = s.s + weight * g, s.v + g * g"),
    ),
    "madgrad_steps_from_the_last": madgrad(
        "sums are taken from the last point, not from the first [a variable mixed up]",
        ("z = p0 - moved", "z = p - moved"),
    ),
    "madgrad_sums_of_before": madgrad(
        "the sums before this step move the parameter [state read before it was written]",
        ("moved(h, total, squares)", "moved(h, s.s, s.v)"),
    ),
    "padam_corrected": padam(
        "corrections of Adam multiply lr [uclaml/Padam, Padam.py]",
        ('if h.bias_correction == "rate":', "if True:"),
        computes="padam with Adam's corrections of both moments multiply lr",
    ),
    "padam_decay_before": padam(
        "the decay does not pass through the moments [AdamW's line, copied]",
        (
            'if h.decay == "coupled":\n        g = g + h.weight_decay * p',
            'if h.decay == "coupled":\n        p = p * (1 - h.lr * h.weight_decay)',
        ),
        computes="padam with weight decay, multiplied by lr, before the step",
    ),
    "padam_eps_after_the_power": padam(
        "eps is added to the power [brackets in another place]",
        (
            'np.sqrt(v_max if h.maximum == "kept" else v) + h.eps',
            'np.sqrt(v_max if h.maximum == "kept" else v)',
        ),
        ("root ** (2 * h.partial)", "(root ** (2 * h.partial) + h.eps)"),
        check="update_alone",
    ),
    "padam_last_moment_divides": padam(
        "the last moment divides, not the largest [kozistr/pytorch_optimizer, PAdam]",
        ('v_max if h.maximum == "kept" else v)', "v)"),
    ),
    "padam_maximum_not_stored": padam(
        "the largest moment stays as it was [state not written back]",
        ("v_max=v_max), p", "v_max=s.v_max), p"),
    ),
    "padam_maximum_stored_as_moment": padam(
        "the largest moment is averaged on [state written to its neighbour]",
        ("v=v, v_max", "v=v_max, v_max"),
    ),
    "padam_power_not_doubled": padam(
        "the root is taken to the power that squares have [a factor forgotten]",
        ("root ** (2 * h.partial)", "root ** h.partial"),
    ),
    "padam_power_of_the_step": padam(
        "the whole quotient is taken to the power [brackets in another place]",
        ("m / root ** (2 * h.partial)", "np.sign(m) * np.abs(m / root) ** (2 * h.partial)"),
    ),
    "padam_root": padam(
        "the root divides, whatever the power [AMSGrad's line, copied]",
        ("m / root ** (2 * h.partial)", "m / root"),
    ),
    "padam_square_forgotten": padam(
        "sizes are averaged, not squares [a square forgotten]",
        ("(1 - h.beta2) * (g * g)", "(1 - h.beta2) * np.abs(g)"),
    ),
    "pnm_averages_not_swapped": pnm(
        "one average takes all gradients [a swap of two places forgotten]",
        ("kept * s.previous", "kept * s.m"),
    ),
    "pnm_beta_not_squared": pnm(
        "the averages decay by beta1, as if they took every gradient [a square forgotten]",
        ("kept = h.beta1 * h.beta1", "kept = h.beta1"),
    ),
    "pnm_coupled": pnm(
        "the decay passes through the averages [lines in another order]",
        ('if h.decay == "coupled":', "if True:"),
        computes="pnm with weight decay added to the gradient",
    ),
    "pnm_negative_of_the_older": pnm(
        "the average that was updated is taken off in its old form [a variable mixed up]",
        ("h.beta0 * s.m)", "h.beta0 * s.previous)"),
    ),
    "pnm_norm_forgotten": pnm(
        "the two weights are not divided by their norm [half of a line]",
        ("h.beta0 * s.m) / size", "h.beta0 * s.m)"),
    ),
    "pnm_norm_of_one_weight": pnm(
        "the norm leaves the negative weight out [a term dropped on the way]",
        ("(1 + h.beta0) + h.beta0 * h.beta0)", "(1 + h.beta0))"),
    ),
    "pnm_positive_alone": pnm(
        "nothing is taken off [a term dropped on the way]", (" - h.beta0 * s.m) / size", ") / size")
    ),
    "pnm_previous_not_stored": pnm(
        "the average before stays as it was [state not written back]",
        ("previous=s.m)", "previous=s.previous)"),
    ),
    "pnm_undamped": pnm(
        "gradients enter the averages with weight 1 [PyTorch's momentum, copied]",
        ("(1 - kept) * g", "g"),
    ),
    "pnm_weights_added": pnm(
        "both averages push the same way [a sign]", ("* m - h.beta0", "* m + h.beta0")
    ),
    "simplified_ademamix_alpha_of_the_sum": simplified(
        "alpha weighs the sum, not the gradient [a variable mixed up]",
        ("m + h.alpha * g", "g + h.alpha * m"),
    ),
    "simplified_ademamix_average": simplified(
        "gradients are averaged, as in Adam [kozistr/pytorch_optimizer, SimplifiedAdEMAMix]",
        ('(g if h.momentum == "sum" else (1 - h.beta1) * g)', "(1 - h.beta1) * g"),
        computes="simplified_ademamix with gradients averaged",
    ),
    "simplified_ademamix_betas_swapped": simplified(
        "the sum decays by the moment's beta [a hyperparameter read from its neighbour]",
        ("h.beta1 * s.m", "h.beta2 * s.m"),
    ),
    "simplified_ademamix_corrected_twice": simplified(
        "the correction is turned round [kozistr/pytorch_optimizer, SimplifiedAdEMAMix]",
        ('if h.correction == "twice":', "if True:"),
        computes="simplified_ademamix with the update divided by the second moment's correction",
    ),
    "simplified_ademamix_decay_with_the_gradient": simplified(
        "the decay passes through the moments [lines in another order]",
        ('if h.decay == "coupled":', "if True:"),
        ('if h.decay == "in_step":', "if False:"),
        computes="simplified_ademamix with weight decay added to the gradient",
    ),
    "simplified_ademamix_eps_scaled": simplified(
        "eps is added before the moment is corrected [lines in another order]",
        ("np.sqrt(v / left) + h.eps", "(np.sqrt(v) + h.eps) / np.sqrt(left)"),
        check="update_alone",
    ),
    "simplified_ademamix_gradient_of_before": simplified(
        "the sum before this step moves the parameter [state read before it was written]",
        ("(m + h.alpha * g)", "(s.m + h.alpha * g)"),
    ),
    "simplified_ademamix_moment_not_stored": simplified(
        "the moment stays as it was [state not written back]", ("m=m, v=v)", "m=m, v=s.v)")
    ),
    "simplified_ademamix_sum_corrected": simplified(
        "the sum is corrected for a zero start, as an average would be [Adam's line, copied]",
        ("(m + h.alpha * g) /", "(m / (1 - h.beta1**t) + h.alpha * g) /"),
    ),
    "simplified_ademamix_uncorrected": simplified(
        "the moment is not corrected for its zero start [half of a bias correction]",
        ("np.sqrt(v / left)", "np.sqrt(v)"),
    ),
}

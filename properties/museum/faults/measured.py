"""Faults in rules that hold a gradient against numbers of its tensor, or an expectation."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

adagc = partial(fault, "adagc", "clip")
adashift = partial(fault, "adashift", "delay")
amos = partial(fault, "amos", "decay")
avagrad = partial(fault, "avagrad", "rate")
fadam = partial(fault, "fadam", "clip")
sgd_sai = partial(fault, "sgd_sai", "rate")
vsgd = partial(fault, "vsgd", "moment")

MEASURED: dict[str, Fault] = {
    "adagc_abs_after_the_warmup": adagc(
        "the first threshold stays [a branch that is never left]",
        ("if first or s.t + 1 < h.warmup_steps:", "if True:"),
    ),
    "adagc_average_of_the_gradient": adagc(
        "the average is of the gradient as it came [a variable mixed up]",
        ("h.beta * s.gamma + (1 - h.beta) * length(g)", "h.beta * s.gamma + (1 - h.beta) * norm"),
    ),
    "adagc_average_not_stored": adagc(
        "the average stays as it was [state not written back]",
        ("gamma=gamma), p", "gamma=s.gamma), p"),
    ),
    "adagc_average_turned_round": adagc(
        "the last norm has the average's weight [arguments in another order]",
        (
            "h.beta * s.gamma + (1 - h.beta) * length(g)",
            "(1 - h.beta) * s.gamma + h.beta * length(g)",
        ),
    ),
    "adagc_by_element": adagc(
        "elements are clipped one by one [a reduction forgotten]",
        ("np.sqrt(np.sum(x * x))", "np.sqrt(np.max(x * x, initial=0.0))"),
    ),
    "adagc_coupled": adagc(
        "the decay passes through the moments [lines in another order]",
        ('if h.decay == "coupled":', 'if h.decay in ("before", "coupled"):'),
        computes="adagc with weight decay added to the gradient",
    ),
    "adagc_least_not_kept": adagc(
        "the last norm of the warm-up stands for the least [a minimum forgotten]",
        ("length(g) if first else np.minimum(s.gamma, length(g))", "length(g)"),
    ),
    "adagc_most_kept": adagc(
        "the largest norm of the warm-up is kept [a maximum for a minimum]",
        ("np.minimum(s.gamma, length(g))", "np.maximum(s.gamma, length(g))"),
    ),
    "adagc_relative_forgotten": adagc(
        "the average itself is the threshold [a factor forgotten]",
        ("share = h.lambda_rel * s.gamma / beside", "share = s.gamma / beside"),
    ),
    "adagc_scaled_up": adagc(
        "short gradients are made as long as the threshold [a minimum forgotten]",
        ("g = np.minimum(share, 1.0) * g", "g = share * g"),
    ),
    "adagc_square_of_the_gradient": adagc(
        "the second moment is of the gradient as it came [a variable mixed up]",
        ("(short * short)", "(g * g)"),
    ),
    "adashift_all_before": adashift(
        "the oldest gradient counts from the first step on [a branch forgotten]",
        ("    if t <= n:\n        return State(t=t, m=m, v=s.v, past=past), p\n", ""),
        ("(t - n))", "max(t - n, 1))"),
    ),
    "adashift_average_of_all": adashift(
        "old gradients stay in the average [a term forgotten]",
        ("(s.m - h.beta1 ** (n - 1) / weight * old)", "s.m"),
    ),
    "adashift_correction_of_the_count": adashift(
        "the moment is corrected for the whole count [an offset forgotten]",
        ("(1 - h.beta2 ** (t - n))", "(1 - h.beta2**t)"),
    ),
    "adashift_mean_for_the_maximum": adashift(
        "the mean square is averaged [a reduction mixed up]", ("np.max(square)", "np.mean(square)")
    ),
    "adashift_moment_not_stored": adashift(
        "the second moment stays as it was [state not written back]",
        ("State(t=t, m=m, v=v, past=past), p -", "State(t=t, m=m, v=s.v, past=past), p -"),
    ),
    "adashift_oldest_not_decayed": adashift(
        "the oldest gradient leaves with its first weight [a power forgotten]",
        ("h.beta1 ** (n - 1) / weight * old", "old / weight"),
    ),
    "adashift_one_step_late": adashift(
        "gradients count one step too late [an index off by one]",
        (
            "np.concatenate([s.past[1:], g[None]])",
            "np.concatenate([s.past[:1], s.past[2:], g[None]]) if n > 1 else g[None]",
        ),
    ),
    "adashift_one_step_longer": adashift(
        "p rests for a step more [a comparison off by one]", ("if t <= n:", "if t <= n + 1:")
    ),
    "adashift_own_squares": adashift(
        "each element has its own square [a function not called]",
        ('(np.max(square) if h.squares == "largest" else square)', "square"),
        computes="adashift with each element's own square is averaged",
    ),
    "adashift_square_of_the_last": adashift(
        "the last gradient's square is averaged [Adam's line, copied]",
        ("square = old * old", "square = g * g"),
    ),
    "adashift_uncorrected": adashift(
        "the weights do not sum to one [a sum forgotten]",
        ("weight = sum(h.beta1**i for i in range(n))", "weight = 1 / (1 - h.beta1)"),
    ),
    "amos_b_not_compounded": amos(
        "the decay so far grows by its share alone [a term forgotten]",
        ("b = s.b + a * (1 + s.b)", "b = s.b + a"),
    ),
    "amos_b_not_stored": amos(
        "the decay so far stays as it was [state not written back]",
        ("v=v, b=b), p - u", "v=v, b=s.b), p - u"),
    ),
    "amos_b_of_this_step": amos(
        "the rate is damped by the decay of this step too [state read after it was written]",
        (
            "    c = 1 / np.sqrt(1 + h.c_coef",
            "    b = s.b + h.lr * h.lr * r * q * (1 + s.b)\n    c = 1 / np.sqrt(1 + h.c_coef",
        ),
        ("np.sqrt(h.lr * eta) * s.b)", "np.sqrt(h.lr * eta) * b)"),
    ),
    "amos_damping_of_the_root": amos(
        "the rate is damped by a root [a root too many]",
        (
            "d = 1 / (1 + h.d_coef * np.sqrt(h.lr * eta) * s.b)",
            "d = 1 / np.sqrt(1 + h.d_coef * np.sqrt(h.lr * eta) * s.b)",
        ),
    ),
    "amos_decay_not_damped": amos(
        "the decay's root is missing [a function not called]",
        ("c = 1 / np.sqrt(1 +", "c = 1 / (1 +"),
    ),
    "amos_decay_of_the_rate": amos(
        "lr stands for its square [a square forgotten]",
        ("a = c * (h.lr * h.lr) * r * q", "a = c * h.lr * r * q"),
    ),
    "amos_decay_whole": amos(
        "the decay is not halved [a factor forgotten]",
        ("a / 2 + h.weight_decay", "a + h.weight_decay"),
    ),
    "amos_grows": amos(
        "half of the weight decay lets p grow [a sign]",
        ('if h.pull == "whole" else', "if False else"),
        computes="amos with half of the weight decay lets the parameter grow",
    ),
    "amos_mean_of_magnitudes": amos(
        "squares are of the mean magnitude [a reduction mixed up]",
        ("q = np.mean(g * g)", "q = np.mean(np.abs(g)) * np.mean(np.abs(g))"),
    ),
    "amos_rate_without_the_scale": amos(
        "the damping does not know the scale [a factor forgotten]",
        ("np.sqrt(h.lr * eta)", "np.sqrt(h.lr)"),
    ),
    "amos_sum_for_the_mean": amos(
        "squares are summed [a reduction mixed up]", ("q = np.mean(g * g)", "q = np.sum(g * g)")
    ),
    "amos_uncorrected": amos(
        "the moment is not corrected for its zero start [a correction forgotten]",
        ("r = (1 - h.beta**t) /", "r = 1 /"),
    ),
    "avagrad_coupled": avagrad(
        "the decay passes through the moments [lines in another order]",
        ('if h.decay == "coupled":', 'if h.decay in ("before", "coupled"):'),
        computes="avagrad with weight decay added to the gradient",
    ),
    "avagrad_last_rates": avagrad(
        "the last step's mean divides [state read before it was written]",
        ('    if h.rates == "own":', "    if False:"),
        ('if h.rates == "own" or s.t:', "if s.t:"),
        computes="avagrad with divided by the mean of the last step's rates, and no first step",
    ),
    "avagrad_mean_of_the_rates": avagrad(
        "the mean is of the rates, not of their squares [a reduction mixed up]",
        ("1 / np.sqrt(np.mean(1 / (d * d)))", "1 / np.mean(1 / d)"),
    ),
    "avagrad_mean_of_the_roots": avagrad(
        "the mean is of the roots, not of the rates [a quotient turned round]",
        ("1 / np.sqrt(np.mean(1 / (d * d)))", "np.sqrt(np.mean(d * d))"),
    ),
    "avagrad_moment_not_stored": avagrad(
        "the second moment stays as it was [state not written back]",
        ("v=h.beta2 * s.v + (1 - h.beta2) * (g * g),", "v=s.v,"),
    ),
    "avagrad_moment_of_this_step": avagrad(
        "the gradient's own square divides it [Adam's line, copied]",
        ("d = roots(h, s.v, s.t)", "d = roots(h, h.beta2 * s.v + (1 - h.beta2) * (g * g), t)"),
    ),
    "avagrad_not_normalized": avagrad(
        "the rates are not divided by their mean [a line forgotten]", ("h.lr * used /", "h.lr /")
    ),
    "avagrad_roots_of_the_next_count": avagrad(
        "the old moment is corrected for this step's count [a counter one step ahead]",
        ("d = roots(h, s.v, s.t)", "d = roots(h, s.v, t)"),
    ),
    "avagrad_sum_for_the_mean": avagrad(
        "squares of the rates are summed [a reduction mixed up]",
        ("np.mean(1 / (d * d))", "np.sum(1 / (d * d))"),
    ),
    "avagrad_uncorrected": avagrad(
        "the average is not corrected for its zero start [a correction forgotten]",
        ("used / (1 - h.beta1**t) * (m / d)", "used * (m / d)"),
    ),
    "fadam_average_clipped": fadam(
        "the average is clipped, not the gradient [lines in another order]",
        ("    n = n / np.maximum(1.0, rms(n) / h.clip)\n", ""),
        ("    w = p / d\n", "    m = m / np.maximum(1.0, rms(m) / h.clip)\n    w = p / d\n"),
    ),
    "fadam_clip_multiplied": fadam(
        "clip multiplies the size [a quotient turned round]",
        ("n = n / np.maximum(1.0, rms(n) / h.clip)", "n = n / np.maximum(1.0, rms(n) * h.clip)"),
    ),
    "fadam_decay_not_clipped": fadam(
        "the way to zero is not clipped [a line forgotten]",
        ("    w = w / np.maximum(1.0, rms(w) / h.clip)\n", ""),
    ),
    "fadam_decay_not_natural": fadam(
        "the parameter itself is taken off [AdamW's line, copied]", ("w = p / d", "w = p")
    ),
    "fadam_decay_of_the_average": fadam(
        "the decay passes through the average [lines in another order]",
        (
            "m = h.beta1 * s.m + (1 - h.beta1) * n",
            "m = h.beta1 * s.m + (1 - h.beta1) * (n + h.weight_decay * p / d)",
        ),
        ("(m + h.weight_decay * w)", "m"),
    ),
    "fadam_eps_fixed": fadam(
        "eps does not follow the gradient [a minimum forgotten]",
        ("np.where(size > 0, np.minimum(h.eps, h.eps2 * size), h.eps)", "h.eps"),
    ),
    "fadam_eps_of_the_larger": fadam(
        "eps is the larger of the two [a maximum for a minimum]",
        ("np.minimum(h.eps, h.eps2 * size)", "np.maximum(h.eps, h.eps2 * size)"),
    ),
    "fadam_information_not_stored": fadam(
        "the information stays as it was [state not written back]",
        ("State(t=t, m=m, f=f), p -", "State(t=t, m=m, f=s.f), p -"),
    ),
    "fadam_information_uncorrected": fadam(
        "the memory does not grow with the count [a correction forgotten]",
        ("beta = h.beta2 * (1 - h.beta2**s.t) / (1 - h.beta2**t)", "beta = h.beta2"),
    ),
    "fadam_memory_of_the_next_count": fadam(
        "the memory is that of the step to come [a counter one step ahead]",
        (
            "beta = h.beta2 * (1 - h.beta2**s.t) / (1 - h.beta2**t)",
            "beta = h.beta2 * (1 - h.beta2**t) / (1 - h.beta2 ** (t + 1))",
        ),
    ),
    "fadam_norm_for_the_mean": fadam(
        "norms stand for roots of means [a reduction mixed up]",
        ("np.sqrt(np.mean(x * x))", "np.sqrt(np.sum(x * x))"),
    ),
    "fadam_not_rooted": fadam(
        "the information itself divides [a function not called]", ("d = np.sqrt(f) +", "d = f +")
    ),
    "sgd_sai_decay_by_the_ratio": sgd_sai(
        "the decay is multiplied by the ratio too [a factor too many]",
        ("(1 - h.lr * h.weight_decay)", "(1 - h.lr * r * h.weight_decay)"),
    ),
    "sgd_sai_decay_forgotten": sgd_sai(
        "the decay changes a gradient that nothing reads any more [lines in another order]",
        ("    p = p * (1 - h.lr * h.weight_decay)\n", ""),
    ),
    "sgd_sai_first_with_zero": sgd_sai(
        "the first average is one with zero [a branch forgotten]",
        ('if s.t or h.start == "zero":', "if True:"),
        computes="sgd_sai with the first average is one with zero",
    ),
    "sgd_sai_momentum_summed": sgd_sai(
        "gradients are summed, not averaged [SGD's line, copied]",
        ("h.momentum * s.m + (1 - h.momentum) * g", "h.momentum * s.m + g"),
    ),
    "sgd_sai_noise_about_zero": sgd_sai(
        "noise is measured from zero [a mean forgotten]", ("away = g - np.mean(g)", "away = g")
    ),
    "sgd_sai_noise_of_a_population": sgd_sai(
        "the variance divides by n [a correction forgotten]", ("/ (g.size - 1))", "/ g.size)")
    ),
    "sgd_sai_of_matrices": sgd_sai(
        "vectors have no noise [a condition too many]",
        ('if h.noise == "of_matrices" and (', "if ("),
    ),
    "sgd_sai_ratio_not_stored": sgd_sai(
        "the ratio stays as it was [state not written back]", ("m=m, r=r), p -", "m=m, r=s.r), p -")
    ),
    "sgd_sai_ratio_of_every_gradient": sgd_sai(
        "the ratio is taken anew in every step [a condition forgotten]",
        ("r = s.r if s.t else ratio(h, g)", "r = ratio(h, g)"),
    ),
    "sgd_sai_ratio_turned_round": sgd_sai(
        "noise is divided by the signal [a quotient turned round]",
        ("return norm / (std + h.eps)", "return std / (norm + h.eps)"),
    ),
    "sgd_sai_signal_squared": sgd_sai(
        "the signal is squared [a function not called]",
        ("norm = np.sqrt(np.sum(g * g))", "norm = np.sum(g * g)"),
    ),
    "vsgd_average_not_stored": vsgd(
        "the estimate stays as it was [state not written back]",
        ("State(t=t, m=m, b=b", "State(t=t, m=s.m, b=b"),
    ),
    "vsgd_coupled": vsgd(
        "the decay passes through the estimate [lines in another order]",
        ('if h.decay == "coupled":', "if True:"),
        computes="vsgd with weight decay added to the gradient",
    ),
    "vsgd_counts_from_zero": vsgd(
        "the memory is that of the count before [a counter one step behind]",
        ("t ** (-h.tau1), t ** (-h.tau2)", "max(s.t, 1) ** (-h.tau1), max(s.t, 1) ** (-h.tau2)"),
    ),
    "vsgd_first_as_the_others": vsgd(
        "the first step divides by k too [a branch forgotten]",
        ("(z / (k - 1), y / (k - 1))", "(z / k, y / k)"),
    ),
    "vsgd_innovation_of_the_old": vsgd(
        "the gradient is held against the estimate before [state read before it was written]",
        ("2 * g * m + g * g", "2 * g * s.m + g * g"),
    ),
    "vsgd_not_rooted": vsgd(
        "the second moment itself divides [a function not called]",
        ("(np.sqrt(q) + h.eps)", "(q + h.eps)"),
    ),
    "vsgd_one_memory": vsgd(
        "both precisions have the first memory [a variable mixed up]",
        ("t ** (-h.tau1), t ** (-h.tau2)", "t ** (-h.tau1), t ** (-h.tau1)"),
    ),
    "vsgd_prior_forgotten": vsgd(
        "the prior does not enter later on [a term forgotten]", ("rho1 * (z + q -", "rho1 * (q -")
    ),
    "vsgd_ratio_on_the_other": vsgd(
        "the ratio is on the gradient's own variance [arguments in another order]",
        ("(z / (k - 1), y / (k - 1))", "(y / (k - 1), z / (k - 1))"),
    ),
    "vsgd_uncertainty_forgotten": vsgd(
        "the estimate's own variance does not divide [a term forgotten]",
        ("q = m * m + own * seen / (own + seen)", "q = m * m"),
    ),
    "vsgd_weights_turned_round": vsgd(
        "the gradient has the past's weight [arguments in another order]",
        ("(own * g + seen * s.m)", "(seen * g + own * s.m)"),
    ),
}

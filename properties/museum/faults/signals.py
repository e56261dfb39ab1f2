"""Faults in rules that tell a gradient's signal from its noise."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

aida = partial(fault, "aida", "projection")
fadam = partial(fault, "fadam", "clip")
sgd_sai = partial(fault, "sgd_sai", "rate")
vsgd = partial(fault, "vsgd", "moment")

ON_EACH_OTHER = "x, y = product / (np.sum(x * x) + XI) * x, product / (np.sum(y * y) + XI) * y"

SIGNALS: dict[str, Fault] = {
    "aida_belief_of_the_average": aida(
        "the average is not projected [a line forgotten]",
        (ON_EACH_OTHER, "x = product / (np.sum(x * x) + XI) * x"),
    ),
    "aida_belief_of_the_gradient": aida(
        "the gradient is not projected [a line forgotten]",
        (ON_EACH_OTHER, "y = product / (np.sum(y * y) + XI) * y"),
    ),
    "aida_eps_not_kept": aida(
        "eps divides, but is not kept [state written before a line]",
        ("return State(t=t, m=m, v=v), p", "return State(t=t, m=m, v=v - h.eps), p"),
    ),
    "aida_eps_outside": aida(
        "eps is added to the root [brackets in another place]",
        ("(away * away) + h.eps", "(away * away)"),
        ("root = np.sqrt(v) if", "root = np.sqrt(v) + h.eps if"),
    ),
    "aida_moment_not_stored": aida(
        "the second moment stays as it was [state not written back]",
        ("return State(t=t, m=m, v=v), p", "return State(t=t, m=m, v=s.v), p"),
    ),
    "aida_norms_for_squares": aida(
        "norms divide, not their squares [a square forgotten]",
        ("(np.sum(x * x) + XI)", "(np.sqrt(np.sum(x * x)) + XI)"),
        ("(np.sum(y * y) + XI)", "(np.sqrt(np.sum(y * y)) + XI)"),
    ),
    "aida_not_projected": aida(
        "nothing is projected [a loop forgotten]", ("for _ in range(h.k):", "for _ in range(0):")
    ),
    "aida_of_the_old_average": aida(
        "the average before the step is projected [state read before it was written]",
        ("x, y = g, m", "x, y = g, s.m"),
    ),
    "aida_one_after_the_other": aida(
        "the average is projected on the gradient's projection [lines in another order]",
        (
            "        x, y = product / (np.sum(x * x) + XI) * x, product",
            "        x = product / (np.sum(x * x) + XI) * x\n        y = np.sum(x * y)",
        ),
    ),
    "aida_one_time_more": aida(
        "projections are one too many [a loop off by one]", ("range(h.k)", "range(h.k + 1)")
    ),
    "aida_squares_averaged": aida(
        "the gradient's square is averaged [Adam's line, copied]", ("(away * away)", "(g * g)")
    ),
    "aida_uncorrected": aida(
        "the second moment is not corrected [half of a bias correction]",
        ("(root / np.sqrt(1 - h.beta2**t))", "root"),
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

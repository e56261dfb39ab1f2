"""Faults in momenta that look at the change of the gradient or of their own averages."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

accsgd = partial(fault, "accsgd", "averaging")
adapnm = partial(fault, "adapnm", "momentum")
exadam = partial(fault, "exadam", "moment")
mars = partial(fault, "mars", "norm")
pid = partial(fault, "pid", "momentum")

SURPRISE = "h.gamma * (h.beta1 / (1 - h.beta1)) * (g - s.previous)"

STEERED: dict[str, Fault] = {
    "accsgd_average_not_stored": accsgd(
        "the average of points stays as it was [state not written back]", ("b=b)", "b=s.b)")
    ),
    "accsgd_average_of_before": accsgd(
        "the average before this step is mixed in [state read before it was written]",
        ("(1 - zeta) * b", "(1 - zeta) * s.b"),
    ),
    "accsgd_constant_not_squared": accsgd(
        "the constant enters the share once [a square forgotten]",
        ("h.constant * h.constant * h.xi", "h.constant * h.xi"),
    ),
    "accsgd_far_point_of_the_average": accsgd(
        "long steps are taken from the average [a variable mixed up]", ("far = p -", "far = s.b -")
    ),
    "accsgd_kappa_not_divided": accsgd(
        "the long step is not divided by the constant [half of a line]",
        ("(h.kappa / h.constant)", "h.kappa"),
    ),
    "accsgd_long_step_twice": accsgd(
        "the parameter takes the long step too [a variable mixed up]", ("(p - h.lr * g)", "far")
    ),
    "accsgd_mean_turned_round": accsgd(
        "the average is weighed by its complement [arguments in another order]",
        ("zeta * (p - h.lr * g) + (1 - zeta) * b", "(1 - zeta) * (p - h.lr * g) + zeta * b"),
    ),
    "accsgd_share_turned_round": accsgd(
        "the new point is weighed by its complement [arguments in another order]",
        ("(1 - share) * s.b + share * far", "share * s.b + (1 - share) * far"),
    ),
    "accsgd_short_step_forgotten": accsgd(
        "the parameter takes no step of its own [a term dropped on the way]",
        ("(p - h.lr * g)", "p"),
    ),
    "accsgd_undecayed": accsgd(
        "there is no decay [a term dropped on the way]", ("g = g + h.weight_decay * p", "pass")
    ),
    "adapnm_averages_not_swapped": adapnm(
        "one average takes all gradients [a swap of two places forgotten]",
        ("kept * s.previous", "kept * s.m"),
    ),
    "adapnm_beta_not_squared": adapnm(
        "the averages decay by beta1, as if they took every gradient [a square forgotten]",
        ("kept = h.beta1 * h.beta1", "kept = h.beta1"),
    ),
    "adapnm_correction_of_the_square": adapnm(
        "the average is corrected by beta1 squared, as it decays [a square too many]",
        ("(1 - h.beta1**t)", "(1 - h.beta1 ** (2 * t))"),
    ),
    "adapnm_coupled": adapnm(
        "the decay passes through the moments [lines in another order]",
        ('if h.decay == "coupled":', 'if h.decay in ("before", "coupled"):'),
        computes="adapnm with weight decay added to the gradient",
    ),
    "adapnm_eps_inside": adapnm(
        "eps is added under the root [brackets in another place]",
        ("(1 - h.beta2**t)) + h.eps", "(1 - h.beta2**t) + h.eps)"),
        check="update_alone",
    ),
    "adapnm_last_moment_divides": adapnm(
        "the last moment divides, not the largest [a maximum forgotten]",
        ('largest = v_max if h.maximum == "kept" else v', "largest = v"),
    ),
    "adapnm_norm_forgotten": adapnm(
        "the two weights are not divided by their norm [half of a line]", (" / size", "")
    ),
    "adapnm_positive_alone": adapnm(
        "nothing is taken off [a term dropped on the way]", (" - h.beta0 * s.m) /", ") /")
    ),
    "adapnm_previous_not_stored": adapnm(
        "the average before stays as it was [state not written back]",
        ("previous=s.m,", "previous=s.previous,"),
    ),
    "adapnm_weights_added": adapnm(
        "both averages push the same way [a sign]", ("* m - h.beta0", "* m + h.beta0")
    ),
    "exadam_corrections_swapped": exadam(
        "each moment is corrected by its own share [a variable mixed up]",
        ("mean = d1 * (m", "mean = d2 * (m"),
    ),
    "exadam_counter_of_before": exadam(
        "the share fades with the count before [counters from 0 and from 1]",
        ("h.beta2**t * (v", "h.beta2**s.t * (v"),
    ),
    "exadam_divisor_uncorrected_by_the_mean": exadam(
        "the second moment is corrected for its start alone [a factor forgotten]",
        ("np.sqrt(d2 * (", "np.sqrt(1.0 * ("),
    ),
    "exadam_eps_of_the_root": exadam(
        "eps is added under the root [brackets in another place]",
        ("(1 - h.beta2**t))) + h.eps", "(1 - h.beta2**t)) + h.eps)"),
        check="update_alone",
    ),
    "exadam_gradient_averaged": exadam(
        "the gradient on top weighs as in the average [half of a bias correction]",
        ("d1 * (g / (1 - h.beta1**t))", "d1 * g"),
    ),
    "exadam_gradient_forgotten": exadam(
        "the average alone moves the parameter, as in Adam [a term dropped on the way]",
        (" + d1 * (g / (1 - h.beta1**t))", ""),
    ),
    "exadam_gradient_without_share": exadam(
        "the gradient on top is corrected for the start alone [a factor forgotten]",
        ("d1 * (g /", "1.0 * (g /"),
    ),
    "exadam_moment_not_stored": exadam(
        "the second moment stays as it was [state not written back]", ("v=v), p", "v=s.v), p")
    ),
    "exadam_rate_plain": exadam(
        "lr does not grow [kozistr/pytorch_optimizer, EXAdam]",
        ('if h.rate == "logarithmic" else h.lr', "if False else h.lr"),
        computes="exadam with lr as it is",
    ),
    "exadam_shares_subtracted": exadam(
        "the share of the mean is taken off [a sign]", ("d2 = 1 + h.", "d2 = 1 - h.")
    ),
    "mars_decay_unscaled": mars(
        "the decay is not multiplied by lr [two conventions]",
        ('h.lr * h.weight_decay if h.decay == "before" else h.weight_decay', "h.weight_decay"),
        computes="mars with weight decay not multiplied by lr",
    ),
    "mars_eps_before_correction": mars(
        "eps is added before the moment is corrected [lines in another order]",
        ("(1 - h.beta2**t)) + h.eps", "(1 - h.beta2**t)) + h.eps / np.sqrt(1 - h.beta2**t)"),
        check="update_alone",
        computes="mars with eps added to the root before bias correction",
    ),
    "mars_factor_turned_round": mars(
        "the change of the gradient is weighed by the inverse [a quotient turned round]",
        ("(h.beta1 / (1 - h.beta1))", "((1 - h.beta1) / h.beta1)"),
    ),
    "mars_gradient_before_not_stored": mars(
        "the gradient before stays as it was [state not written back]",
        ("previous=g), p - h.lr * (m", "previous=s.previous), p - h.lr * (m"),
    ),
    "mars_limited_gradient_stored": mars(
        "what is kept is the corrected gradient [state written too late]",
        ("previous=g), p - h.lr * (m", "previous=c), p - h.lr * (m"),
    ),
    "mars_norm_always_one": mars(
        "short gradients are made longer [a maximum forgotten]",
        ("np.maximum(np.sqrt(np.sum(c * c)), 1.0)", "np.sqrt(np.sum(c * c))"),
    ),
    "mars_not_limited": mars(
        "gradients are not shortened [a line dropped]",
        ("c = c / np.maximum(np.sqrt(np.sum(c * c)), 1.0)", "pass"),
    ),
    "mars_plain_squares": mars(
        "squares of the plain gradient are averaged [a variable mixed up]",
        ("(1 - h.beta2) * (c * c)", "(1 - h.beta2) * (g * g)"),
    ),
    "mars_squared_norm": mars(
        "the squared norm divides [a function not called]",
        ("np.maximum(np.sqrt(np.sum(c * c)), 1.0)", "np.maximum(np.sum(c * c), 1.0)"),
    ),
    "mars_surprise_subtracted": mars(
        "the change of the gradient is taken off [a sign]", (f"g + {SURPRISE}", f"g - {SURPRISE}")
    ),
    "pid_change_before_decay": pid(
        "what is kept is the gradient without its decay [lines in another order]",
        ("previous=g), p", 'previous=g - h.weight_decay * p if h.decay == "coupled" else g), p'),
    ),
    "pid_change_undamped": pid(
        "the change of the gradient enters whole [half of an average]",
        ("d = d + (1 - h.momentum) * (g", "d = d + (g"),
    ),
    "pid_derivative_from_the_first": pid(
        "the first gradient counts as a change [a start forgotten]", ("if t > 1:", "if True:")
    ),
    "pid_derivative_of_the_wrong_sign": pid(
        "the change is of the gradient before against this one [a sign]",
        ("(g - s.previous)", "(s.previous - g)"),
    ),
    "pid_gains_swapped": pid(
        "each gain weighs the other sum [a hyperparameter read from its neighbour]",
        ("h.integral * i + h.derivative * d", "h.derivative * i + h.integral * d"),
    ),
    "pid_gradient_before_not_stored": pid(
        "the gradient before stays as it was [state not written back]",
        ("previous=g), p", "previous=s.previous), p"),
    ),
    "pid_first_gradient_whole": pid(
        "the first gradient is not damped [tensorboy/PIDOptimizer]",
        ('if h.first == "whole" and t == 1:', "if t == 1:"),
        check="combinations",
        computes="pid with the first gradient not damped",
    ),
    "pid_integral_of_before": pid(
        "the integral before this step moves the parameter [state read before it was written]",
        ("h.integral * i +", "h.integral * s.i +"),
    ),
    "pid_integral_undamped": pid(
        "gradients enter the integral whole [a factor forgotten]", ("(1 - h.dampening) * g", "g")
    ),
    "pid_proportional_forgotten": pid(
        "the gradient itself does not count [a term dropped on the way]",
        ("(g + h.integral", "(h.integral"),
    ),
}

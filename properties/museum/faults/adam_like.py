"""Faults in rules that change one line of Adam, in Rprop, and in quasi-hyperbolic momenta."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

adabelief = partial(fault, "adabelief", "moment")
adabound = partial(fault, "adabound", "moment")
adamw = partial(fault, "adamw", "decay", dialect={"decay": "cautious"})
adopt = partial(fault, "adopt", "moment")
aggmo = partial(fault, "aggmo", "momentum")
cautious_lion = partial(fault, "cautious_lion", "sign")
diffgrad = partial(fault, "diffgrad", "moment")
fromage = partial(fault, "fromage", "norm")
grams = partial(fault, "grams", "sign")
laprop = partial(fault, "laprop", "moment")
novograd = partial(fault, "novograd", "norm")
optimistic_adam = partial(fault, "optimistic_adam", "momentum")
optimistic_gradient = partial(fault, "optimistic_gradient", "momentum")
qhadam = partial(fault, "qhadam", "averaging")
qhm = partial(fault, "qhm", "momentum")
rprop = partial(fault, "rprop", "sign")
yogi = partial(fault, "yogi", "moment")

SIGN = "np.sign(s.v - square) * square"

ADAM_LIKE: dict[str, Fault] = {
    "adabelief_deviation_from_the_old_mean": adabelief(
        "the deviation is that from the mean before this step [state read before it was written]",
        ("surprise = g - m", "surprise = g - s.m"),
    ),
    "adabelief_eps_outside_alone": adabelief(
        "eps does not enter the average of squares [an eps for each of two places]",
        ("(surprise * surprise) + h.eps", "(surprise * surprise)"),
        check="update_alone",
    ),
    "adabelief_eps_not_kept": adabelief(
        "eps divides but is not stored with the average [an argument added to a copy]",
        (
            "State(t=t, m=m, v=v), p - h.lr * (m_hat",
            "State(t=t, m=m, v=v - np.float32(h.eps)), p - h.lr * (m_hat",
        ),
        check="combinations",
    ),
    "adabelief_squares_of_the_gradient": adabelief(
        "squares of the gradient are averaged, as in Adam [Adam's line, copied]",
        ("(surprise * surprise)", "(g * g)"),
    ),
    "adabound_bounds_count_from_zero": adabound(
        "the bounds of the first step are those before it [counters from 0 and from 1]",
        ("h.gamma * t + 1", "h.gamma * (t - 1) + 1"),
    ),
    "adabound_lower_bound_forgotten": adabound(
        "rates are not raised to the lower bound [a minimum for a clip]",
        ("np.clip(rate, low, high)", "np.minimum(rate, high)"),
    ),
    "adabound_step_clipped": adabound(
        "the step is clipped, not its rate [a function applied one line later]",
        ("np.clip(rate, low, high) * m", "np.clip(rate * m, low, high)"),
    ),
    "adabound_uncorrected": adabound(
        "the rate is not corrected for the zero start [half of a bias correction]",
        ("h.lr * (np.sqrt(1 - h.beta2**t) / (1 - h.beta1**t))", "h.lr / (1 - h.beta1**t)"),
    ),
    "adamw_cautious_decay_by_the_gradient": adamw(
        "decay follows the gradient's sign, not the update's [a variable mixed up]",
        ("np.where(update * p >= 0", "np.where(g * p >= 0"),
    ),
    "adamw_cautious_decay_reversed": adamw(
        "decay acts where the step leads away from zero [a comparison turned round]",
        ("np.where(update * p >= 0", "np.where(update * p <= 0"),
    ),
    "adopt_clip_counts_from_one": adopt(
        "the limit of the second step is that of the third [counters from 0 and from 1]",
        ("limit = (t - 1) ** 0.25", "limit = t**0.25"),
    ),
    "adopt_divides_by_the_new_moment": adopt(
        "the square of this gradient is part of its divisor [state written before it was read]",
        (
            "u = g / np.maximum(np.sqrt(s.v), h.eps)",
            "u = g / np.maximum(np.sqrt(h.beta2 * s.v + (1 - h.beta2) * (g * g)), h.eps)",
        ),
    ),
    "adopt_eps_added": adopt(
        "eps is added to the root, where it is declared as a floor [Adam's line, copied]",
        ("np.maximum(np.sqrt(s.v), h.eps)", "(np.sqrt(s.v) + h.eps)"),
        check="update_alone",
    ),
    "adopt_first_gradient_moves": adopt(
        "the first gradient moves the parameter by its own sign [a return forgotten]",
        (
            "return State(t=t, m=s.m, v=s.v + g * g), p",
            "s = State(t=s.t, m=s.m, v=s.v + g * g)\n        t = 2",
        ),
        ("return State(t=t, m=m, v=v)", "return State(t=s.t + 1, m=m, v=v)"),
    ),
    "aggmo_last_velocity_alone": aggmo(
        "one velocity moves the parameter [a sum overwritten in its loop]",
        ("p - lr * b1 - lr * b2 - lr * b3", "p - 3 * lr * b3"),
    ),
    "aggmo_lr_not_divided": aggmo(
        "velocities are summed, not averaged [a mean forgotten]", ("h.lr / 3", "h.lr")
    ),
    "aggmo_velocities_damp_the_gradient": aggmo(
        "gradients enter by 1 - beta [an average for a sum]",
        ("h.beta2 * s.b2 + g", "h.beta2 * s.b2 + (1 - h.beta2) * g"),
    ),
    "cautious_lion_agrees_with_the_momentum": cautious_lion(
        "the sign is held against the momentum, not the gradient [a variable mixed up]",
        ("np.where(u * g > 0", "np.where(u * s.m > 0"),
    ),
    "cautious_lion_masked_momentum": cautious_lion(
        "the momentum takes the gradient only where the sign agrees [a mask applied in place]",
        ("(1 - h.beta2) * g", "(1 - h.beta2) * (agrees * g)"),
    ),
    "cautious_lion_not_scaled": cautious_lion(
        "the step is masked, but not scaled [half of a line]",
        ("scale = p.size / (count + 1)", "scale = 1.0"),
    ),
    "diffgrad_friction_of_the_average": diffgrad(
        "friction follows from the average, not from the gradient [a variable mixed up]",
        ("np.abs(s.previous - g)", "np.abs(s.previous - m)"),
    ),
    "diffgrad_friction_signed": diffgrad(
        "falling gradients brake and rising ones do not [an absolute value forgotten]",
        ("np.exp(-np.abs(s.previous - g))", "np.exp(-(s.previous - g))"),
    ),
    "diffgrad_previous_gradient_not_stored": diffgrad(
        "the difference is that from the first gradient [state not written back]",
        ("previous=g)", "previous=s.previous)"),
    ),
    "fromage_norm_of_the_moved": fromage(
        "p shrinks before its norm is taken [lines in another order]",
        ("np.sqrt(np.sum(p * p))", "np.sqrt(np.sum(p * p)) / np.sqrt(1 + h.lr * h.lr)"),
        check="combinations",
    ),
    "fromage_not_shrunk": fromage(
        "the moved parameter keeps its length [half of a line]",
        (") / np.sqrt(1 + h.lr * h.lr)", ") / 1.0"),
        check="combinations",
    ),
    "fromage_step_as_the_gradient": fromage(
        "the step is divided by the gradient's norm alone [a factor forgotten]",
        ("p_norm / np.where(still, 1.0, g_norm)", "1.0 / np.where(still, 1.0, g_norm)"),
    ),
    "grams_sign_of_the_average": grams(
        "the sign is that of the average, as in Adam [a variable mixed up]",
        ("np.sign(g)", "np.sign(m)"),
    ),
    "grams_size_forgotten": grams(
        "the update keeps its own sign beside the gradient's [an absolute value forgotten]",
        ("np.abs(update)", "update"),
    ),
    "grams_step_decayed": grams(
        "the decay shrinks the moved parameter [lines in another order]",
        ("p = p * (1 - h.lr * h.weight_decay)\n", "pass\n"),
        (
            "p - h.lr * (np.abs(update) * np.sign(g))",
            "(p - h.lr * (np.abs(update) * np.sign(g))) * (1 - h.lr * h.weight_decay)",
        ),
    ),
    "laprop_divides_the_average": laprop(
        "the average of gradients is divided, as in Adam [Adam's line, copied]",
        ("(1 - h.beta1) * u", "(1 - h.beta1) * g"),
        ("h.lr * update", "h.lr * (update / (np.sqrt(v_hat) + h.eps))"),
    ),
    "laprop_divisor_of_before": laprop(
        "the moment before this step divides [state read before it was written]",
        ("v_hat = v / left2", "v_hat = s.v / left2"),
    ),
    "laprop_uncorrected": laprop(
        "the average is not corrected for its zero start [half of a bias correction]",
        ("update = m / left1", "update = m"),
    ),
    "novograd_decay_normalized": novograd(
        "the decay is divided by the norm too [lines in another order]",
        ("u = g / (np.sqrt(v) + h.eps)", "u = (g + h.weight_decay * p) / (np.sqrt(v) + h.eps)"),
        ("u = u + h.weight_decay * p", "pass"),
    ),
    "novograd_first_square_averaged": novograd(
        "the first square is weighed by 1 - beta2 [a start forgotten]",
        ("elif t == 1:", "elif t == 0:"),
    ),
    "novograd_mean_of_squares": novograd(
        "the squares' mean is taken for their sum [a reduction mixed up]",
        ("square = np.sum(g * g)", "square = np.mean(g * g) if g.size else np.sum(g * g)"),
    ),
    "novograd_norm_not_squared": novograd(
        "norms are averaged in the place of their squares [a root one line too early]",
        ("square = np.sum(g * g)", "square = np.sqrt(np.sum(g * g))"),
    ),
    "optimistic_adam_gradient_for_update": optimistic_adam(
        "the last gradient is taken back, not the last update [a variable mixed up]",
        ("previous=u)", "previous=g)"),
    ),
    "optimistic_adam_weights_swapped": optimistic_adam(
        "the change weighs alpha [arguments in another order]",
        ("- h.beta * previous", "- h.alpha * previous"),
        check="combinations",
    ),
    "optimistic_gradient_first_step_twice": optimistic_gradient(
        "the first gradient has zero before it [a start forgotten]",
        ("previous = g if t == 1 else s.previous", "previous = s.previous"),
    ),
    "optimistic_gradient_previous_not_stored": optimistic_gradient(
        "the first gradient is taken back again and again [state not written back]",
        ("previous=g)", "previous=previous)"),
    ),
    "optimistic_gradient_sum": optimistic_gradient(
        "the last gradient is added, not taken back [a sign]",
        ("- h.beta * previous", "+ h.beta * previous"),
    ),
    "qhadam_corrected_once": qhadam(
        "the first moment is not corrected for its zero start [half of a bias correction]",
        ("m_hat, v_hat = m / (1 - h.beta1**t),", "m_hat, v_hat = m,"),
    ),
    "qhadam_gradient_in_one_part": qhadam(
        "the last gradient is not part of the divisor [a term dropped on the way]",
        ("(1 - h.nu2) * square + h.nu2 * v_hat", "v_hat"),
    ),
    "qhadam_shares_swapped": qhadam(
        "nu weighs the gradient and 1 - nu the average [arguments in another order]",
        ("(1 - h.nu1) * g + h.nu1 * m_hat", "h.nu1 * g + (1 - h.nu1) * m_hat"),
    ),
    "qhm_average_of_before": qhm(
        "the average before this step moves the parameter [state read before it was written]",
        ("h.lr * h.nu * m", "h.lr * h.nu * s.m"),
    ),
    "qhm_momentum_for_nu": qhm(
        "the momentum's decay weighs the gradient [a hyperparameter read from its neighbour]",
        ("h.lr * (1 - h.nu) * g", "h.lr * (1 - h.momentum) * g"),
    ),
    "qhm_undamped": qhm(
        "gradients enter the average with weight 1 [PyTorch's momentum, copied]",
        ("(1 - h.momentum) * g", "g"),
    ),
    "rprop_lr_in_every_step": rprop(
        "lr multiplies every step, and is not the first size alone [a rate taken for a factor]",
        ("move = size * sign_of(h, kept)", "move = h.lr * size * sign_of(h, kept)"),
    ),
    "rprop_size_before_its_change": rprop(
        "the step has the size before it grew or shrank [state read before it was written]",
        ("move = size * sign_of(h, kept)", "move = s.size * sign_of(h, kept)"),
    ),
    "rprop_sizes_unlimited_above": rprop(
        "sizes grow without a limit [a clip with one end]",
        (
            "np.minimum(np.maximum(s.size * factor, h.size_min), h.size_max)",
            "np.maximum(s.size * factor, h.size_min)",
        ),
        check="combinations",
    ),
    "rprop_steps_are_late": rprop(
        "the step is that of the gradient before [optax: arguments in another order]",
        ("p - move", "p - np.where(turned, 0.0, size * np.sign(s.prev))"),
    ),
    "rprop_turn_remembered": rprop(
        "where the gradient turned it is kept, so that the next one seems to turn again "
        "[state written too early]",
        ("prev = kept if", "prev = g if"),
    ),
    "yogi_average_of_squares": yogi(
        "the second moment decays, as Adam's does [Adam's line, copied]",
        (f"s.v - (1 - h.beta2) * {SIGN}", "h.beta2 * s.v + (1 - h.beta2) * square"),
    ),
    "yogi_sign_reversed": yogi(
        "the second moment moves away from the square [a difference in the other order]",
        ("np.sign(s.v - square)", "np.sign(square - s.v)"),
    ),
    "yogi_sign_of_the_corrected": yogi(
        "the corrected moment is held against the square [lines in another order]",
        ("np.sign(s.v - square)", "np.sign(s.v / (1 - h.beta2**t) - square)"),
    ),
}

"""Faults in rules that find the size of a step elsewhere than its direction."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

a2grad = partial(fault, "a2grad", "averaging")
adamg = partial(fault, "adamg", "rate")
ano = partial(fault, "ano", "sign")
focus = partial(fault, "focus", "sign")
gravity = partial(fault, "gravity", "norm")
msvag = partial(fault, "msvag", "moment")

NUMERATOR = "h.beta3 * s.r + (1 - h.beta3) * (h.scale * v**h.power)"
STEEP = "steep = g * np.max(np.abs(g))"
RHO = "(left * left * (1 - h.beta**2))"

SUMMED = "v = kept * s.v + d"
WEIGHED = "(1 - new) * (p - old * (c * g)) + new * x"

MAGNITUDES: dict[str, Fault] = {
    "a2grad_about_the_old_mean": a2grad(
        "gradients are held against the mean before [state read before it was written]",
        ("away = g - n", "away = g - s.n"),
    ),
    "a2grad_average_not_moved": a2grad(
        "the average of points is not moved by the step [a term forgotten]",
        (WEIGHED, "(1 - new) * p + new * x"),
    ),
    "a2grad_count_with": a2grad(
        "the step itself counts [a counter one step ahead]",
        ('k = s.t if h.count == "before" else t', "k = t"),
        ('(2 if h.count == "before" or t == 1 else 3)', "(2 if t == 1 else 3)"),
        computes="a2grad with weights count the step itself",
    ),
    "a2grad_curvature_constant": a2grad(
        "the curvature does not fall with the count [a factor forgotten]",
        ("2 * h.lips / (k + 1)", "2 * h.lips"),
    ),
    "a2grad_curvature_not_doubled": a2grad(
        "the curvature counts once [a factor forgotten]", ("2 * h.lips /", "h.lips /")
    ),
    "a2grad_mean_not_stored": a2grad(
        "the mean stays as it was [state not written back]", ("n=n,", "n=s.n,")
    ),
    "a2grad_mean_of_the_squares": a2grad(
        "squares are averaged over the elements [a reduction mixed up]",
        ("np.sum(away * away)", "np.sum(away * away) / max(g.size, 1)"),
    ),
    "a2grad_moment_not_summed": a2grad(
        "the last gradient's square alone counts [a sum forgotten]", (SUMMED, "v = d")
    ),
    "a2grad_not_rooted": a2grad(
        "the sum of squares divides [a function not called]",
        ("np.sqrt(counted * v)", "(counted * v)"),
    ),
    "a2grad_point_not_stored": a2grad(
        "the point stays as it was [state not written back]", ("x=x, n", "x=s.x, n")
    ),
    "a2grad_weights_of_this_step": a2grad(
        "points are weighed by this step's weight, not the next one's [an index off by one]",
        ("2 / (k + 3)", "2 / (k + 2)"),
    ),
    "a2grad_weights_turned_round": a2grad(
        "the point has the average's weight [arguments in another order]",
        (WEIGHED, "new * (p - old * (c * g)) + (1 - new) * x"),
    ),
    "adamg_average_of_gradients": adamg(
        "gradients are averaged and the average is multiplied [lines in another order]",
        ("(1 - h.beta1) * (r * g)", "(1 - h.beta1) * g"),
        ("m_hat = m / (1 - h.beta1**t)", "m_hat = r * m / (1 - h.beta1**t)"),
    ),
    "adamg_coupled": adamg(
        "the decay passes through the moments [lines in another order]",
        ('if h.decay == "coupled":', 'if h.decay in ("before", "coupled"):'),
        computes="adamg with weight decay added to the gradient",
    ),
    "adamg_numerator_corrected": adamg(
        "the numerator is corrected for its zero start [a correction too many]",
        ("(r * g)", "(r / (1 - h.beta3**t) * g)"),
    ),
    "adamg_numerator_not_stored": adamg(
        "the numerator stays as it was [state not written back]", ("r=r), p", "r=s.r), p")
    ),
    "adamg_numerator_of_before": adamg(
        "the numerator is of the moment before [state read before it was written]",
        (NUMERATOR, "h.beta3 * s.r + (1 - h.beta3) * (h.scale * s.v**h.power)"),
    ),
    "adamg_numerator_of_the_average": adamg(
        "the power is of the average, not averaged [lines in another order]",
        (NUMERATOR, "h.scale * (h.beta3 * s.v + (1 - h.beta3) * v)**h.power"),
    ),
    "adamg_power_of_the_root": adamg(
        "the power is of the root [a root one line too early]",
        ("v**h.power", "np.sqrt(v)**h.power"),
    ),
    "adamg_rate_not_limited": adamg(
        "the rate does not fall with the count [a minimum forgotten]",
        ("np.minimum(h.lr, 1 / np.sqrt(t))", "h.lr"),
        check="combinations",
    ),
    "adamg_rate_over_the_count": adamg(
        "the limit falls with the count, not with its root [a function not called]",
        ("1 / np.sqrt(t)", "1 / t"),
        check="combinations",
    ),
    "adamg_scale_forgotten": adamg(
        "the numerator is the power alone [a factor forgotten]", ("(h.scale * v**", "(v**")
    ),
    "adamg_uncorrected": adamg(
        "the average is not corrected [half of a bias correction]",
        ("m_hat = m / (1 - h.beta1**t)", "m_hat = m"),
    ),
    "ano_average_moves": ano(
        "the average's own size moves p [Adam's line, copied]",
        ("np.abs(g) * np.sign(m)", "m"),
    ),
    "ano_coupled": ano(
        "the decay passes through the moments [lines in another order]",
        ('if h.decay == "coupled":', 'if h.decay in ("before", "coupled"):'),
        computes="ano with weight decay added to the gradient",
    ),
    "ano_eps_outside_the_root": ano(
        "eps is added to the root [brackets in another place]",
        ("np.sqrt(v_hat + h.eps) if", "np.sqrt(v_hat) + h.eps if"),
        check="update_alone",
        computes="ano with eps added to the root",
    ),
    "ano_moment_averaged": ano(
        "squares are averaged whatever they are [Adam's line, copied]",
        ("(np.sign(square - s.v) * square)", "square"),
    ),
    "ano_moment_kept": ano(
        "the old moment does not decay [Yogi's line, copied]",
        ("h.beta2 * s.v + (1", "s.v + (1"),
    ),
    "ano_moment_not_stored": ano(
        "the second moment stays as it was [state not written back]", ("v=v),", "v=s.v),")
    ),
    "ano_moment_uncorrected": ano(
        "the second moment is not corrected [half of a bias correction]",
        ("v_hat = v / (1 - h.beta2**t)", "v_hat = v"),
    ),
    "ano_sign_of_the_gradient": ano(
        "the gradient's sign leads [a variable mixed up]", ("* np.sign(m)", "* np.sign(g)")
    ),
    "ano_sign_of_the_old_average": ano(
        "the average before this step leads [state read before it was written]",
        ("* np.sign(m)", "* np.sign(s.m)"),
    ),
    "ano_sign_turned_round": ano(
        "the moment is told from the square, not the square from it [arguments in another order]",
        ("np.sign(square - s.v)", "np.sign(s.v - square)"),
    ),
    "focus_attraction_not_signed": focus(
        "the way to the average is taken as it is [a function not called]",
        ("h.gamma * sign(h, way)", "h.gamma * way"),
    ),
    "focus_attraction_repels": focus(
        "what should draw drives away [a sign]",
        ("+ h.gamma * sign", "- h.gamma * sign"),
    ),
    "focus_average_not_corrected": focus(
        "the average of points is not corrected for its zero start [a correction forgotten]",
        ("a_hat = a / (1 - h.beta2**t)", "a_hat = a"),
    ),
    "focus_average_not_stored": focus(
        "the average of points stays as it was [state not written back]", ("a=a),", "a=s.a),")
    ),
    "focus_average_of_before": focus(
        "p is held against the average before [state read before it was written]",
        ("a_hat = a / (1 - h.beta2**t)", "a_hat = s.a / (1 - h.beta2**t)"),
    ),
    "focus_average_of_new_points": focus(
        "the point behind the step is averaged [lines in another order]",
        ("a = h.beta2 * s.a + (1 - h.beta2) * p",
         "a = h.beta2 * s.a + (1 - h.beta2) * (p - h.lr * np.sign(m))"),
    ),
    "focus_decay_of_p": focus(
        "the decay is the parameter's [AdamW's line, copied]",
        ("p - h.lr * h.weight_decay * a_hat", "p - h.lr * h.weight_decay * p"),
    ),
    "focus_decay_unscaled": focus(
        "the decay is not multiplied by lr [two conventions]",
        ("p - h.lr * h.weight_decay * a_hat", "p - h.weight_decay * a_hat"),
    ),
    "focus_decayed_point_is_drawn": focus(
        "the decay comes first and decides with [lines in another order]",
        ('(p if h.attraction == "of_p" else decayed)', "decayed"),
        check="strata",
        computes="focus with drawn to the average from where the decay has put the parameter",
    ),
    "focus_memories_swapped": focus(
        "points have the memory of gradients [a hyperparameter read from its neighbour]",
        ("a = h.beta2 * s.a + (1 - h.beta2) * p", "a = h.beta1 * s.a + (1 - h.beta1) * p"),
    ),
    "focus_sign_of_the_gradient": focus(
        "the gradient leads, not its average [a variable mixed up]", ("sign(h, m)", "sign(h, g)")
    ),
    "gravity_complement": gravity(
        "the velocity has the gradient's weight [arguments in another order]",
        ("beta * s.v + (1 - beta) * z", "(1 - beta) * s.v + beta * z"),
    ),
    "gravity_count_with": gravity(
        "the step itself counts [a counter one step ahead]",
        ('k = s.t if h.count == "before" else t', "k = t"),
        computes="gravity with the memory counts the step itself",
    ),
    "gravity_memory_constant": gravity(
        "the memory is beta from the start [a schedule left out]",
        ("beta = (h.beta * k + 1) / (k + 2)", "beta = h.beta"),
    ),
    "gravity_memory_of_the_last": gravity(
        "the memory is averaged with the count in the wrong place [an index off by one]",
        ("(k + 2)", "(k + 1)"),
    ),
    "gravity_mean_for_the_maximum": gravity(
        "the mean size is taken for the largest [a reduction mixed up]",
        (STEEP, "steep = g * (np.sum(np.abs(g)) / max(g.size, 1))"),
    ),
    "gravity_norm_for_the_maximum": gravity(
        "the norm is taken for the largest [a reduction mixed up]",
        (STEEP, "steep = g * np.sqrt(np.sum(g * g))"),
    ),
    "gravity_not_squared": gravity(
        "the quotient is not squared [a square forgotten]",
        ("(1 + steep * steep)", "(1 + np.abs(steep))"),
    ),
    "gravity_of_itself": gravity(
        "every element is its own largest [a reduction forgotten]", (STEEP, "steep = g * np.abs(g)")
    ),
    "gravity_quotient_by_the_maximum": gravity(
        "the gradient is divided by the largest [a quotient turned round]",
        (STEEP, "steep = g / np.max(np.abs(g))"),
    ),
    "gravity_signed_maximum": gravity(
        "the largest is taken with its sign [a function not called]",
        (STEEP, "steep = g * np.max(g)"),
    ),
    "gravity_velocity_not_stored": gravity(
        "the velocity stays as it was [state not written back]", ("v=v), p", "v=s.v), p")
    ),
    "msvag_all_of_the_variance": msvag(
        "the variance is that of a gradient, not of the average [a factor forgotten]",
        ("square + rho * variance", "square + variance"),
    ),
    "msvag_cap_of_a_half": msvag(
        "rho is capped early [a constant mistyped]",
        ("np.minimum(rho, CAP)", "np.minimum(rho, 0.5)"),
    ),
    "msvag_correction_of_the_variance": msvag(
        "the variance is not divided by 1 - rho [a correction forgotten]",
        ("(v_hat - square) / (1 - rho)", "(v_hat - square)"),
    ),
    "msvag_factor_on_the_moment": msvag(
        "the uncorrected average moves p [a variable mixed up]",
        ("(factor * m_hat)", "(factor * m)"),
    ),
    "msvag_moment_not_stored": msvag(
        "the second moment stays as it was [state not written back]", ("v=v),", "v=s.v),")
    ),
    "msvag_not_squared": msvag(
        "the average is held against the variance [a square forgotten]",
        ("square = m_hat * m_hat", "square = np.abs(m_hat)"),
    ),
    "msvag_powers_not_doubled": msvag(
        "beta^t stands for beta^2t [a square forgotten]", ("h.beta ** (2 * t)", "h.beta**t")
    ),
    "msvag_rho_of_the_first_power": msvag(
        "what is left of the start is not squared [a square forgotten]",
        (RHO, "(left * (1 - h.beta**2))"),
    ),
    "msvag_rooted": msvag(
        "the root of the factor multiplies [a function too many]",
        ("(factor * m_hat)", "(np.sqrt(factor) * m_hat)"),
    ),
    "msvag_uncorrected": msvag(
        "moments are not corrected for their zero start [a correction forgotten]",
        ("m_hat, v_hat = m / left, v / left", "m_hat, v_hat = m, v"),
    ),
    "msvag_variance_of_before": msvag(
        "the variance is of the squares before [state read before it was written]",
        ("(v_hat - square)", "(s.v / left - square)"),
    ),
}  # fmt: skip

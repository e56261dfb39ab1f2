"""Faults in rules that hold a gradient against numbers of its tensor."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

adagc = partial(fault, "adagc", "clip")
adams = partial(fault, "adams", "decay")
adashift = partial(fault, "adashift", "delay")
amos = partial(fault, "amos", "decay")
avagrad = partial(fault, "avagrad", "rate")

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
    "adams_after_the_step": adams(
        "the decay takes what the step has made [lines in another order]",
        (
            "        p = p * (1 -",
            "        way = h.lr * (m_hat / (np.sqrt(v_hat) + h.eps))\n"
            "        return State(t=t, m=m, v=v), (p - way) * (1 -",
        ),
    ),
    "adams_coupled": adams(
        "the decay passes through the moments [lines in another order]",
        ('if h.decay == "coupled":', 'if h.decay in ("before", "coupled"):'),
        ('if h.decay != "coupled" and', 'if h.decay == "unscaled" and'),
        computes="adams with weight decay added to the gradient",
    ),
    "adams_mean_of_the_roots": adams(
        "the mean is of the roots [lines in another order]",
        ("np.sqrt(np.mean(v_hat))", "np.mean(np.sqrt(v_hat))"),
    ),
    "adams_mean_of_this_gradient": adams(
        "the size is this gradient's [a variable mixed up]",
        ("np.sqrt(np.mean(v_hat))", "np.sqrt(np.mean(g * g))"),
    ),
    "adams_moment_not_stored": adams(
        "the second moment stays as it was [state not written back]",
        ("State(t=t, m=m, v=v), p -", "State(t=t, m=m, v=s.v), p -"),
    ),
    "adams_multiplied": adams(
        "the size multiplies the decay [a quotient turned round]",
        ("else 1.0) / size)", "else 1.0) * size)"),
    ),
    "adams_not_rooted": adams(
        "the mean square divides the decay [a function not called]",
        ("size = np.sqrt(np.mean(v_hat))", "size = np.mean(v_hat)"),
    ),
    "adams_size_by_element": adams(
        "each element's own size divides its decay [a reduction forgotten]",
        ("np.sqrt(np.mean(v_hat))", "np.sqrt(v_hat)"),
    ),
    "adams_size_of_before": adams(
        "the size is that of the moment before [state read before it was written]",
        ("np.sqrt(np.mean(v_hat))", "(np.sqrt(np.mean(s.v / (1 - h.beta2**s.t))) if s.t else 1.0)"),
    ),
    "adams_size_uncorrected": adams(
        "the size is of the moment as it is stored [half of a bias correction]",
        ("np.sqrt(np.mean(v_hat))", "np.sqrt(np.mean(v))"),
    ),
    "adams_sum_for_the_mean": adams(
        "squares are summed [a reduction mixed up]", ("np.mean(v_hat)", "np.sum(v_hat)")
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
}

"""Faults in rules that correct a step by norms, by ways or by the parameter."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault
from truestep.reference.optimizers import adamp as _adamp

adamp = partial(fault, "adamp", "norm")
adanorm = partial(fault, "adanorm", "norm")
adasmooth = partial(fault, "adasmooth", "averaging")
kate = partial(fault, "kate", "averaging")
sgdp = partial(fault, "sgdp", "norm")

BOTH = ("h.wd_ratio, np.where(at_all, h.wd_ratio, 1.0)", "1.0, np.where(at_all, 1.0, 1.0)")
SQUARES = "s.b * s.b + square + h.eps"

CORRECTED: dict[str, Fault] = {
    "adamp_any_row": adamp(
        "one row at right angles projects all [a reduction mixed up]",
        ("cosine = np.max(", "cosine = np.min("),
        check="combinations",
    ),
    "adamp_cosine_squared": adamp(
        "the squared norms divide [a function not called]",
        ("sizes = [np.sqrt(np.sum(x * x, axis=axes)) for", "sizes = [np.sum(x * x, axis=axes) for"),
    ),
    "adamp_decay_not_reduced": adamp("the decay is always whole [a factor forgotten]", BOTH),
    "adamp_gradient_projected_on": adamp(
        "the part along the gradient is taken off [a variable mixed up]",
        ("tangent(h, p, u, rows)", "tangent(h, g, u, rows)"),
    ),
    "adamp_length_of_the_tensor": adamp(
        "the limit of a row counts all elements [a reduction mixed up]",
        ("np.prod([p.shape[axis] for axis in axes])", "p.size"),
    ),
    "adamp_norms_with_eps_added": adamp(
        "eps is added to the norms, of which it is the floor [two conventions]",
        ("np.maximum(x, h.eps) if", "x + h.eps if"),
        check="strata",
        computes="adamp with eps added to each norm of the cosine",
    ),
    "adamp_not_rooted": adamp(
        "the limit falls with the length, not with its root [a function not called]",
        ("h.delta / np.sqrt(length)", "h.delta / length"),
    ),
    "adamp_not_normalized": adamp(
        "the parameter is taken for its direction [half of a line]",
        ("u - n * np.sum(n * u", "u - n * np.sum(p * u"),
    ),
    "adamp_projected_as_a_whole_alone": adamp(
        "rows are not looked at [a branch dropped]",
        ("by_row, at_all = orthogonal(h, p, g, rows), orth", "by_row, at_all = False, orth"),
    ),
    "adamp_signed_cosine": adamp(
        "a gradient against the parameter counts as at right angles [a function not called]",
        ("np.max(np.abs(np.sum(g * p, axis=axes))", "np.max((np.sum(g * p, axis=axes))"),
        check="combinations",
    ),
    "adamp_whole_never": adamp(
        "the tensor as a whole is not looked at [a branch dropped]",
        ("np.where(at_all, tangent(h, p, u, whole), u)", "u"),
        check="combinations",
    ),
    "adanorm_always_as_long_as_the_average": adanorm(
        "long gradients are shortened too [a maximum forgotten]",
        ("np.where(e > norm, e /", "np.where(e > 0, e /"),
    ),
    "adanorm_average_not_stored": adanorm(
        "the average norm stays as it was [state not written back]", ("e=e), p", "e=s.e), p")
    ),
    "adanorm_average_of_before": adanorm(
        "the average before this step is held against the norm [state read before it was written]",
        ("np.where(e > norm, e /", "np.where(s.e > norm, s.e /"),
    ),
    "adanorm_average_of_squares": adanorm(
        "squared norms are averaged [a root one line too late]",
        ("(1 - h.r) * norm", "(1 - h.r) * (norm * norm)"),
    ),
    "adanorm_coupled": adanorm(
        "the decay passes through the moments [lines in another order]",
        ('if h.decay == "coupled":', 'if h.decay in ("before", "coupled"):'),
        computes="adanorm with weight decay added to the gradient",
    ),
    "adanorm_mean_for_norm": adanorm(
        "the root mean square is taken for the norm [a reduction mixed up]",
        ("np.sqrt(np.sum(g * g))", "np.sqrt(np.sum(g * g) / max(g.size, 1))"),
    ),
    "adanorm_moment_not_stored": adanorm(
        "the second moment stays as it was [state not written back]", ("v=v,", "v=s.v,")
    ),
    "adanorm_r_of_beta1": adanorm(
        "the norm is averaged by beta1 [a hyperparameter read from its neighbour]",
        ("h.r * s.e + (1 - h.r)", "h.beta1 * s.e + (1 - h.beta1)"),
    ),
    "adanorm_squares_of_the_corrected": adanorm(
        "squares of the corrected gradient are averaged [a variable mixed up]",
        ("(1 - h.beta2) * (g * g)", "(1 - h.beta2) * (longer * g * (longer * g))"),
    ),
    "adanorm_uncorrected": adanorm(
        "the average is not corrected for its zero start [half of a bias correction]",
        ("m / (1 - h.beta1**t) / root", "m / root"),
    ),
    "adasmooth_decay_before": adasmooth(
        "the decay shrinks the parameter [AdamW's line, copied]",
        (
            'if h.decay == "coupled":\n        g = g + h.weight_decay * p',
            'if h.decay == "coupled":\n        p = p * (1 - h.lr * h.weight_decay)',
        ),
        computes="adasmooth with weight decay, multiplied by lr, before the step",
    ),
    "adasmooth_eps_outside_the_root": adasmooth(
        "eps is added to the root [brackets in another place]",
        ("np.sqrt(v + h.eps)", "(np.sqrt(v) + h.eps)"),
        check="update_alone",
    ),
    "adasmooth_length_of_the_sum": adasmooth(
        "lengths of sums are summed [a variable mixed up]",
        ("s.n + np.abs(way)", "s.n + np.abs(s.s + way)"),
    ),
    "adasmooth_memories_swapped": adasmooth(
        "straight ways have the long memory [a hyperparameter read from its neighbour]",
        (
            "(h.beta2 - h.beta1) * straight + (1 - h.beta2)",
            "(h.beta1 - h.beta2) * straight + (1 - h.beta1)",
        ),
    ),
    "adasmooth_new_point_kept": adasmooth(
        "the point behind the step is kept [state written too late]",
        ("previous=p, s=total", "previous=p - moved, s=total"),
    ),
    "adasmooth_not_squared": adasmooth(
        "the weight is not squared [a square forgotten]", ("c = root * root", "c = root")
    ),
    "adasmooth_sum_not_stored": adasmooth(
        "the sum of ways stays as it was [state not written back]", ("s=total,", "s=s.s,")
    ),
    "adasmooth_ways_signed": adasmooth(
        "the sum of ways is taken with its sign [a function not called]",
        ("np.abs(total) / (length", "total / (length"),
    ),
    "adasmooth_ways_of_before": adasmooth(
        "the way of the last step does not count yet [state read before it was written]",
        ("np.abs(total) / (length + h.eps)", "np.abs(s.s) / (s.n + h.eps)"),
    ),
    "adasmooth_weights_turned_round": adasmooth(
        "the new square is weighed by the complement [arguments in another order]",
        ("(1 - c) * s.v + c * (g * g)", "c * s.v + (1 - c) * (g * g)"),
    ),
    "kate_coupled": kate(
        "the decay passes through the sums [lines in another order]",
        ('if h.decay == "coupled":', 'if h.decay in ("before", "coupled"):'),
        computes="kate with weight decay added to the gradient",
    ),
    "kate_delta_of_the_quotient": kate(
        "delta weighs the quotient, not the square [a variable mixed up]",
        ("h.delta * square + square / total", "square + h.delta * (square / total)"),
    ),
    "kate_divided_by_the_root": kate(
        "the root of the sum divides, as in AdaGrad [AdaGrad's line, copied]",
        ("(m * g / total)", "(m * g / np.sqrt(total))"),
    ),
    "kate_eps_once": kate(
        "eps is added where it divides and is not kept [an eps for each of two places]",
        ("b=np.sqrt(total)", "b=np.sqrt(total - h.eps)"),
        check="update_alone",
    ),
    "kate_numerator_not_rooted": kate(
        "the sum multiplies, not its root [a function not called]",
        ("h.lr * (m * g", "h.lr * (m * m * g"),
    ),
    "kate_numerator_not_squared": kate(
        "the root of the numerator is added where its square is due [a square forgotten]",
        ("np.sqrt(s.m * s.m + h.delta", "np.sqrt(s.m + h.delta"),
    ),
    "kate_numerator_of_before": kate(
        "the numerator before this step multiplies [state read before it was written]",
        ("h.lr * (m * g", "h.lr * (s.m * g"),
    ),
    "kate_quotient_by_the_sum_before": kate(
        "this gradient is not part of its own divisor [state read before it was written]",
        ("square / total)", "square / (s.b * s.b + h.eps))"),
    ),
    "kate_sum_as_its_root": kate(
        "what is kept is the sum, which the next step squares [a function not called]",
        ("b=np.sqrt(total)", "b=total"),
    ),
    "kate_sum_not_squared": kate(
        "the root is added where its square is due [a square forgotten]",
        (SQUARES, "s.b + square + h.eps"),
    ),
    "sgdp_cosine_of_the_sum": sgdp(
        "the sum's angle to the parameter decides, not the gradient's [a variable mixed up]",
        ("projected(h, p, g, g +", "projected(h, p, b, g +"),
        check="combinations",
    ),
    "sgdp_decay_not_divided": sgdp(
        "the decay is not divided by 1 - momentum [half of a line]",
        ("ratio = ratio / (1 - h.momentum)", "pass"),
    ),
    "sgdp_dampening_forgotten": sgdp(
        "gradients are not damped [a factor forgotten]", ("(1 - h.dampening) * g", "g")
    ),
    "sgdp_gradient_projected": sgdp(
        "the gradient moves the parameter, not its sum [a variable mixed up]",
        ("else b)", "else g)"),
    ),
    "sgdp_nesterov_of_the_old_sum": sgdp(
        "Nesterov's step looks at the sum before [state read before it was written]",
        ("g + h.momentum * b if", "g + h.momentum * s.b if"),
    ),
    "sgdp_norms_with_a_floor": sgdp(
        "eps is a floor of the norms, to which it is added [two conventions]",
        (_adamp, "else x + h.eps", "else np.maximum(x, h.eps)"),
        check="strata",
        computes="sgdp with eps as a floor of each norm of the cosine",
        dialect={"cosine": "sum"},
    ),
    "sgdp_projected_sum_stored": sgdp(
        "what is kept is the projected sum [an update in place]",
        ("State(t=s.t + 1, b=b)", "State(t=s.t + 1, b=u)"),
    ),
    "sgdp_projection_added": sgdp(
        "the part along the parameter is doubled [a sign]", (_adamp, "return u - n", "return u + n")
    ),
    "sgdp_sum_not_stored": sgdp(
        "the sum stays as it was [state not written back]", ("b=b), p", "b=s.b), p")
    ),
    "sgdp_unscaled": sgdp(
        "the decay is not multiplied by lr [two conventions]",
        ("(1 - h.lr * h.weight_decay * ratio)", "(1 - 1.0 * h.weight_decay * ratio)"),
        computes="sgdp with weight decay not multiplied by lr",
    ),
    "sgdp_vectors_projected": sgdp(
        "vectors are projected too [a condition dropped]",
        (_adamp, "if p.ndim < 2 or not p.size:", "if p.ndim < 1 or not p.size:"),
        (
            _adamp,
            "rows, whole = tuple(range(1, p.ndim)),",
            "rows, whole = tuple(range(min(1, p.ndim - 1), p.ndim)),",
        ),
    ),
}

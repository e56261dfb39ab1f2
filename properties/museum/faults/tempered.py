"""Faults in rules that adapt inertia, forget their moments or clip what spikes."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

adai = partial(fault, "adai", "momentum")
spam = partial(fault, "spam", "moment")
stable_spam = partial(fault, "stable_spam", "norm")

CLIPPED = "np.where(g * g > limit, np.sign(g) * np.sqrt(limit), g)"
LIMIT = "g / np.where(largest > 0, largest, 1.0) * limit"

TEMPERED: dict[str, Fault] = {
    "adai_average_takes_the_whole_gradient": adai(
        "the gradient is not weighed by what inertia leaves [half of a line]",
        ("(1 - mu) ** h.dampening * g", "g"),
    ),
    "adai_average_weighed_by_beta0": adai(
        "beta0 weighs the gradient in every element [a variable mixed up]",
        ("(1 - mu) ** h.dampening * g", "h.beta0 ** h.dampening * g"),
    ),
    "adai_by_the_largest": adai(
        "the largest second moment divides, not the mean [a reduction mixed up]",
        ("np.sum(v_hat) / max(p.size, 1)", "np.max(v_hat, initial=0.0)"),
    ),
    "adai_correction_by_the_last": adai(
        "the average is corrected by this step's inertia alone [state read before it was written]",
        ("(m / (1 - c))", "(m / (1 - mu))"),
    ),
    "adai_coupled": adai(
        "the decay passes through the moments [lines in another order]",
        ('if h.decay == "coupled":', 'if h.decay in ("before", "coupled"):'),
        ('    if h.decay == "before":', '    if h.decay == "never":'),
        dialect={"decay": "before"},
        computes="adai with weight decay added to the gradient",
    ),
    "adai_inertia_by_the_raw_gradient": adai(
        "this gradient's square sets the inertia [a variable mixed up]",
        ("v_hat = v / (1 - h.beta2**t)", "v_hat = g * g"),
    ),
    "adai_inertia_grows_with_the_gradient": adai(
        "inertia grows with the gradient [a sign]", ("np.clip(1 - q,", "np.clip(q,")
    ),
    "adai_inertia_unlimited": adai(
        "nothing keeps inertia above zero [a clip forgotten]",
        ("np.clip(1 - q, 0.0, 1 - h.eps)", "np.minimum(1 - q, 1 - h.eps)"),
    ),
    "adai_inertia_up_to_one": adai(
        "nothing keeps inertia below one [a clip forgotten]", ("1 - h.eps)", "1.0)")
    ),
    "adai_mean_not_corrected": adai(
        "the mean is of the moments as they are [a correction forgotten]",
        ("np.sum(v_hat)", "np.sum(v)"),
    ),
    "adai_product_not_stored": adai(
        "the products of inertias stay as they were [state not written back]",
        ("c=c), p", "c=s.c), p"),
    ),
    "adai_roots_divide": adai(
        "inertia follows the root of the moment [a function too many]",
        ("(v_hat / mean) **", "np.sqrt(v_hat / mean) **"),
    ),
    "spam_cap_of_the_new_moment": spam(
        "the moment that holds this gradient limits it [state read after it was written]",
        ("limit = h.threshold * v", "limit = h.threshold * (h.beta2 * v + (1 - h.beta2) * g * g)"),
        check="combinations",
    ),
    "spam_counts_anew": spam(
        "the corrections begin anew at a reset [two conventions]",
        ("corrected = np", "t = t % h.reset + (t >= h.reset); corrected = np"),
        ("State(t=t,", "State(t=s.t + 1,"),
    ),
    "spam_decay_first": spam(
        "the parameter shrinks before the step [lines in another order]",
        ("p = p - h.lr * share", "p = p * (1 - h.lr * h.weight_decay) - h.lr * share"),
        ("v=v), p * (1 - h.lr * h.weight_decay)", "v=v), p"),
    ),
    "spam_eps_inside": spam(
        "eps is added under the root [brackets in another place]",
        ("(np.sqrt(v) + h.eps)", "np.sqrt(v + h.eps)"),
    ),
    "spam_forgets_the_average_alone": spam(
        "the second moment is kept at a reset [half of a line]",
        ("(np.zeros_like(p), np.zeros_like(p)) if", "(np.zeros_like(p), s.v) if"),
    ),
    "spam_never_forgets": spam(
        "moments are never forgotten [a branch dropped]", ("t % h.reset == 0", "False")
    ),
    "spam_never_warms_up": spam(
        "the rate is whole after a reset [a factor forgotten]", ("share_of(h, t) * ", "")
    ),
    "spam_sign_lost": spam(
        "a gradient that is clipped loses its sign [a factor forgotten]",
        (CLIPPED, "np.where(g * g > limit, np.sqrt(limit), g)"),
    ),
    "spam_threshold_of_the_root": spam(
        "the threshold multiplies the root [brackets in another place]",
        ("np.sign(g) * np.sqrt(limit)", "np.sign(g) * h.threshold * np.sqrt(v)"),
        check="combinations",
    ),
    "spam_unclipped_moments": spam(
        "the second moment takes the gradient as it was [an update in place]",
        ("limit = h.threshold * v", "limit = h.threshold * v; raw = g"),
        ("(1 - h.beta2) * (g * g)", "(1 - h.beta2) * (locals().get('raw', g) ** 2)"),
    ),
    "spam_warm_up_one_ahead": spam(
        "the warm-up counts from zero [counting from zero]", ("np.pi * (n + 1)", "np.pi * n")
    ),
    "spam_warms_up_at_first": spam(
        "the first steps warm up too [a condition dropped]", ("if t < h.reset or n", "if n")
    ),
    "stable_spam_average_of_largest_not_corrected": stable_spam(
        "the average of the largest is not corrected [a correction forgotten]",
        ("most / (1 - h.theta**t)", "most"),
    ),
    "stable_spam_average_of_largest_not_stored": stable_spam(
        "the average of the largest stays as it was [state not written back]",
        ("M=most, a=a", "M=s.M, a=a"),
    ),
    "stable_spam_clipped_to_the_limit": stable_spam(
        "what is above the limit becomes the limit [two conventions]", (LIMIT, "np.sign(g) * limit")
    ),
    "stable_spam_coupled": stable_spam(
        "the decay passes through the moments [lines in another order]",
        ("p = p * (1 - h.lr * h.weight_decay)", "g = g + h.weight_decay * p"),
    ),
    "stable_spam_length_of_the_whole_gradient": stable_spam(
        "the norm is of the gradient before it was clipped [lines in another order]",
        ("limit = most /", "square = np.sum(g * g); limit = most /"),
        ("    square = np.sum(g * g)\n    moves", "    moves"),
    ),
    "stable_spam_moment_of_the_gradient": stable_spam(
        "the second moment takes the gradient, not what is scaled [a variable mixed up]",
        ("(scaled * scaled)", "(g * g)"),
    ),
    "stable_spam_never_forgets": stable_spam(
        "moments are never forgotten [a branch dropped]", ("if t % h.reset else", "if True else")
    ),
    "stable_spam_norms_forgotten": stable_spam(
        "the averages of norms are forgotten at a reset too [a line too many]",
        ("h.gamma1 * s.a +", "h.gamma1 * s.a * (t % h.reset != 0) +"),
    ),
    "stable_spam_not_normalized": stable_spam(
        "the gradient is not divided by its norm [half of a line]",
        ("g / np.where(moves, norm, 1.0) * length", "g * length"),
    ),
    "stable_spam_one_memory": stable_spam(
        "both averages of norms have one memory [a variable mixed up]",
        ("h.gamma2 * s.b + (1 - h.gamma2)", "h.gamma1 * s.b + (1 - h.gamma1)"),
    ),
    "stable_spam_squares_not_rooted": stable_spam(
        "the mean square of norms divides, not its root [a function not called]",
        ("(np.sqrt(b / (1 - h.gamma2**t)) + h.eps)", "(b / (1 - h.gamma2**t) + h.eps)"),
    ),
    "stable_spam_whole_count": stable_spam(
        "the corrections go on counting after a reset [a condition dropped]",
        ("n = t if t < h.reset else 1 + t % h.reset", "n = t"),
    ),
}

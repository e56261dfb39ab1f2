"""Faults in rules that remember pairs of steps and gradients: order, scale, damping and search."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault
from truestep.properties.museum.plant import Edit

# The two loops, which are the same lines in every rule.
IN_REVERSE: tuple[Edit, ...] = (
    ("for i in reversed(kept):", "for i in kept:"),
    ("for i in kept:\n        beta", "for i in reversed(kept):\n        beta"),
)
ONE_RHO: tuple[Edit, ...] = (
    ("alpha[i] = rho[i]", "alpha[i] = rho[-1]"),
    ("beta = rho[i]", "beta = rho[-1]"),
)
CUBIC_HALF = "h.curvature * s_0 * s_0 / 2"
OLDEST = "(steps[kept[0]] @ changes[kept[0]]) / (changes[kept[0]] @ changes[kept[0]])"
SEARCH = "phi, value, slope, a, c1=h.c1, shrink"
Y = "y = g_previous.reshape(-1) - s.g + h.lambd * s.step"

early = partial(fault, "lbfgs", "memory", dialect={"line_search": "backtracking"})
filled = partial(early, check="filled_memory")
ml_lbfgs = partial(fault, "ml_lbfgs", "memory")
online_lbfgs = partial(fault, "online_lbfgs", "memory")
sr1_cubic = partial(fault, "sr1_cubic", "memory")

PAIRS: dict[str, Fault] = {
    "lbfgs_every_pair_kept": filled(
        "pairs of negative curvature are kept [a condition forgotten]",
        ('s.t == 0 or not (h.accept == "always" or curvature > least)', "s.t == 0"),
        check="curvature_skip",
        computes="lbfgs with every pair kept",
    ),
    "lbfgs_gamma_inverted": filled(
        "y'y / s'y scales the initial matrix [a quotient turned over]",
        ("gamma = curvature / square", "gamma = square / curvature"),
    ),
    "lbfgs_gamma_of_the_oldest": filled(
        "the oldest pair scales the initial matrix [an index from the wrong end]",
        ("r = gamma * q", f"r = ({OLDEST} if kept else gamma) * q"),
    ),
    "lbfgs_one_rho_for_all": filled(
        "every pair meets the newest pair's rho [an index outside of its loop]", *ONE_RHO
    ),
    "lbfgs_pairs_in_reverse": filled(
        "the oldest pair first, where the newest is due [loops in another order]", *IN_REVERSE
    ),
    "lbfgs_search_begins_shrunk": early(
        "the search shrinks the step before it tries it [lines in another order]",
        (SEARCH, SEARCH.replace(" a,", " h.shrink * a,")),
    ),
    "lbfgs_search_without_slope": early(
        "any decrease by a multiple of the step's length is taken for sufficient "
        "[a factor forgotten]",
        (SEARCH, SEARCH.replace("slope", "-1.0")),
    ),
    "lbfgs_steps_one_behind": filled(
        "a change is paired with the step before its own [history shifted by one]",
        ("[s.steps[1:], s.step.reshape(1, -1)]", "[s.steps[1:], s.steps[-1:]]"),
    ),
    "lbfgs_whole_direction_remembered": early(
        "the step that is remembered is d, not a d [a factor forgotten]",
        ('h.stalled == "zero" else moved', 'h.stalled == "zero" else d'),
    ),
    "ml_lbfgs_averages_from_zero": ml_lbfgs(
        "averages begin at zero, declared as beginning at the first values [buffers of zeros]",
        ('s.t == 0 and h.start == "first"', "False"),
        computes="ml_lbfgs with averages begin at zero",
    ),
    "ml_lbfgs_bounds_exchanged": ml_lbfgs(
        "the bounds of the curvature are exchanged [arguments in another order]",
        ("square = s @ s", "square, low = s @ s, h.sigma_low"),
        (
            "low, high = ",
            "h = changed(h, sigma_low=h.sigma_high, sigma_high=low)\n    low, high = ",
        ),
    ),
    "ml_lbfgs_damped_the_other_way": ml_lbfgs(
        "tau weighs the step and 1 - tau the change [weights exchanged]",
        ("tau * y + (1 - tau) * s", "tau * s + (1 - tau) * y"),
    ),
    "ml_lbfgs_raw_gradients": ml_lbfgs(
        "the change is taken of gradients, not of their averages [a variable mixed up]",
        ("mean_g - last_g", "g - last_g"),
    ),
    "ml_lbfgs_rho_of_undamped": ml_lbfgs(
        "rho is that of the change before damping [a variable mixed up]", ("(s @ y_hat)", "(s @ y)")
    ),
    "ml_lbfgs_since_the_start": ml_lbfgs(
        "steps are measured from the first averages, not from the last pair's "
        "[state not written back]",
        ("last_p, last_g = mean_p, mean_g", "last_p, last_g = last_p if s.t else mean_p, mean_g"),
    ),
    "online_lbfgs_decay_of_the_rate_ahead": online_lbfgs(
        "the rate is that of the next step [counters from 0 and from 1]",
        ("(h.tau + s.t)", "(h.tau + s.t + 1)"),
    ),
    "online_lbfgs_gamma_of_the_oldest": online_lbfgs(
        "the oldest pair scales the initial matrix, not the mean over all "
        "[an index from the wrong end]",
        ("np.mean(np.stack(scales))", "scales[0]"),
    ),
    "online_lbfgs_gradients_of_two_samples": online_lbfgs(
        "the change is that between gradients on different samples [an argument without effect]",
        (Y, "y = g - s.g + h.lambd * s.step"),
    ),
    "online_lbfgs_lambda_ignored": online_lbfgs(
        "lambd s is not part of the change [a term forgotten]", (" + h.lambd * s.step", "")
    ),
    "online_lbfgs_one_rho_for_all": online_lbfgs(
        "every pair meets the newest pair's rho [an index outside of its loop]", *ONE_RHO
    ),
    "online_lbfgs_pairs_in_reverse": online_lbfgs(
        "the oldest pair first, where the newest is due [loops in another order]", *IN_REVERSE
    ),
    "online_lbfgs_rank_one_not_scaled": online_lbfgs(
        "c divides the step, but does not scale the rank-one terms [half of a factor]",
        ('h.c if h.rank_one == "scaled" else 1', "1"),
        computes="online_lbfgs with rank-one terms as in BFGS",
    ),
    "online_lbfgs_steps_one_behind": online_lbfgs(
        "a change is paired with the step before its own [history shifted by one]",
        ("[steps[1:], s.step.reshape(1, -1)]", "[steps[1:], steps[-1:]]"),
    ),
    "sr1_cubic_model_without_its_half": sr1_cubic(
        "the quadratic term of the promised decrease is not halved [a factor forgotten]",
        ("eigenvalue * s_U * s_U / 2", "eigenvalue * s_U * s_U"),
        (CUBIC_HALF, CUBIC_HALF.removesuffix(" / 2")),
    ),
    "sr1_cubic_mu_never_falls": sr1_cubic(
        "very good steps leave the weight of the cubic term as it is [a branch forgotten]",
        ("mu = s.mu / 2", "mu = s.mu"),
    ),
    "sr1_cubic_mu_quartered": sr1_cubic(
        "the root has mu where 4 mu is due [a factor forgotten]", ("4 * mu * size", "mu * size")
    ),
    "sr1_cubic_rejected_steps_made": sr1_cubic(
        "p moves by steps that are rejected [a flag that nobody reads]",
        ("there if accepted else p", "there"),
        check="curvature_skip",
    ),
    "sr1_cubic_rejected_steps_remembered": sr1_cubic(
        "pairs of rejected steps are kept, declared as left out "
        "[Nocedal & Wright, against the paper]",
        ('if accepted or h.pairs == "every"', "if True"),
        check="curvature_skip",
        computes="sr1_cubic with pairs of rejected steps too",
    ),
    "sr1_cubic_wrong_root": sr1_cubic(
        "falling directions are treated as rising ones [a size taken of an eigenvalue]",
        ("root(eigenvalue, mu, g_U)", "root(np.abs(eigenvalue), mu, g_U)"),
        check="curvature_skip",
    ),
    "sr1_cubic_wrong_size": sr1_cubic(
        "directions of less curvature are treated as of more [a size taken of an eigenvalue]",
        ("h.curvature + e\n", "h.curvature + np.abs(e)\n"),
        check="filled_memory",
    ),
}

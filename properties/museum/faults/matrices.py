"""Faults in rules on matrices: roots, bases, projectors, factors of the curvature, and lengths."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault
from truestep.reference import newton_schulz

APOLLO_LIMITED = "ratio / h.growth)\n    return d / factor, norm / factor"
DIRECTION = "inverse(factor_s, b / pi) @ matrix @ inverse(factor_a, pi * b)"
FLOORED = "np.maximum(values, h.eps) ** (-1 / power)"
GALORE_D = "d = m / (1 - h.beta1**t) / (np.sqrt(v / (1 - h.beta2**t)) + h.eps)"
ROOT = "roots[i] = inverse_root(h, factors[i], root_power(h, p.ndim))"
SOAP_FACTORS = "for i, a in factors.items():\n        factors[i] ="
SOAP_EARLY = """old, bases = bases, dict(bases)
    if t > 1 and k % h.precondition_frequency == 0:
        for i, a in factors.items():
            a = h.shampoo_beta * a + (1 - h.shampoo_beta) * gram(g, i)
            bases[i] = refreshed(h, a, bases[i], v, i)[0]
"""
SOAP = {"eps_placement": "before_correction", "order": "sorted"}

apollo = partial(fault, "apollo", "projection", shapes="matrices")
distributed = partial(fault, "distributed_shampoo", "matrix", shapes="matrices")
galore = partial(fault, "galore", "projection", shapes="matrices")
kbfgs = partial(fault, "kbfgs", "curvature", shapes="matrices")
kfac = partial(fault, "kfac", "curvature", shapes="matrices")
muon = partial(fault, "muon", "matrix", shapes="matrices", dialect={"scale": "tall"})
shampoo = partial(fault, "shampoo", "matrix", shapes="matrices")
soap = partial(fault, "soap", "matrix", shapes="matrices", dialect=SOAP)

MATRICES: dict[str, Fault] = {
    "apollo_norm_before_the_limit_stored": apollo(
        "the norm is stored as it was before the limiter [state read before it was written]",
        (APOLLO_LIMITED, APOLLO_LIMITED.removesuffix(" / factor")),
    ),
    "apollo_gradient_not_scaled": apollo(
        "the step is that of the low-rank space, scaled by its own size [a variable mixed up]",
        ("length(scaled, axis) / np.where(", "length(r, axis) / np.where("),
    ),
    "distributed_shampoo_correction_missing": distributed(
        "factors are not corrected for their zero start [half of a bias correction]",
        ("return a / (1 - h.beta2**t) if unbiased else a", "return a"),
    ),
    "distributed_shampoo_graft_of_momentum": distributed(
        "the length lent is that of the average, not of Adam's step [the wrong tensor's norm]",
        ("np.sum(lender * lender)", "np.sum(m_hat * m_hat)"),
    ),
    "distributed_shampoo_graft_without_root": distributed(
        "the graft divides by the second moment, not by its root [a root forgotten]",
        ("(np.sqrt(v_hat) + h.graft_eps)", "(v_hat + h.graft_eps)"),
    ),
    "distributed_shampoo_ridge_on_one_side": distributed(
        "eps is added to the rows' factor alone [a line copied without its guard]",
        ("(values + ridge) **", "(np.maximum(values, 1e-30) + (0.0 if i else ridge)) **"),
    ),
    "galore_bias_correction_twice": galore(
        "the counter of the corrections advances in the wrapper and in Adam: 1, 3, 5, ... "
        "[unslothai/unsloth#10842]",
        (GALORE_D, GALORE_D.replace("**t", "**(2 * t - 1)")),
    ),
    "galore_decay_before_step": galore(
        "decay applied before the projected step, where it is declared after it "
        "[unslothai/unsloth#10931, with the order exchanged]",
        ("p = p - h.lr * d\n", "p = p * (1 - h.lr * h.weight_decay) - h.lr * d\n"),
        ("p = p - h.lr * h.weight_decay * p\n", "pass\n"),
        computes="galore with weight decay, multiplied by lr, before the step",
    ),
    "galore_projected_by_the_old_basis": galore(
        "at a refresh the gradient still meets the projector before it "
        "[state read before it was written]",
        ("project(left, right, g)", "project(s.left, s.right, g)"),
    ),
    "galore_refresh_one_step_early": galore(
        "the projector is refreshed one step early [counters from 0 and from 1]",
        ("return (t - 1) % h.update_gap == 0", "return t == 1 or t % h.update_gap == 0"),
    ),
    "galore_scale_missing": galore(
        "the projected step is not scaled [an argument without effect]",
        ("h.scale * project_back", "project_back"),
    ),
    "galore_second_moment_emptied": galore(
        "the second moment starts anew when the projector changes "
        "[state made again for another shape]",
        ("h.beta2 * s.v", "h.beta2 * (0 if is_due(h, t) else 1) * s.v"),
        check="combinations",
    ),
    "galore_side_of_squares": galore(
        "a square projector is not transposed on the way back [modelscope/ms-swift#10146]",
        ("x = left @ x if", "x = (left.T if left.shape[0] == left.shape[1] else left) @ x if"),
    ),
    "kbfgs_curvature_without_damping": kbfgs(
        "the inputs' pair leaves out the damping [a term forgotten]",
        ("factor_a @ s_a + np.sqrt(h.damping) * s_a", "factor_a @ s_a"),
    ),
    "kbfgs_pair_not_damped": kbfgs(
        "the outputs' pair is taken as it is [a function not called]",
        ("damped(h, s.inverse_g, s_g, y_g)", "s_g, y_g"),
    ),
    "kbfgs_rank_one_term_missing": kbfgs(
        "the update leaves out rho s s' [1 + x written as x]",
        ("(1 + r * (y @ hy))", "r * (y @ hy)"),
    ),
    "kbfgs_step_by_the_new_matrices": kbfgs(
        "p moves by the matrices with which the step ends [lines in another order]",
        ("m, p = moved(h, s, p, g)", "pass"),
        (
            "return State(s.t + 1, m, factor_a",
            "s = replace(s, inverse_a=inverse_a, inverse_g=inverse_g)\n"
            "    m, p = moved(h, s, p, g)\n    return State(s.t + 1, m, factor_a",
        ),
    ),
    "kbfgs_sums_over_the_batch": kbfgs(
        "changes are added over the batch, not averaged [a division forgotten]",
        ("np.mean(outputs_after", "np.sum(outputs_after"),
    ),
    "kfac_average_without_warm_up": kfac(
        "the average weighs the first batch as any other [a minimum forgotten]",
        ("min(1 - 1 / t, h.ema)", "h.ema"),
    ),
    "kfac_damping_on_one_side": kfac(
        "the inputs' factor is not damped [a line copied without its guard]",
        ("inverse(factor_a, pi * b)", "inverse(factor_a, 1e-12)"),
    ),
    "kfac_damping_without_root": kfac(
        "each factor is damped by the whole damping, not by its root [a root forgotten]",
        ("np.sqrt(damping)", "damping"),
    ),
    "kfac_decay_not_in_the_damping": kfac(
        "weight decay is in the gradient, but not in the curvature "
        "[libraries that add the decay outside of the rule]",
        ('damping + (h.weight_decay if h.decay == "damped" else 0.0)', "damping"),
        computes="kfac with weight decay added to the gradient",
    ),
    "kfac_factors_of_squares_exchanged": kfac(
        "the factors change sides, which only squares allow [weights of (in, out) and (out, in)]",
        (
            DIRECTION,
            "inverse(factor_a, pi * b) @ matrix @ inverse(factor_s, b / pi) "
            f"if factor_a.shape == factor_s.shape else {DIRECTION}",
        ),
    ),
    "kfac_inverse_of_the_factor_before": kfac(
        "the inverse is that of the factor before this batch [state read before it was written]",
        ("inverse(factor_s,", "inverse(s.factor_s,"),
    ),
    "kfac_pi_inverted": kfac(
        "the damping is shared the other way round [a quotient turned over]",
        ("mean_a / mean_s", "mean_s / mean_a"),
    ),
    "kfac_sum_over_the_batch": kfac(
        "the factor is a sum over the batch, not a mean [a division forgotten]",
        ("second_moment(activations)", "(activations.T @ activations)"),
    ),
    "muon_coefficient_of_another_digit": muon(
        "3.4455 where 3.4445 is meant [digits copied by hand]",
        (newton_schulz, "[(h.ns_a,", "[(h.ns_a + 0.001,"),
    ),
    "muon_decay_scaled": muon(
        "the decay is scaled for the shape as the step is [decay multiplied by the adjusted lr]",
        ("(1 - h.lr * h.weight_decay)", "(1 - h.lr * shape_scale(h, *p.shape) * h.weight_decay)"),
    ),
    "muon_iterates_in_float16": muon(
        "the iteration is given a float16 matrix, declared as float32 "
        "[half precision in Newton-Schulz]",
        (newton_schulz, "x / size(x)", "(x / size(x)).astype(np.float16).astype(np.float32)"),
    ),
    "muon_looks_ahead_with_old_buffer": muon(
        "the look-ahead uses the buffer before this step [state read before it was written]",
        ("b = kept * b + new", "old, b = b, kept * b + new"),
        ("new + kept * b if h.nesterov", "new + kept * old if h.nesterov"),
    ),
    "muon_nesterov_ignored": muon(
        "plain momentum in the place of Nesterov's [a flag without effect]",
        ("new + kept * b if h.nesterov else b", "b"),
    ),
    "muon_norm_without_eps": muon(
        "the norm divides without eps: a zero gradient gives nan [eps left out of a normalisation]",
        ("norm + h.eps if", "norm if"),
        check="update_alone",
    ),
    "muon_not_transposed_back": muon(
        "a tall matrix comes back in the order of its transpose "
        "[a view reshaped in the place of a transposition]",
        (newton_schulz, "stage(x.T if tall", "stage(x.reshape(x.T.shape) if tall"),
    ),
    "muon_one_step_less": muon(
        "one Newton-Schulz step too few [loops from 1]",
        (newton_schulz, "in steps:", "in steps[1:]:"),
    ),
    "muon_scale_of_columns": muon(
        "sqrt(cols / rows) in the place of sqrt(rows / cols) [weights of (in, out) and (out, in)]",
        ("np.sqrt(max(1, rows / cols))", "np.sqrt(max(1, cols / rows))"),
        computes="muon with scale sqrt(max(1, cols / rows))",
    ),
    "muon_scaled_twice": muon(
        "the scale for the shape is in lr and in the step [NVIDIA/Megatron-LM#3715]",
        ("np.sqrt(max(1, rows / cols))", "max(1, rows / cols)"),
    ),
    "shampoo_eps_in_every_element": shampoo(
        "eps is added to every element of a factor, not to its diagonal "
        "[a scalar added to a matrix]",
        ("np.linalg.eigh(a)", "np.linalg.eigh(a + h.eps)"),
    ),
    "shampoo_exponent_of_one_half": shampoo(
        "A^(-1/2) in the place of A^(-1/4) [HomericIntelligence/Odyssey#5497]",
        ('axes if h.exponent == "order" else 2 * axes', "axes"),
        computes="shampoo with factors to the power -1 / k for k axes",
    ),
    "shampoo_root_of_multiples_of_the_identity": shampoo(
        "A^(-1/2), rescaled so that it is A^(-1/4) where A is a multiple of I "
        "[HomericIntelligence/Odyssey#5497]",
        (FLOORED, f"{FLOORED.replace('1', '2')} * np.mean(values) ** (1 / power)"),
    ),
    "shampoo_roots_never_refreshed": shampoo(
        "roots are taken at the first step alone [a cache that is never emptied]",
        ('(t if h.timing == "multiples" else s.t) % h.precondition_frequency', "s.t"),
    ),
    "shampoo_roots_of_the_factors_before": shampoo(
        "roots are those of the factors before this gradient [state read before it was written]",
        (ROOT, ROOT.replace("factors[i]", "separated(s.factors, p.shape)[i]")),
    ),
    "shampoo_second_factor_of_preconditioned": shampoo(
        "the second factor sees the gradient after the first root "
        "[one variable for a gradient and what becomes of it]",
        ('h.statistics == "preconditioned"', "True"),
    ),
    "shampoo_sides_of_squares_exchanged": shampoo(
        "left and right roots exchanged, which only squares allow "
        "[axes counted from the other end]",
        (
            "m = x if h.momentum",
            "if p.shape[0] == p.shape[1]:\n        x = along(roots[0], along(roots[1], m, 0), 1)\n"
            "    m = x if h.momentum",
        ),
    ),
    "soap_bases_refreshed_in_every_step": soap(
        "bases are refreshed in every step, not every so many [an argument dropped on the way]",
        ("elif k % h.precondition_frequency == 0", "else"),
    ),
    "soap_basis_refreshed_before_the_step": soap(
        "the step is made in the bases with which it should end [lines in another order]",
        ("if t > 1:", f"{SOAP_EARLY}    if t > 1:"),
        (SOAP_FACTORS, f"bases = old\n    {SOAP_FACTORS}"),
    ),
    "soap_basis_without_iteration": soap(
        "a basis is made orthogonal again, but not multiplied by its factor "
        "[QR of the wrong matrix]",
        ("x = a @ q", "x = q[:, ::-1]"),
    ),
    "soap_count_includes_the_first": soap(
        "corrections count the first step, which averages nothing [counters from 0]",
        ("adams(h, k, rot", "adams(h, t, rot"),
        check="update_alone",
    ),
    "soap_first_step_is_made": soap(
        "the gradient that makes the bases is averaged too [a return forgotten]",
        ("m, v = s.m, s.v", "m, v = s.m if t > 1 else h.beta1 * s.m + (1 - h.beta1) * g, s.v"),
    ),
    "soap_momentum_in_old_coordinates": soap(
        "the average keeps its coordinates when a basis changes "
        "[a momentum that is not projected again]",
        (
            "bases[i], v = refreshed(h, factors[i], bases[i], v, i)",
            "old = bases[i]\n            bases[i], v = refreshed(h, factors[i], old, v, i)\n"
            "            m = along(bases[i] @ old.T, m, i)",
        ),
    ),
    "soap_projected_by_the_transpose": soap(
        "the columns' basis is transposed on the way in [Q for Q^T]",
        ("along(q.T, g, i)", "along(q if i == 1 else q.T, g, i)"),
    ),
    "soap_second_moment_not_permuted": soap(
        "columns of the bases are sorted, the second moment stays as it is "
        "[NVIDIA-NeMo/Emerging-Optimizers#266]",
        ("v = np.take_along_axis(v, order.reshape(across), axis=axis)", "pass"),
    ),
    "soap_turned_back_by_the_transpose": soap(
        "the step is turned back with the bases' transposes [Q^T for Q]",
        ("along(q, x, i)", "along(q.T, x, i)"),
    ),
}

"""Faults in rules of orthogonalized momentum: sizes by row and element, lengths, norm balls."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

adamuon = partial(fault, "adamuon", "matrix", shapes="matrices")
scion = partial(fault, "scion", "matrix", shapes="matrices")
dion = partial(fault, "dion", "matrix", shapes="matrices")
normuon = partial(fault, "normuon", "matrix", shapes="matrices")

KEPT = {"length": "kept_tall", "length_guard": "added"}
MEANS = "np.mean(o * o, axis=1, keepdims=True)"

ORTHOGONAL: dict[str, Fault] = {
    "adamuon_beta2_for_momentum": adamuon(
        "the momentum decays by beta2 [the paper's one beta for both]",
        ("b = h.momentum * s.b", "b = h.beta2 * s.b"),
    ),
    "adamuon_corrected_moment_stored": adamuon(
        "the second moment is stored as it was corrected [a buffer divided in place]",
        ("v=v), p - h.lr", "v=v_hat), p - h.lr"),
        dialect={"bias_correction": "second"},
    ),
    "adamuon_divided_without_root": adamuon(
        "the second moment divides, not its root [a root forgotten]",
        ("np.sqrt(v_hat) + h.eps", "v_hat + h.eps"),
    ),
    "adamuon_eps_in_the_root": adamuon(
        "eps is added within the root [eps placed as in another library]",
        ("np.sqrt(v_hat) + h.eps", "np.sqrt(v_hat + h.eps)"),
    ),
    "adamuon_length_of_the_orthogonal": adamuon(
        "the length is measured before the division [the wrong tensor's norm]",
        ("frobenius(d)", "frobenius(o)"),
    ),
    "adamuon_length_without_eps": adamuon(
        "the length divides without eps [eps left out of a normalisation]",
        ("size = size + h.eps", "pass"),
        dialect={"length_guard": "added"},
        computes="adamuon with no guard of the divided elements' length",
    ),
    "adamuon_rms_by_the_longer_side": adamuon(
        "the length is that of Moonlight's step, rms sqrt(max(m, n)) "
        "[the scale of one rule in another]",
        ("np.sqrt(rows * cols)", "np.sqrt(max(rows, cols))"),
    ),
    "adamuon_second_moment_before": adamuon(
        "the step is divided by the second moment before it [state read before it was written]",
        ('if h.bias_correction == "second" else v', 'if h.bias_correction == "second" else s.v'),
    ),
    "adamuon_second_moment_of_the_momentum": adamuon(
        "the second moment is that of the momentum, as Adam's [the wrong tensor squared]",
        ("(o * o)", "(b * b)"),
    ),
    "adamuon_sign_forgotten": adamuon(
        "the momentum is orthogonalized, not its sign [junaidaliop/zij, its documentation]",
        ("orthogonalized(h, stabilized(h, m))", "orthogonalized(h, m)"),
        computes="adamuon with the momentum orthogonalized as it is",
    ),
    "adamuon_sign_of_the_orthogonal": adamuon(
        "the sign is taken after the iteration, not before it [lines in another order]",
        ("orthogonalized(h, stabilized(h, m))", "np.sign(orthogonalized(h, m))"),
    ),
    "adamuon_squares_of_the_sum": adamuon(
        "sizes are averaged, not squares [a square forgotten]", ("(o * o)", "np.abs(o)")
    ),
    "dion_column_sizes_of_the_rows": dion(
        "R is divided by its rows' norms, not its columns' [an axis taken for the other]",
        ("lengths(right, 0)", "lengths(right, 1)"),
    ),
    "dion_decay_scaled": dion(
        "the decay is scaled for the shape as the step is [decay multiplied by the adjusted lr]",
        (
            "(1 - h.lr * h.weight_decay)",
            "(1 - h.lr * np.sqrt(p.shape[0] / p.shape[1]) * h.weight_decay)",
        ),
    ),
    "dion_eps_left_out": dion(
        "columns are divided without eps [eps left out of a normalisation]",
        ("(lengths(right, 0) + h.eps)", "lengths(right, 0)"),
    ),
    "dion_error_kept_by_momentum": dion(
        "momentum of what was stepped is taken off, not the rest [momentum and its complement]",
        ("b = full - (1 - h.momentum) *", "b = full - h.momentum *"),
    ),
    "dion_momentum_decays": dion(
        "the buffer decays as Muon's, and is fed back besides [two forms of momentum]",
        ("as_matrix(s.b + g)", "as_matrix(h.momentum * s.b + g)"),
    ),
    "dion_not_orthonormal": dion(
        "columns are normalized, not orthogonal [a QR decomposition left out]",
        ("left = orthonormal(full @ s.q)", "left = full @ s.q\n    left = left / lengths(left, 0)"),
    ),
    "dion_right_of_the_gradient": dion(
        "R is that of the gradient, not of the buffer with it [the wrong tensor]",
        ("full.T @ left", "as_matrix(g).T @ left"),
    ),
    "dion_scale_turned_over": dion(
        "sqrt(cols / rows) in the place of sqrt(rows / cols) [weights of (in, out) and (out, in)]",
        ("np.sqrt(rows / cols)", "np.sqrt(cols / rows)"),
    ),
    "dion_step_by_the_old_vectors": dion(
        "the step is made of the right vectors before this one [state read before it was written]",
        ("(left @ q.T)", "(left @ s.q.T)"),
    ),
    "dion_step_not_normalized": dion(
        "the step is P R^T, as long as the gradient [a normalization for the state alone]",
        ("(left @ q.T)", "(left @ right.T)"),
    ),
    "dion_vectors_never_refreshed": dion(
        "the drawn vectors stay [a state that is not written]", ("q=q), p", "q=s.q), p")
    ),
    "normuon_decay_scaled": normuon(
        "the decay is multiplied by the step's rms too [decay multiplied by the adjusted lr]",
        ("(1 - h.lr * h.weight_decay)", "(1 - h.lr * h.rms * h.weight_decay)"),
    ),
    "normuon_divided_without_root": normuon(
        "the mean square divides, not its root [a root forgotten]",
        ("np.sqrt(v) + h.eps", "v + h.eps"),
    ),
    "normuon_eps_in_the_root": normuon(
        "eps is added within the root [eps placed as in another library]",
        ("np.sqrt(v) + h.eps", "np.sqrt(v + h.eps)"),
    ),
    "normuon_gradient_not_averaged": normuon(
        "gradients are added up, not averaged [momentum buffers of two kinds]",
        ("(1 - h.momentum) * g", "g"),
        computes="normuon with momentum a decaying sum of gradients",
    ),
    "normuon_length_guard_left_out": normuon(
        "the length divides without eps [eps left out of a normalisation]",
        ("size = size + h.eps", "pass"),
        dialect=KEPT,
        computes="normuon with no guard of the divided rows' length",
    ),
    "normuon_length_of_the_orthogonal": normuon(
        "the length is measured before the division [the wrong tensor's norm]",
        ("size = frobenius(d)", "size = frobenius(o)"),
    ),
    "normuon_looks_ahead_with_old_buffer": normuon(
        "the look-ahead uses the buffer before this step [state read before it was written]",
        ("new + h.momentum * b if", "new + h.momentum * s.b if"),
    ),
    "normuon_one_size_for_the_matrix": normuon(
        "one mean square serves all rows [an axis forgotten]", (MEANS, "np.mean(o * o) + 0 * s.v")
    ),
    "normuon_rows_of_the_momentum": normuon(
        "rows are measured before the iteration [the wrong tensor squared]",
        (MEANS, MEANS.replace("o * o", "as_matrix(m * m)")),
    ),
    "normuon_rms_by_the_longer_side": normuon(
        "the length is that of Moonlight's step, rms sqrt(max(m, n)) "
        "[the scale of one rule in another]",
        ("np.sqrt(rows * cols)", "np.sqrt(max(rows, cols))"),
    ),
    "normuon_scaled_for_the_columns": normuon(
        "sqrt(cols / rows) in the place of sqrt(rows / cols) [weights of (in, out) and (out, in)]",
        ("np.sqrt(max(1, rows / cols))", "np.sqrt(max(1, cols / rows))"),
        dialect=KEPT,
    ),
    "normuon_second_moment_before": normuon(
        "rows are divided by the mean squares before this step [state read before it was written]",
        ("np.sqrt(v)", "np.sqrt(s.v)"),
    ),
    "normuon_sums_of_squares": normuon(
        "squares of a row are added up, not averaged [a division forgotten]",
        (MEANS, MEANS.replace("mean", "sum")),
    ),
    "scion_average_weighs_the_past_little": scion(
        "the new gradient weighs momentum, the past the rest [momentum and its complement]",
        ("kept, weight = h.momentum, 1 - h.momentum", "weight, kept = h.momentum, 1 - h.momentum"),
    ),
    "scion_ball_of_a_sum": scion(
        "the gradient is added whole to the average [momentum buffers of two kinds]",
        ("d = kept * s.d + weight * g", "d = kept * s.d + g"),
        dialect={"norm": "row"},
    ),
    "scion_ball_of_the_gradient": scion(
        "the step is that of the gradient, not of its average [the wrong tensor]",
        ("boundary(h, as_matrix(d))", "boundary(h, as_matrix(g))"),
    ),
    "scion_columns_of_the_rows": scion(
        "columns are measured over all rows by their number, not its root [a root forgotten]",
        ("lengths(d, 0) / np.sqrt(rows)", "lengths(d, 0) / rows"),
        dialect={"norm": "column"},
    ),
    "scion_decay_scaled_by_the_radius": scion(
        "p shrinks by lr times the radius [a scale in two places]",
        ("(1 - h.lr * h.weight_decay)", "(1 - h.lr * h.radius * h.weight_decay)"),
    ),
    "scion_eps_in_the_root": scion(
        "eps is added within the root of a row's sum [eps placed as in another library]",
        (
            "d / ((np.sqrt(cols) * size if h.normalized else size) + h.eps)",
            "d / ((np.sqrt(cols) if h.normalized else 1.0) * np.sqrt(size * size + h.eps))",
        ),
        dialect={"norm": "row"},
    ),
    "scion_not_held_in_the_ball": scion(
        "the constrained step leaves p where it is [a flag without effect]",
        ("p = p * (1 - h.lr * h.weight_decay)", "pass"),
    ),
    "scion_radius_left_out": scion(
        "the radius is left out [an argument without effect]", ("(h.radius * x)", "x")
    ),
    "scion_rows_not_normalized": scion(
        "rows are divided by their length alone [the input's size forgotten]",
        ("(np.sqrt(cols) * size if h.normalized else size)", "size"),
        dialect={"norm": "row"},
    ),
    "scion_scale_at_least_one": scion(
        "the scale of wide matrices is never below 1 [a maximum of the first layers everywhere]",
        ("if h.max_scale else scale", "if True else scale"),
    ),
    "scion_scale_turned_over": scion(
        "sqrt(cols / rows) in the place of sqrt(rows / cols) [weights of (in, out) and (out, in)]",
        ("rows / cols if", "cols / rows if"),
    ),
    "scion_sign_by_the_rows": scion(
        "signs are divided by the rows, not the columns [weights of (in, out) and (out, in)]",
        ("sign / cols if", "sign / rows if"),
        dialect={"norm": "sign"},
    ),
}

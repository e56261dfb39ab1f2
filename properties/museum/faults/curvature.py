"""Faults in rules that are handed an estimate of the Hessian's diagonal."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

adahessian = partial(fault, "adahessian", "curvature")

V = "v = h.beta2 * s.v + (1 - h.beta2) * (estimate * estimate)"
U = "u = m_hat / (np.sqrt(v_hat) ** h.hessian_power + h.eps)"

CURVATURE: dict[str, Fault] = {
    "adahessian_betas_exchanged": adahessian(
        "squares decay by beta1 [arguments in another order]",
        (V, "v = h.beta1 * s.v + (1 - h.beta1) * (estimate * estimate)"),
    ),
    "adahessian_correction_of_the_period": adahessian(
        "the correction counts refreshes alone [a counter of another meaning]",
        ("(1 - h.beta2**t)", "(1 - h.beta2 ** ((t + h.period - 1) // h.period))"),
    ),
    "adahessian_decay_unscaled": adahessian(
        "lr is left out of the decay [a factor forgotten]",
        ("p * (1 - h.lr * h.weight_decay)", "p * (1 - h.weight_decay)"),
        computes="adahessian with weight decay, not multiplied by lr, before the step",
    ),
    "adahessian_eps_inside_the_power": adahessian(
        "eps is added to the root, inside the power [brackets in another place]",
        (U, "u = m_hat / (np.sqrt(v_hat) + h.eps) ** h.hessian_power"),
        check="update_alone",
    ),
    "adahessian_estimate_not_squared": adahessian(
        "the estimate is averaged as it is [Sophia's line, copied]",
        (V, "v = h.beta2 * s.v + (1 - h.beta2) * estimate"),
    ),
    "adahessian_forgets_between_refreshes": adahessian(
        "squares decay in every step [a condition at the wrong place]",
        (
            "h.beta1 * s.m + (1 - h.beta1) * g, s.v",
            "h.beta1 * s.m + (1 - h.beta1) * g, h.beta2 * s.v",
        ),
    ),
    "adahessian_mean_not_corrected": adahessian(
        "the first moment is not corrected [a correction forgotten]",
        ("m_hat, v_hat = m / (1 - h.beta1**t),", "m_hat, v_hat = m,"),
    ),
    "adahessian_of_squared_gradients": adahessian(
        "the gradient is squared, not the estimate [Adam's line, copied]",
        (V, "v = h.beta2 * s.v + (1 - h.beta2) * (g * g) + 0.0 * estimate"),
    ),
    "adahessian_power_of_the_square": adahessian(
        "the root is forgotten under the power [a function not called]",
        (U, "u = m_hat / (v_hat**h.hessian_power + h.eps)"),
    ),
    "adahessian_refreshes_late": adahessian(
        "refreshes are counted from the second step [counts from 0 and 1]",
        ("s.t % h.period == 0", "t % h.period == 0"),
    ),
    "adahessian_squares_not_corrected": adahessian(
        "the squares are not corrected [a correction forgotten]", ("v / (1 - h.beta2**t)", "v")
    ),
}

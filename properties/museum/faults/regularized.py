"""Faults in rules that minimize all their past with a penalty."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

ftrl = partial(fault, "ftrl", "threshold")

LED = "led = (np.sign(z) * h.lambda_1 - z) / curvature"
SIGMA = "sigma = (root - np.sqrt(s.n)) / h.lr"
CURVATURE = "curvature = (h.beta + root) / h.lr + h.lambda_2"

REGULARIZED: dict[str, Fault] = {
    "ftrl_beta_not_divided": ftrl(
        "beta is not divided by lr [brackets in another place]",
        (CURVATURE, "curvature = h.beta + root / h.lr + h.lambda_2"),
    ),
    "ftrl_curvature_of_before": ftrl(
        "the step is by the squares of before [state read before it was written]",
        (CURVATURE, "curvature = (h.beta + np.sqrt(s.n)) / h.lr + h.lambda_2"),
    ),
    "ftrl_descends": ftrl(
        "the step is AdaGrad's from the last point [AdaGrad's line, copied]",
        (LED, "led = p - g / curvature"),
    ),
    "ftrl_penalty_multiplied_by_lr": ftrl(
        "lambda_2 is divided by lr too [brackets in another place]",
        (CURVATURE, "curvature = (h.beta + root + h.lambda_2) / h.lr"),
    ),
    "ftrl_power_of_the_square": ftrl(
        "the root is forgotten [a function not called]", ("root = np.sqrt(n)", "root = n")
    ),
    "ftrl_root_of_the_difference": ftrl(
        "the root of this square is taken for the growth of the root [brackets in another place]",
        (SIGMA, "sigma = np.abs(g) / h.lr"),
    ),
    "ftrl_sigma_not_divided": ftrl(
        "the growth of the root is not divided by lr [a factor forgotten]",
        (SIGMA, "sigma = root - np.sqrt(s.n)"),
    ),
    "ftrl_sums_forget_the_point": ftrl(
        "gradients alone are summed [dual averaging's line, copied]",
        ("z = s.z + g - sigma * p", "z = s.z + g - 0.0 * sigma * p"),
    ),
    "ftrl_sums_not_stored": ftrl(
        "the led sums stay as they were [state not written back]", ("z=z,", "z=s.z,")
    ),
    "ftrl_threshold_forgotten": ftrl(
        "small sums step backwards [a condition forgotten]",
        ("np.where(np.abs(z) <= h.lambda_1, 0.0, led)", "led"),
        check="strata",
    ),
    "ftrl_threshold_not_taken_off": ftrl(
        "sums beyond the threshold step in full [hard for soft thresholding]",
        (LED, "led = -z / curvature"),
    ),
}

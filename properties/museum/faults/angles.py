"""Faults in rules whose step is an angle."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

adam_atan2 = partial(fault, "adam_atan2", "moment")

WAY = "angle(m / (1 - h.beta1**t), h.b * np.sqrt(v / (1 - h.beta2**t)))"

ANGLES: dict[str, Fault] = {
    "adam_atan2_a_forgotten": adam_atan2(
        "the angle is not scaled [a factor forgotten]", ("h.lr * (h.a * way)", "h.lr * way")
    ),
    "adam_atan2_arguments_exchanged": adam_atan2(
        "the angle is from the other axis [arguments in another order]",
        ("quotient = y / np.where((y == 0) & (x == 0), 1.0, x)", "quotient = x / y"),
    ),
    "adam_atan2_average_not_corrected": adam_atan2(
        "the average is taken as it is [a correction forgotten]",
        ("angle(m / (1 - h.beta1**t),", "angle(m,"),
    ),
    "adam_atan2_b_forgotten": adam_atan2(
        "the root is not scaled [a factor forgotten]", ("h.b * np.sqrt", "np.sqrt")
    ),
    "adam_atan2_b_in_the_root": adam_atan2(
        "b multiplies under the root [brackets in another place]",
        ("h.b * np.sqrt(v /", "np.sqrt(h.b * v /"),
    ),
    "adam_atan2_cautious": adam_atan2(
        "the parameter shrinks only where the step does [two conventions]",
        ('if h.decay == "cautious":', 'if h.decay in ("before", "cautious"):'),
        computes="adam_atan2 with weight decay, multiplied by lr, where the step goes towards zero",
    ),
    "adam_atan2_half_angle_left_out": adam_atan2(
        "the quotient is taken for its angle [a function not called]",
        (WAY, "m / (1 - h.beta1**t) / (h.b * np.sqrt(v / (1 - h.beta2**t)))"),
    ),
    "adam_atan2_last_average": adam_atan2(
        "the average before this step moves p [state read before it was written]",
        ("angle(m / (1", "angle(s.m / (1"),
    ),
    "adam_atan2_moment_not_corrected": adam_atan2(
        "the second moment is taken as it is [a correction forgotten]",
        ("np.sqrt(v / (1 - h.beta2**t))", "np.sqrt(v)"),
    ),
    "adam_atan2_not_rooted": adam_atan2(
        "the second moment is held against the average [a function not called]",
        ("h.b * np.sqrt(v / (1 - h.beta2**t))", "h.b * (v / (1 - h.beta2**t))"),
    ),
    "adam_atan2_unscaled": adam_atan2(
        "the decay is not multiplied by lr [two conventions]",
        ('1.0 if h.decay == "unscaled" else h.lr', '1.0 if h.decay != "cautious" else h.lr'),
        computes="adam_atan2 with weight decay not multiplied by lr",
    ),
    "adam_atan2_zero_over_zero": adam_atan2(
        "0 / 0 is nan [a guard forgotten]",
        ("np.where((y == 0) & (x == 0), 1.0, x)", "x"),
        ("~np.isnan(y) & ~np.isnan(x)", "np.isnan(y)"),
        check="all_zero",
    ),
}

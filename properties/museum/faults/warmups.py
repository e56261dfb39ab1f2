"""Faults in learning-rate schedules that begin low: warm-ups before a decay, a factor at first."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

CLIMB = "return h.lr * t / h.warmup_steps"
MIX = "return weighted(h.min_lr, h.lr, weight)"
PAST = "if t >= h.total_steps:\n        return h.min_lr\n    "
T = "t = require_step(t)"

constant_factor = partial(fault, "constant_factor", "schedule")
exponential = partial(fault, "linear_warmup_exponential", "schedule")
polynomial = partial(fault, "linear_warmup_polynomial", "schedule")

WARMUPS: dict[str, Fault] = {
    "constant_factor_divides": constant_factor(
        "divides by the factor [a reciprocal taken on the wrong side]",
        ("h.lr * h.factor", "h.lr / max(h.factor, 1e-3)"),
    ),
    "constant_factor_ignored": constant_factor(
        "the factor is ignored [arguments dropped on the way to a scheduler]",
        ("h.lr * h.factor if", "h.lr if"),
    ),
    "constant_factor_in_8_bits": constant_factor(
        "the count wraps at 256, and the factor comes again [counters of 8 bits]",
        ("require_step(t) <", "require_step(t) % 256 <"),
        check="past_the_end",
    ),
    "constant_factor_never_ends": constant_factor(
        "the factor stays [a milestone that is compared with ==, and jumped over]",
        (" if require_step(t) < h.total_steps else h.lr", ""),
    ),
    "constant_factor_of_no_steps": constant_factor(
        "of no steps the first has the factor [PyTorch's ConstantLR]",
        ("< h.total_steps", "< max(h.total_steps, 1)"),
        check="strata",
    ),
    "constant_factor_one_longer": constant_factor(
        "a step more has the factor [inclusive and exclusive horizons]",
        ("< h.total_steps", "<= h.total_steps"),
        computes="constant_factor with total_steps +1",
    ),
    "constant_factor_restored_in_float32": constant_factor(
        "what comes back has passed through float32 [tensors for learning rates]",
        ("else h.lr", "else float(np.float32(h.lr))"),
    ),
    "constant_factor_then": constant_factor(
        "the factor comes when it is due to end [a condition turned round]",
        ("< h.total_steps", ">= h.total_steps"),
    ),
    "constant_factor_twice": constant_factor(
        "the factor is applied twice [a scheduler beside a rate that has it already]",
        ("h.lr * h.factor", "h.lr * h.factor * h.factor"),
    ),
    "constant_factor_without_rate": constant_factor(
        "the factor is the rate [a rate in the place of a factor]", ("h.lr * h.factor", "h.factor")
    ),
    "linear_warmup_exponential_absolute_floor": exponential(
        "never falls below 1e-8 [a constant against division by zero]",
        ("h.gamma**exponent, h.min_lr", "h.gamma**exponent, max(h.min_lr, 1e-8)"),
        check="past_the_end",
    ),
    "linear_warmup_exponential_applied_twice": exponential(
        "decays in the getter and in the step [pytorch/pytorch#20527]",
        ("h.gamma**exponent", "h.gamma ** (2 * exponent)"),
    ),
    "linear_warmup_exponential_base_rate_first": exponential(
        "the first step has the base rate, not the warm-up's [pytorch/pytorch#63457]",
        (CLIMB, f"{CLIMB} if t else h.lr"),
    ),
    "linear_warmup_exponential_clock_runs": exponential(
        "the decay's clock runs during the warm-up [timm without warmup_prefix]",
        ("s = t - h.warmup_steps", "s = t"),
    ),
    "linear_warmup_exponential_every_step": exponential(
        "shrinks by gamma every step [an argument without effect]", ("s / h.step_size if", "s if")
    ),
    "linear_warmup_exponential_floor_ignored": exponential(
        "falls below min_lr [arguments dropped on the way to a scheduler]",
        ("np.maximum(h.lr * h.gamma**exponent, h.min_lr)", "h.lr * h.gamma**exponent"),
    ),
    "linear_warmup_exponential_floor_of_the_warmup": exponential(
        "the warm-up is held at min_lr too [one clip for the whole schedule]",
        (CLIMB, "return np.maximum(h.lr * t / h.warmup_steps, h.min_lr)"),
    ),
    "linear_warmup_exponential_joined_late": exponential(
        "the decay starts one step after the peak [ml-explore/mlx#2617]",
        ("s = t - h.warmup_steps", "s = max(t - h.warmup_steps - 1, 0)"),
    ),
    "linear_warmup_exponential_staircase": exponential(
        "an integer division in the exponent [integer counters]",
        ('s / h.step_size if h.steps == "continuous" else ', ""),
        computes="shrinks by gamma every step_size steps",
    ),
    "linear_warmup_exponential_warmup_from_one": exponential(
        "the warm-up counts from 1 [(t + 1) / W in hand-written warm-ups]",
        (CLIMB, "return h.lr * (t + 1) / h.warmup_steps"),
    ),
    "linear_warmup_exponential_warmup_one_longer": exponential(
        "the warm-up takes a step more [inclusive and exclusive horizons]",
        (T, f"h = changed(h, warmup_steps=h.warmup_steps + 1)\n    {T}"),
        computes="linear_warmup_exponential with warmup_steps +1",
    ),
    "linear_warmup_polynomial_base_rate_first": polynomial(
        "the first step has the base rate, not the warm-up's [pytorch/pytorch#63457]",
        (CLIMB, f"{CLIMB} if t else h.lr"),
    ),
    "linear_warmup_polynomial_clock_runs": polynomial(
        "the decay's clock runs during the warm-up [timm without warmup_prefix]",
        ("(t - h.warmup_steps) / (h.total_steps - h.warmup_steps)", "t / h.total_steps"),
    ),
    "linear_warmup_polynomial_floor_ignored": polynomial(
        "falls to 0 instead of min_lr [arguments dropped on the way to a scheduler]",
        (MIX, "return weight * h.lr"),
    ),
    "linear_warmup_polynomial_grows": polynomial(
        "grows with a power of the steps made [pytorch-optimizer's PolyScheduler]",
        ("(1 - x) ** h.power", "(t - h.warmup_steps) ** h.power"),
    ),
    "linear_warmup_polynomial_joined_late": polynomial(
        "the decay starts one step after the peak [ml-explore/mlx#2617]",
        ("x = (t - h.warmup_steps)", "x = (max(t - 1, h.warmup_steps) - h.warmup_steps)"),
    ),
    "linear_warmup_polynomial_negative": polynomial(
        "goes on past its end, into negative rates [pytorch-optimizer's LinearScheduler]",
        (PAST, ""),
        ("/ (h.total_steps - h.warmup_steps)", "/ max(h.total_steps - h.warmup_steps, 1)"),
        ("(1 - x) ** h.power", "np.copysign(abs(1 - x) ** h.power, 1 - x)"),
        check="past_the_end",
    ),
    "linear_warmup_polynomial_of_the_time_gone": polynomial(
        "1 less a power of the time gone [a power applied on the wrong side]",
        ("(1 - x) ** h.power", "1 - x**h.power"),
    ),
    "linear_warmup_polynomial_power_ignored": polynomial(
        "a straight line whatever the power [an argument without effect]",
        ("(1 - x) ** h.power", "1 - x"),
    ),
    "linear_warmup_polynomial_warmup_ends_below": polynomial(
        "the warm-up ends below the peak [(t + 1) / (W + 1) read the other way]",
        (CLIMB, "return h.lr * t / (h.warmup_steps + 1)"),
    ),
    "linear_warmup_polynomial_warmup_from_one": polynomial(
        "the warm-up counts from 1 [(t + 1) / W in hand-written warm-ups]",
        (CLIMB, "return h.lr * (t + 1) / h.warmup_steps"),
    ),
    "linear_warmup_polynomial_warmup_subtracted_twice": polynomial(
        "the decay ends one warm-up early [NVIDIA/Megatron-LM#2258]",
        ("/ (h.total_steps - h.warmup_steps)", "/ max(h.total_steps - 2 * h.warmup_steps, 1)"),
        ("(1 - x) ** h.power", "(1 - min(x, 1.0)) ** h.power"),
    ),
}

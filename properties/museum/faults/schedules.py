"""Faults in learning-rate schedules: horizons, joints, restarts, clocks and what comes after."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

MIX = "return weighted(h.min_lr, h.lr, weight)"
START = "start, length = wave(h)"
SEARCHED = """i, start, length = 0, 0, h.cycle_steps
    while t >= start + length:
        i, start, length = i + 1, start + length, length * h.growth
    return i, start, length"""
BY_LOGARITHM = """i = int(np.log(t / h.cycle_steps * (h.growth - 1) + 1) / np.log(h.growth))
    start = sum(h.cycle_steps * h.growth**k for k in range(i))
    return i, start, h.cycle_steps * h.growth**i"""
BY_SUBTRACTION = """i, place, length = 0, 0.0, h.cycle_steps / 10
    for _ in range(t):
        place += 0.1
        if place >= length:
            i, place, length = i + 1, place - length, length * h.growth
    return i, t - 10 * place, 10 * length"""
T = "t = require_step(t)"

cosine = partial(fault, "cosine", "schedule")
cyclic = partial(fault, "cyclic", "schedule")
exponential = partial(fault, "exponential", "schedule")
linear = partial(fault, "linear", "schedule")
multi_step = partial(fault, "multi_step", "schedule")
one_cycle = partial(fault, "one_cycle", "schedule")
warm_restarts = partial(fault, "warm_restarts", "schedule")
warmup_cosine = partial(fault, "linear_warmup_cosine", "schedule")
warmup_stable_decay = partial(fault, "warmup_stable_decay", "schedule")

SCHEDULES: dict[str, Fault] = {
    "constant_in_float32": fault(
        "constant",
        "schedule",
        "the rate passes through float32, declared as double [tensors for learning rates]",
        ("return h.lr", "return float(np.float32(h.lr))"),
    ),
    "cosine_bounces": cosine(
        "goes up again past its end, where it is to stay "
        "[PyTorch's CosineAnnealingLR taken for a decay that holds]",
        ('min(t, h.total_steps) if h.after == "hold" else t %', "t %"),
        check="past_the_end",
        computes="goes on along the cosine",
    ),
    "cosine_floor_ignored": cosine(
        "falls to 0 instead of min_lr [arguments dropped on the way to a scheduler]",
        (MIX, "return weight * h.lr"),
    ),
    "cosine_horizon_one_longer": cosine(
        "reaches min_lr one step late [inclusive and exclusive horizons]",
        (T, f"h = changed(h, total_steps=h.total_steps + 1)\n    {T}"),
        computes="cosine with total_steps +1",
    ),
    "cosine_horizon_one_shorter": cosine(
        "reaches min_lr one step early [inclusive and exclusive horizons]",
        (T, f"h = changed(h, total_steps=max(h.total_steps - 1, 1))\n    {T}"),
        computes="cosine with total_steps -1",
    ),
    "cosine_line_instead": cosine(
        "decays along a straight line [a default of the factory]",
        ("(1 + np.cos(PI * t / h.total_steps)) / 2", "1 - t / h.total_steps"),
        computes="polynomial",
    ),
    "cosine_recursion_unguarded": cosine(
        "divides by zero at the minimum of its recursion [pytorch/pytorch#17913]",
        ("(t - T) % (2 * T) == 0", "False"),
        check="past_the_end",
        dialect={"after": "bounce"},
        recursive=True,
    ),
    "cyclic_down_as_fast_as_up": cyclic(
        "the way down takes as long as the way up [an argument without effect]",
        ("(period - s) / h.steps_down", "(period - s) / h.steps_up"),
    ),
    "exponential_absolute_floor": exponential(
        "never falls below 1e-8 [a constant against division by zero]",
        ("h.gamma**exponent, h.min_lr", "h.gamma**exponent, max(h.min_lr, 1e-8)"),
        check="past_the_end",
    ),
    "exponential_applied_twice": exponential(
        "decays in the getter and in the step [pytorch/pytorch#20527]",
        (T, "t = 2 * require_step(t)"),
    ),
    "exponential_staircase": exponential(
        "an integer division in the exponent [integer counters]",
        ('t / h.step_size if h.steps == "continuous" else ', ""),
        computes="shrinks by gamma every step_size steps",
    ),
    "inverse_sqrt_without_its_peak": fault(
        "inverse_sqrt",
        "schedule",
        "past the warm-up lr is divided by the root of the step itself [a factor forgotten]",
        ("np.sqrt(h.warmup_steps / s)", "np.sqrt(1 / s)"),
    ),
    "inverse_time_counter_in_float32": fault(
        "inverse_time",
        "schedule",
        "the counter passes through float32 and stays at 2^24 [pytorch/pytorch#74424]",
        (T, "t = int(np.float32(require_step(t)))"),
        check="past_the_end",
    ),
    "linear_beyond_its_end": linear(
        "goes on past its end, into negative rates [PyTorch's OneCycleLR]",
        ("min(require_step(t), h.total_steps)", "require_step(t)"),
        check="past_the_end",
    ),
    "linear_ends_exchanged": linear(
        "start and end factors exchanged [positional arguments]",
        ("h.start_factor, h.end_factor, x)", "h.end_factor, h.start_factor, x)"),
    ),
    "linear_warmup_cosine_base_rate_first": warmup_cosine(
        "the first step has the base rate, not the warm-up's [pytorch/pytorch#63457]",
        ("return h.lr * t / h.warmup_steps", "return h.lr * t / h.warmup_steps if t else h.lr"),
    ),
    "linear_warmup_cosine_clock_runs": warmup_cosine(
        "the decay's clock runs during the warm-up [timm without warmup_prefix]",
        ("value", START, "start, length = 0, h.total_steps"),
        computes="the cosine runs from the start, hidden by the warm-up",
    ),
    "linear_warmup_cosine_joined_late": warmup_cosine(
        "the decay starts one step after the peak [ml-explore/mlx#2617]",
        ("value", START, f"t = max(t - 1, h.warmup_steps)\n    {START}"),
    ),
    "linear_warmup_cosine_warmup_from_one": warmup_cosine(
        "the warm-up counts from 1 [(t + 1) / W in hand-written warm-ups]",
        ("return h.lr * t / h.warmup_steps", "return h.lr * (t + 1) / h.warmup_steps"),
        computes="(t + 1) / warmup_steps",
    ),
    "linear_warmup_cosine_warmup_subtracted_twice": warmup_cosine(
        "the decay ends one warm-up early [NVIDIA/Megatron-LM#2258]",
        (T, f"end = max(h.total_steps - h.warmup_steps, h.warmup_steps, 1)\n    {T}"),
        (T, f"h = changed(h, total_steps=end)\n    {T}"),
    ),
    "multi_step_late": multi_step(
        "a milestone acts after it, not at it [Keras' PiecewiseConstantDecay]",
        ('require_step(t) + {"at": 0', 'require_step(t) + {"at": -1'),
        computes="a milestone acts one step late",
    ),
    "multi_step_milestone_at_zero_missed": multi_step(
        "compares after the first increment, so a milestone at 0 never acts "
        "[pytorch/pytorch#185872]",
        ("sum(milestone <= t", "sum(0 < milestone <= t"),
    ),
    "multi_step_repeats_once": multi_step(
        "a milestone listed twice acts once [pytorch/pytorch#31828]",
        ("for milestone in h.milestones", "for milestone in set(h.milestones)"),
        check="degenerate",
    ),
    "noam_early": fault(
        "noam",
        "schedule",
        "asks for the rate of the next step [scheduler.step() before optimizer.step()]",
        ("require_step(t) + 1", "require_step(t) + 2"),
        computes="noam one step early",
    ),
    "one_cycle_final_rate_of_the_peak": one_cycle(
        "the last rate is a fraction of the peak, not of the first rate "
        "[two divisors whose bases libraries exchange]",
        ("last = first / h.final_div_factor", "last = h.lr / h.final_div_factor"),
    ),
    "one_cycle_peak_one_late": one_cycle(
        "the peak comes one step late [counters from 0 and from 1]",
        ("h.pct_start * h.total_steps - 1", "h.pct_start * h.total_steps"),
    ),
    "polynomial_negative": fault(
        "polynomial",
        "schedule",
        "negative past the end [a base that is not clipped]",
        ("1 - min(t, h.total_steps) / h.total_steps", "1 - t / h.total_steps"),
        ("rest**h.power", "np.copysign(abs(rest) ** h.power, rest)"),
        check="law:stays_between_its_extremes",
    ),
    "power_in_float32": fault(
        "power",
        "schedule",
        "computed in float32, declared as double [tensors for learning rates]",
        ("return h.lr / ", "return np.float32(h.lr) / "),
        ("(require_step(t) + h.shift) ** h.power", "np.float32((t + h.shift) ** h.power)"),
    ),
    "warm_restarts_by_logarithm": warm_restarts(
        "finds its cycle by a logarithm, which rounds down at some restarts "
        "[PyTorch's CosineAnnealingWarmRestarts.step(epoch)]",
        (SEARCHED, BY_LOGARITHM),
    ),
    "warm_restarts_by_subtraction": warm_restarts(
        "adds tenths of an epoch and subtracts a cycle at its end [fractional epochs]",
        ("if h.growth == 1:", "if False:"),
        (SEARCHED, BY_SUBTRACTION),
    ),
    "warm_restarts_late": warm_restarts(
        "restarts when the end is passed, not when it is reached [pytorch/pytorch#23480]",
        ("if h.growth == 1:", "if False:"),
        ("t >= start + length", "t > start + length"),
    ),
    "warmup_stable_decay_in_micro_steps": warmup_stable_decay(
        "counts micro-batches, two for every update [Makazhan/Soup#686]",
        (T, "t = 2 * require_step(t)"),
    ),
    "warmup_stable_decay_late": warmup_stable_decay(
        "repeats the first step [THUDM/slime#1546]",
        (T, "t = max(require_step(t) - 1, 0)"),
        computes="one step late",
    ),
}

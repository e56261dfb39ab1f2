"""Faults in pieces of the training loop: clipping, loss scaling, averaging, and rates."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

FACTOR = "f = factor(h, role)"
NORM = "np.sqrt(reduce(lambda a, b: a + b, [np.sum(g * g) for g in parts]))"
OF_HISTORY = 'maximum(h, history) if h.amax_compute_algo == "max" else history[0]'
T = "t = s.t + 1"
PERCENTILE = "np.sort(gnorm_vec)[min(h.percentile, SLOTS - 1)]"
QUOTIENT = "np.where(amax > within / GREATEST, h.largest * 2.0**-h.margin / amax, GREATEST)"
USABLE = "if not (np.isfinite(amax) and amax > 0):"
VALUE = "np.minimum(np.maximum(g, -h.max_value), h.max_value)"
WITHIN = "within = n < h.max_norm"

accumulation = partial(fault, "gradient_accumulation", "training")
agc = partial(fault, "adaptive_gradient_clipping", "training")
layers = partial(fault, "adaptive_loss_scaling", "training")
by_norm = partial(fault, "clip_by_global_norm", "training")
by_value = partial(fault, "clip_by_value", "training")
data_parallel = partial(fault, "data_parallel", "training")
delayed = partial(fault, "delayed_scaling", "training")
loss_scaling = partial(fault, "dynamic_loss_scaling", "training")
hadamard = partial(fault, "hadamard_transform", "training")
linear_scaling = partial(fault, "linear_scaling", "training")
mup_adam = partial(fault, "mup_adam", "training")
noise_scale = partial(fault, "gradient_noise_scale", "training")
percentile = partial(fault, "percentile_clipping", "training")
qk_clip = partial(fault, "qk_clip", "training")
stale = partial(fault, "stale_gradients", "training")
precision = partial(fault, "state_precision", "training")

TRAINING: dict[str, Fault] = {
    "adaptive_gradient_clipping_by_tensor": agc(
        "a tensor is one unit, its rows have no norms of their own [a norm without axes]",
        ("np.sum(x * x, axis=axes, keepdims=True)", "np.sum(x * x)"),
    ),
    "adaptive_gradient_clipping_columns": agc(
        "norms along the other axes [ports between weights of (in, out) and (out, in)]",
        ('h.units in ("rows", "rows_and_taps")', "False"),
        computes="adaptive_gradient_clipping with units along the last axis",
    ),
    "adaptive_gradient_clipping_without_eps": agc(
        "zero weights have no least norm, and their gradients vanish [eps left at 0]",
        ("np.maximum(unit_norm(h, p), h.eps)", "unit_norm(h, p)"),
    ),
    "adaptive_loss_scaling_not_a_power": layers(
        "the scale is not rounded down to a power of two [a scale used as it is computed]",
        (
            "np.max(np.where(scale >= POWERS, POWERS, np.ones_like(scale)))",
            "np.maximum(scale, 1.0)",
        ),
    ),
    "adaptive_loss_scaling_one_scale_of_many": layers(
        "gradients are divided by the last scale above, not by the product "
        "[unscaling by the layer's own scale]",
        ("math.prod(scales_above)", "math.prod(scales_above[-1:])"),
    ),
    "adaptive_loss_scaling_steps_on_infinity": layers(
        "the step is not skipped [an overflow flag that nobody reads]",
        ("chosen(was_finite, weight, stepped)", "stepped"),
        check="sequence",
    ),
    "adaptive_loss_scaling_variance_alone": layers(
        "the mean of the error is left out of its size "
        "[a standard deviation in place of a root mean square]",
        ("np.mean(delta * delta)", "np.var(delta)"),
    ),
    "clip_by_global_norm_amplifies": by_norm(
        "gradients within the norm are made as long as it [no minimum with 1]",
        (WITHIN, "within = n == 0"),
        check="strata",
    ),
    "clip_by_global_norm_compares_squares": by_norm(
        "the limit is held against the squared norm, and the root is taken afterwards "
        "[a root that moved behind the comparison]",
        (WITHIN, "within = n * n < h.max_norm"),
    ),
    "clip_by_global_norm_drops_nan": by_norm(
        "a norm that is not finite counts as within the limit "
        "[facebookresearch/fairseq and others: clipping passes silently]",
        (WITHIN, f"{WITHIN} or not np.isfinite(n)"),
        check="special_values",
    ),
    "clip_by_global_norm_mean_square": by_norm(
        "the norm is the root of the mean of the squares [a mean in place of a sum]",
        (NORM, f"{NORM} / np.sqrt(sum(g.size for g in parts))"),
    ),
    "clip_by_global_norm_per_tensor": by_norm(
        "every tensor is clipped by its own norm [clipnorm where global_clipnorm was meant]",
        ('"clipped": apply(h, gradients)', '"clipped": [apply(h, [g])[0] for g in gradients]'),
    ),
    "clip_by_global_norm_sum_of_norms": by_norm(
        "the tensors' norms are added [the norm of the norms forgotten]",
        (NORM, "reduce(lambda a, b: a + b, [np.sqrt(np.sum(g * g)) for g in parts])"),
    ),
    "clip_by_global_norm_of_one_launch": by_norm(
        "the norm is of the 110 tensors that one launch takes, all are clipped by it "
        "[NVIDIA/TransformerEngine#3202, for sums of squares]",
        ("for g in gradients if g.size", "for g in gradients[:110] if g.size"),
        check="many_tensors",
    ),
    "clip_by_global_norm_without_eps": by_norm(
        "eps is missing beside the norm [eps declared as in PyTorch, and not added]",
        ("h.max_norm / (n + h.eps)", "np.divide(h.max_norm, n)"),
        check="at_the_threshold",
        computes="clip_by_global_norm with longer gradients multiplied by max_norm / norm",
        dialect={"form": "shrunk"},
    ),
    "clip_by_global_norm_without_last": by_norm(
        "the last tensor is clipped, but not part of the norm "
        "[pytorch/pytorch: multi-tensor norms that lose a tensor]",
        ("for g in gradients if g.size", "for g in gradients[:-1] or gradients if g.size"),
    ),
    "clip_by_value_above_only": by_value(
        "negative elements are not clipped [a minimum without its maximum]",
        (VALUE, "np.minimum(g, h.max_value)"),
    ),
    "clip_by_value_drops_nan": by_value(
        "nan becomes the limit [fmin and fmax, which ignore nan]",
        (VALUE, "np.fmin(np.fmax(g, -h.max_value), h.max_value)"),
        check="special_values",
    ),
    "clip_by_value_loses_sign": by_value(
        "sizes are clipped and signs forgotten [a minimum with |g|]",
        (VALUE, "np.where(np.abs(g) > h.max_value, h.max_value, g)"),
    ),
    "data_parallel_other_bits": data_parallel(
        "the last worker's mean differs in its last bit "
        "[replicas that each add in an order of their own]",
        ("[average(h, gradients, sizes)]", "[mean := average(h, gradients, sizes)]"),
        ("* len(gradients)}", "* (len(gradients) - 1) + [np.nextafter(mean, np.float32(np.inf))]}"),
        check="law:replicas_get_the_same_bits",
    ),
    "data_parallel_sum": data_parallel(
        "gradients are added, not averaged [an all-reduce without the division]",
        ("weighed) / total", "weighed)"),
    ),
    "data_parallel_weighed": data_parallel(
        "workers are weighed by their examples where each weighs the same "
        "[loss summed over tokens on some workers]",
        ('[1] * len(gradients) if h.weights == "workers" else sizes', "sizes"),
        computes="data_parallel with workers weighed by their numbers of examples",
    ),
    "delayed_scaling_all_but_the_last": delayed(
        "the oldest entry is not part of the maximum [a window one shorter than the history]",
        (OF_HISTORY, "maximum(h, history[: max(1, len(history) - 1)])"),
    ),
    "delayed_scaling_current": delayed(
        "a tensor is scaled by its own extreme [current scaling in the place of delayed]",
        ("x * scale", "x * next_scale(h, amax, scale)"),
    ),
    "delayed_scaling_inverse_after_infinity": delayed(
        "an infinite extreme inverts the scale that should stay "
        "[NVIDIA/TransformerEngine's early versions: 1 / sf where the exponent is negative]",
        (USABLE, f"{USABLE}\n        scale = 1 / scale if np.isinf(amax) else scale"),
        check="special_values",
    ),
    "delayed_scaling_late": delayed(
        "the scale does not know the tensor just seen [amax recorded after the update]",
        (OF_HISTORY, "maximum(h, amax_history)"),
    ),
    "delayed_scaling_margin_up": delayed(
        "the margin makes the scale larger [2^margin multiplied by]",
        ("h.largest * 2.0**-h.margin / amax", "h.largest * 2.0**h.margin / amax"),
    ),
    "delayed_scaling_nan_kept": delayed(
        "the scale of a tensor with a nan is nan [amax > 0 as amax <= 0 negated]",
        (USABLE, "if amax <= 0 or np.isinf(amax):"),
        check="special_values",
    ),
    "delayed_scaling_newest_of_history": delayed(
        "the newest entry alone counts [amax_compute_algo read as its other value]",
        (OF_HISTORY, "history[0]"),
        computes="delayed_scaling with amax the newest of the history",
    ),
    "delayed_scaling_not_rolled": delayed(
        "the history stays where it is [a roll whose result is dropped]",
        ("np.concatenate([history[1:], history[:1]])", "history"),
    ),
    "delayed_scaling_overflows": delayed(
        "the scale of a tiny extreme is infinite [NVIDIA/TransformerEngine before its clamp]",
        ("/ amax, GREATEST)", "/ amax, np.inf)"),
        check="strata",
    ),
    "delayed_scaling_margin_before_the_limit": delayed(
        "the quotient is limited with its margin, where by itself it is promised to be "
        "[Transformer Engine's fused kernel beside its functions in Python]",
        ('if h.overflow == "of_quotient" else', 'if h.overflow == "" else'),
        check="strata",
        dialect={"overflow": "of_quotient"},
    ),
    "delayed_scaling_zero_divides": delayed(
        "an extreme of zero makes the scale infinite [a quotient that nothing guards]",
        (USABLE, "if not np.isfinite(amax):"),
        (QUOTIENT, "h.largest * 2.0**-h.margin / amax"),
        check="all_zero",
    ),
    "dynamic_loss_scaling_backs_off_and_steps": loss_scaling(
        "the scale shrinks, but the step is made "
        "[huggingface/accelerate and others: a skipped step that was not]",
        ("chosen(was_finite, params, stepped)", "stepped"),
        ("chosen(was_finite, moments, moved)", "moved"),
        check="law:a_skipped_step_changes_no_bit",
    ),
    "dynamic_loss_scaling_count_kept_after_growth": loss_scaling(
        "the count of finite steps is not reset when the scale grows "
        "[growth at every step once the window is full]",
        ("scale=grown, good=0", "scale=grown, good=s.good + 1"),
    ),
    "dynamic_loss_scaling_count_kept_after_overflow": loss_scaling(
        "finite steps need not be consecutive [an overflow that does not reset the count]",
        ("scale=s.scale, good=0", "scale=s.scale, good=s.good"),
        ("scale=scale, good=0", "scale=scale, good=s.good"),
        check="sequence",
    ),
    "dynamic_loss_scaling_first_tensor_only": loss_scaling(
        "overflow is looked for in the first tensor only [a flag overwritten by every launch]",
        ("was_finite = finite(unscaled)", "was_finite = finite(unscaled[:1])"),
        check="sequence",
    ),
    "dynamic_loss_scaling_first_launch_only": loss_scaling(
        "overflow is looked for in the 110 tensors that one launch takes "
        "[NVIDIA/TransformerEngine#3202, for the flag of an overflow]",
        ("was_finite = finite(unscaled)", "was_finite = finite(unscaled[:110])"),
        check="strata",
    ),
    "dynamic_loss_scaling_grows_late": loss_scaling(
        "the scale grows after window + 1 finite steps [a counter compared before it is raised]",
        ("s.good + 1 < h.window", "s.good < h.window"),
    ),
    "dynamic_loss_scaling_grows_without_end": loss_scaling(
        "no limit keeps the scale from becoming infinite "
        "[pytorch/pytorch: GradScaler's scale overflows]",
        ("np.where(scale <= h.max_scale, scale, s.scale)", "scale"),
        check="law:scale_stays_within_its_limits",
    ),
    "dynamic_loss_scaling_infinity_is_fine": loss_scaling(
        "only nan skips the step, infinities are stepped with [x != x as the test]",
        ("bool(np.isfinite(np.max(np.abs(g))))", "not np.isnan(np.max(np.abs(g)))"),
        check="sequence",
    ),
    "dynamic_loss_scaling_looks_before_unscaling": loss_scaling(
        "a scale below 1 makes an infinity of a finite gradient, which is stepped with "
        "[torch.amp.GradScaler on a CPU]",
        ("was_finite = finite(unscaled)", "was_finite = finite(gradients)"),
        check="strata",
    ),
    "dynamic_loss_scaling_moments_of_skipped": loss_scaling(
        "parameters are kept when the step is skipped, moments are not "
        "[pytorch/pytorch: fused SGD's momentum on a skipped step]",
        ("chosen(was_finite, moments, moved)", "moved"),
        check="sequence",
    ),
    "dynamic_loss_scaling_unscaled_twice": loss_scaling(
        "gradients are divided by the scale twice "
        "[Lightning-AI: unscale_ called by the wrapper and by step]",
        ("g / s.scale", "g / s.scale / s.scale"),
    ),
    "gradient_accumulation_last_is_lost": accumulation(
        "the micro-batch at which the result is due is not part of it "
        "[a step before the last backward pass]",
        (T, f"{T}\n    g = np.zeros_like(g) if t == h.steps > 1 else g"),
    ),
    "gradient_accumulation_mean_of_means": accumulation(
        "micro-batches of unequal sizes weigh the same "
        "[huggingface/transformers#34191: token means averaged]",
        (T, "n, t = 1.0, s.t + 1"),
    ),
    "gradient_accumulation_sum": accumulation(
        "the sum is not divided [the loss not divided by the number of micro-batches]",
        ("s.total + n * g", "s.total + g"),
        ('if h.form in ("weighted", "mean")', "if False"),
        computes="gradient_accumulation with sum of gradients",
    ),
    "gradient_accumulation_totals_kept": accumulation(
        "the total is not zeroed when the result is out [zero_grad forgotten]",
        ("total=np.zeros_like(total)", "total=total"),
    ),
    "gradient_noise_scale_biased": noise_scale(
        "the squared norm of the large batch's gradient is taken for that of the mean "
        "[estimators without their correction]",
        ("(1 - h.ema) * g2", "(1 - h.ema) * big_square"),
    ),
    "gradient_noise_scale_ratios_averaged": noise_scale(
        "ratios are averaged, not the estimates [the paper's warning]",
        ('s / g2 if h.form == "average_of_ratios" else state.ratio', "s / g2"),
        ('if h.form == "average_of_ratios"', "if True"),
        computes="gradient_noise_scale with ratios of the estimates averaged",
    ),
    "gradient_noise_scale_swapped": noise_scale(
        "the batch sizes are exchanged [arguments in another order]",
        ("g2, s = ", "h = changed(h, small=h.big, big=h.small)\n    g2, s = "),
    ),
    "hadamard_transform_another_order": hadamard(
        "rows are in the order of their changes of sign [Walsh's order for Hadamard's]",
        (
            "matrix = hadamard(n)",
            "matrix = hadamard(n)\n"
            "    matrix = matrix[np.argsort(np.sum(matrix[:, 1:] != matrix[:, :-1], axis=1))]",
        ),
    ),
    "hadamard_transform_inverse": hadamard(
        "the signs come after the transform [the rotation transposed]",
        ('if h.direction == "forward"', 'if h.direction == "inverse"'),
        computes="hadamard_transform with transformed, then multiplied by the signs",
    ),
    "hadamard_transform_of_columns": hadamard(
        "blocks are cut from the elements at a distance [a view of (n, -1) for (-1, n)]",
        ("blocks = x.reshape(-1, n)", "blocks = x.reshape(n, -1).T"),
    ),
    "hadamard_transform_signs_ignored": hadamard(
        "there are no signs [with_random_sign_mask that is not passed on]",
        ("(blocks * signs) @ matrix", "blocks @ matrix"),
    ),
    "hadamard_transform_unscaled": hadamard(
        "the sum is not divided by the root of its length [a matrix of ones left as it is]",
        ("(y * (1 / math.sqrt(n)))", "y"),
        check="law:norm_of_every_tensor_is_kept",
    ),
    "linear_scaling_root": linear_scaling(
        "the rate grows with the root of the batch [the rule of adaptive methods used for SGD]",
        ('(k if h.rule == "linear" else np.sqrt(k))', "np.sqrt(k)"),
        computes="linear_scaling with rate proportional to the root of the batch",
    ),
    "linear_scaling_warms_up_early": linear_scaling(
        "the warm-up is one step ahead [steps counted from one]",
        ("t = require_step(t)", "t = require_step(t) + 1"),
    ),
    "linear_scaling_warms_up_from_zero": linear_scaling(
        "the warm-up starts at zero, not at the base rate [most libraries' warm-up]",
        ("h.lr + (full - h.lr) *", "full *"),
    ),
    "mup_adam_output_like_input": mup_adam(
        "the last layer has the base model's rate, without its multiplier [Tables 3 and 8 mixed]",
        ('role == "hidden" or (role == "output" and h.form == "table_3")', 'role == "hidden"'),
    ),
    "mup_adam_root_of_width": mup_adam(
        "hidden rates fall with the root of the width "
        "[the standard parametrisation's initial variance]",
        ("h.lr / h.fan_in, h.weight_decay\n", "h.lr / h.fan_in**0.5, h.weight_decay\n"),
    ),
    "mup_sgd_widths_swapped": fault(
        "mup_sgd",
        "training",
        "fan_in and fan_out are exchanged [weights of (in, out) and (out, in)]",
        (FACTOR, FACTOR.replace("h,", "changed(h, fan_in=h.fan_out, fan_out=h.fan_in),")),
    ),
    "percentile_clipping_amplifies": percentile(
        "shorter gradients are made as long as the clip value [a quotient without its condition]",
        ("larger = np.maximum(norm, clip_value)", "larger = norm"),
        ("np.where(norm > clip_value, shortened, 1.0)", "shortened"),
    ),
    "percentile_clipping_first_fills_one": percentile(
        "the first norm fills its own slot, the others stay zero [a start that is not special]",
        ("if t == 1:", "if False:"),
    ),
    "percentile_clipping_from_the_top": percentile(
        "the percentile is counted from the largest norm [sorted in descending order]",
        (PERCENTILE, "np.sort(gnorm_vec)[max(0, SLOTS - 1 - h.percentile)]"),
    ),
    "percentile_clipping_index_one_higher": percentile(
        "the norm above the percentile's clips [ranks counted from one]",
        ("min(h.percentile, SLOTS - 1)", "min(h.percentile + 1, SLOTS - 1)"),
    ),
    "percentile_clipping_not_rooted": percentile(
        "the norm is held against the square of the clip value [a root taken of one of both]",
        (f"np.sqrt({PERCENTILE})", PERCENTILE),
    ),
    "percentile_clipping_not_recorded": percentile(
        "the vector stays as the first gradient filled it [an update of a copy]",
        ('"gnorm_vec": gnorm_vec', '"gnorm_vec": gnorm_vec if t == 1 else given'),
        ("    t = t + 1\n", "    t, given = t + 1, gnorm_vec\n"),
    ),
    "percentile_clipping_of_earlier_alone": percentile(
        "the tensor's own norm is not among those that clip it [a vector updated after the sort]",
        (
            "    gnorm_vec = recorded(gnorm_vec, t, square)\n",
            "    given, gnorm_vec = gnorm_vec, recorded(gnorm_vec, t, square)\n",
        ),
        (PERCENTILE, PERCENTILE.replace("gnorm_vec", "gnorm_vec if t == 1 else given")),
    ),
    "percentile_clipping_one_slot_early": percentile(
        "the norm is kept one slot early [a count that is raised after it was used]",
        ("slot = t % SLOTS", "slot = (t - 1) % SLOTS"),
    ),
    "qk_clip_by_the_largest_head": qk_clip(
        "all heads shrink by the largest logit [one maximum for a layer]",
        ("[factor(h, logit) for logit in logits]", "[factor(h, max(logits))] * len(logits)"),
    ),
    "qk_clip_grows_small_heads": qk_clip(
        "heads below the threshold grow to it [a quotient without its condition]",
        ("np.where(above, h.threshold / np.where(above, logit, 1.0), 1.0)", "h.threshold / logit"),
    ),
    "qk_clip_keys_by_the_same_share": qk_clip(
        "keys take the queries' share [a symmetric default taken for the rule]",
        ("gamma ** (1 - h.alpha) * w", "gamma**h.alpha * w"),
    ),
    "qk_clip_keys_shrink_twice": qk_clip(
        "keys take the whole factor [an exponent forgotten]",
        ("gamma ** (1 - h.alpha) * w", "gamma * w"),
    ),
    "qk_clip_logits_by_size": qk_clip(
        "large negative logits clip too [an absolute value too many]",
        ("logit > h.threshold", "np.abs(logit) > h.threshold"),
        ("factor", "np.where(above, logit, 1.0)", "np.where(above, np.abs(logit), 1.0)"),
    ),
    "qk_clip_next_head": qk_clip(
        "each head shrinks by the next one's logit [an index off by one]",
        ("for logit in logits]", "for logit in [*logits[1:], logits[0]]]"),
    ),
    "qk_clip_queries_by_the_root": qk_clip(
        "the share is always a half [an argument without effect]", ("gamma**h.alpha", "gamma**0.5")
    ),
    "qk_clip_rotary_as_the_others": qk_clip(
        "rotary queries shrink by a half share, as if their keys shrank too [parts mixed up]",
        ("[gamma * w for", "[gamma**h.alpha * w for"),
        dialect={"parts": "rotary"},
    ),
    "qk_clip_rotary_keys_too": qk_clip(
        "shared keys shrink with each head [parts mixed up]",
        ('"keys": list(keys)', '"keys": [g * w for g, w in zip(factors, keys)]'),
        dialect={"parts": "rotary"},
    ),
    "qk_clip_turned_over": qk_clip(
        "weights grow by the logit over the threshold [a quotient turned over]",
        ("h.threshold / np.where(above, logit, 1.0)", "np.where(above, logit, 1.0) / h.threshold"),
    ),
    "stale_gradients_away_from_then": stale(
        "the correction has the way made with the wrong sign [p and p_then exchanged]",
        ("(p - then)", "(then - p)"),
        dialect={"gradient": "compensated"},
    ),
    "stale_gradients_late_by_one": stale(
        "the staleness is counted from one [the version read after it was raised]",
        ("max(1, tau)", "max(1, tau + 1)"),
    ),
    "stale_gradients_plain": stale(
        "the rate does not depend on the staleness [plain asynchronous SGD]",
        ('h.lr / max(1, tau) if h.rate == "inverse" else h.lr', "h.lr"),
        computes="stale_gradients with rate independent of the staleness",
    ),
    "state_precision_embeddings_like_others": precision(
        "embeddings have codes [an override that is registered after the state was made]",
        ('module == "embedding" and', "False and"),
        check="values",
    ),
    "state_precision_least_size_excepted": precision(
        "the least size itself keeps 32 bits [<= in the place of <]",
        ("int(size) < h.min_size", "int(size) <= h.min_size"),
        check="values",
    ),
    "state_precision_of_bytes": precision(
        "the size is counted in bytes [nbytes in the place of numel]",
        ("int(size) < h.min_size", "4 * int(size) < h.min_size"),
        check="strata",
    ),
    "state_precision_short_blocks": precision(
        "codes of tensors that end within a block [a condition that is left out]",
        ('h.whole == "blocks" and', "False and"),
        dialect={"whole": "blocks"},
        check="values",
    ),
}

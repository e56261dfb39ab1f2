"""The laws of training-loop pieces, each a function from a trial to its claims.

A law's name says the conclusion, then after "when" the hypotheses; its docstring says the rest.
Over 300 lines: thirty-six laws.
"""

import math

import numpy as np

from truestep.properties.kinds.training.laws.bench import (
    Bench,
    Outcome,
    Trial,
    agree,
    bits,
    listed,
    one,
)
from truestep.properties.kinds.training.laws.table import DEGREES, LIMITS
from truestep.properties.laws.claims import SCALE, Claims
from truestep.reference.training import TRAINING
from truestep.reference.validation import Array


def deterministic(bench: Bench, trial: Trial) -> Claims:
    """The same call twice gives the same bits."""
    yield from agree(bench.run(trial), bench.run(trial), bitwise=True)


def equivariant_under_order_of_tensors(bench: Bench, trial: Trial) -> Claims:
    """Reversing the lists reverses the results."""
    out, image = bench.run(trial), bench.run(trial.each(lambda x: x[::-1]))
    yield from agree(out, image.each(lambda x: x[::-1]))


def each_tensor_as_if_alone(bench: Bench, trial: Trial) -> Claims:
    """The first tensor's results do not depend on the others."""
    out, image = bench.run(trial), bench.run(trial.each(lambda x: x[:1]))
    yield from agree(out.each(lambda x: x[:1]), image)


def equivariant_under_concatenation(bench: Bench, trial: Trial) -> Claims:
    """All tensors joined to one give the results joined."""

    def joined(x: list[Array]) -> list[Array]:
        return [np.concatenate([np.reshape(a, -1) for a in x])]

    lists = [k for k, x in trial.inputs.items() if isinstance(x, list)]
    out, image = bench.run(trial), bench.run(trial.each(joined))
    outputs = [k for k, x in out.got.items() if len(x) == len(trial.inputs[lists[0]])]
    yield from agree(out.each(joined), image, outputs)


def homogeneous(bench: Bench, trial: Trial) -> Claims:
    """Scaling inputs and hyperparameters by their degrees scales the outputs by theirs."""
    degrees = DEGREES[bench.rule]

    def scaled(name: str, x: Array) -> Array:
        # Counts have no scale, and choices of a dialect only share their names with outputs.
        if not degrees.get(name) or isinstance(x, (int, str)):
            return x
        factor = SCALE ** degrees[name]
        if isinstance(x, list):
            return [scaled(name, a) for a in x]
        return (x * factor).astype(x.dtype) if isinstance(x, np.ndarray) else float(x * factor)

    image = Trial(*({k: scaled(k, x) for k, x in m.items()} for m in (trial.hyper, trial.inputs)))
    yield from agree(bench.run(trial), bench.run(image), degrees=degrees)


def odd(bench: Bench, trial: Trial) -> Claims:
    """Negating all tensors negates the results."""
    tensors = [k for k, w in TRAINING[bench.rule].INPUTS.items() if w in ("tensors", "replicas")]
    out = bench.run(trial)
    image = bench.run(trial.on(**{k: [-x for x in trial.inputs[k]] for k in tensors}))
    for name, parts in out.got.items():
        sign = -1 if any(x.shape or len(parts) > 1 for x in parts) else 1
        # A negated copy may lie otherwise in memory, and its sums run in another order.
        errors = zip(out.bound[name], image.bound[name], strict=True)
        pairs = zip(parts, image.got[name], strict=True)
        for (a, b), (e, f) in zip(pairs, errors, strict=True):
            yield one(name, sign * a.astype(np.float64), b, e + f)


def idempotent(bench: Bench, trial: Trial) -> Claims:
    """Clipping what was clipped changes nothing."""
    once = bench.run(trial)
    again = bench.run(trial.on(gradients=once.got["clipped"]))
    yield from agree(once, again, ["clipped"])


def parallel_to_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """All elements of all tensors are shortened by one factor."""
    out = bench.run(trial)
    g, c, e = (
        np.concatenate([np.asarray(x, dtype=np.float64).reshape(-1) for x in parts])
        for parts in (trial.inputs["gradients"], out.got["clipped"], out.bound["clipped"])
    )
    at = int(np.argmax(np.abs(g)))
    yield one("clipped", c * g[at], g * c[at], e * np.abs(g[at]) + np.abs(g) * e[at])


def small_elements_kept_beside_large_ones(bench: Bench, trial: Trial) -> Claims:
    """What lies within the limit by itself stays as it is, whatever stands beside it."""
    limit = trial.hyper[LIMITS[bench.rule]]
    for g, c in zip(trial.inputs["gradients"], bench.run(trial).got["clipped"], strict=True):
        small = np.abs(g) <= limit
        yield one("clipped", np.where(small, c, 0), np.where(small, g, 0))


def unchanged_when_params_grow_as_the_limit_falls(bench: Bench, trial: Trial) -> Claims:
    """Only the product of the limit and the size of the parameters matters."""
    params = [(4 * x).astype(x.dtype) for x in trial.inputs["params"]]
    fields = {"clipping": trial.hyper["clipping"] / 4, "eps": 4 * trial.hyper["eps"]}
    yield from agree(bench.run(trial), bench.run(trial.where(**fields).on(params=params)))


def norm_at_most_the_limit(bench: Bench, trial: Trial) -> Claims:
    """The norm of all that is left does not exceed the limit."""
    out = bench.run(trial)
    limit = trial.hyper["max_norm"]
    infinity = trial.hyper.get("norm") == "infinity"
    x, e = (
        np.concatenate([np.asarray(a, dtype=np.float64).reshape(-1) for a in parts])
        for parts in (out.got["clipped"], out.bound["clipped"])
    )
    norm, error = ((np.max(np.abs(a)) if infinity else math.hypot(*a)) for a in (x, e))
    # The last term is what this norm, in float64, rounds.
    yield one("norm", max(norm, limit), limit, error + (2 + x.size) * 2.0**-53 * norm)


def replicas_get_the_same_bits(bench: Bench, trial: Trial) -> Claims:
    """All workers get one and the same gradient."""
    first, *others = bench.run(trial).got["averaged"]
    for other in others:
        yield one("averaged", bits(other), bits(first))


def mean_of_equal_gradients_is_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """Workers that agree get what they gave."""
    g = trial.inputs["gradients"]
    out = bench.run(trial.on(gradients=[g[0]] * len(g)))
    for x, e in zip(out.got["averaged"], out.bound["averaged"], strict=True):
        yield one("averaged", x, g[0], e)


def a_skipped_step_changes_no_bit(bench: Bench, trial: Trial) -> Claims:
    """With an infinity among the gradients parameters and moments stay, bit for bit."""
    name = "gradients" if "gradients" in trial.inputs else "delta"
    x = trial.inputs[name]
    first = np.array(x[0] if isinstance(x, list) else x, order="C")
    first.reshape(-1)[-1:] = np.inf
    bad = trial.on(**{name: [first, *x[1:]] if isinstance(x, list) else first})
    out = bench.run(bad)
    yield one("skipped", out.got["skipped"][0], True)
    for kept in {"params", "moments", "weight"} & set(out.got):
        for a, b in zip(out.got[kept], listed(trial.inputs[kept]), strict=True):
            yield one(kept, bits(a), bits(b))


def unscaling_cancels_scaling(bench: Bench, trial: Trial) -> Claims:
    """A loss scaled 16 times more gives the same step."""
    scale = min(trial.inputs["scale"], trial.hyper["max_scale"] / 16)
    near = trial.on(scale=scale)
    gradients = [(16 * g).astype(g.dtype) for g in trial.inputs["gradients"]]
    image = bench.run(near.on(scale=16 * scale, gradients=gradients))
    yield from agree(bench.run(near), image, ["params", "moments", "skipped", "good"])


def scale_stays_within_its_limits(bench: Bench, trial: Trial) -> Claims:
    """It neither grows beyond max_scale nor falls below min_scale."""
    top = 2.0 ** math.floor(math.log2(trial.hyper["max_scale"]))
    (high,) = bench.run(trial.on(scale=top, good=trial.hyper["window"] - 1)).got["scale"]
    yield one("scale", high, min(float(high), trial.hyper["max_scale"]))
    low = max(trial.hyper["min_scale"], 2.0**-20)
    g = trial.inputs["gradients"]
    bad = [np.full_like(g[0], np.nan), *g[1:]]
    (least,) = bench.run(trial.on(scale=low, patience=1, gradients=bad)).got["scale"]
    yield one("scale", least, max(float(least), trial.hyper["min_scale"]))


def scale_is_a_power_of_two(bench: Bench, trial: Trial) -> Claims:
    """Scaling by it rounds nothing."""
    (scale,) = bench.run(trial).got["scale"]
    yield one("scale", np.frexp(float(scale))[0], 0.5)


def scale_halves_when_the_error_doubles(bench: Bench, trial: Trial) -> Claims:
    """As long as the scale is more than 1 and the error far from overflow."""
    delta = trial.inputs["delta"]
    small = (delta * 2.0**-30).astype(delta.dtype)
    (scale,), (half,) = (
        bench.run(trial.on(delta=d)).got["scale"] for d in (small, (2 * small).astype(delta.dtype))
    )
    yield one("scale", half, max(float(scale) / 2, 1.0))


def scales_above_cancel(bench: Bench, trial: Trial) -> Claims:
    """A gradient scaled 16 times more by one more layer gives the same step."""
    gradient = trial.inputs["gradient"]
    above = [*trial.inputs["scales_above"], 16.0]
    image = trial.on(gradient=(16 * gradient).astype(gradient.dtype), scales_above=above)
    yield from agree(bench.run(trial), bench.run(image), ["weight"])


def an_extreme_counts_as_long_as_the_history(bench: Bench, trial: Trial) -> Claims:
    """Of a history of three, the scale is that of a large tensor for two small ones after it."""
    x, size = trial.inputs["x"], 3
    fresh = np.zeros(size, trial.inputs["amax_history"].dtype)
    trial = trial.where(amax_history_len=size).on(amax_history=fresh)
    outcomes: list[Outcome] = []
    for tensor in (x, *((x / 16).astype(x.dtype),) * size):
        outcomes.append(bench.run(trial.on(x=tensor)))
        (history,), (scale,) = (outcomes[-1].got[name] for name in ("amax_history", "scale"))
        trial = trial.on(amax_history=history, scale=float(scale))
    first, error = (float(part["scale"][0]) for part in (outcomes[0].got, outcomes[0].bound))
    for k, out in enumerate(outcomes[1:], 1):
        factor = 16 if k == size else 1
        bound = factor * error + out.bound["scale"][0]
        yield one("scale", out.got["scale"][0], factor * first, bound)


def scale_halves_as_the_margin_grows_by_one(bench: Bench, trial: Trial) -> Claims:
    """A factor of two that is left between the extreme and the largest value."""
    out = bench.run(trial)
    image = bench.run(trial.where(margin=trial.hyper["margin"] + 1))
    error = 2 * image.bound["scale"][0] + out.bound["scale"][0]
    yield one("scale", 2 * float(image.got["scale"][0]), float(out.got["scale"][0]), error)


def the_first_gradient_is_kept(bench: Bench, trial: Trial) -> Claims:
    """It is all of the history, which has no other norm to clip it by."""
    fresh = np.zeros_like(trial.inputs["gnorm_vec"])
    out = bench.run(trial.on(gnorm_vec=fresh, t=0))
    yield one("clipped", out.got["clipped"][0], trial.inputs["gradient"], out.bound["clipped"][0])


def the_norm_is_at_most_the_percentile(bench: Bench, trial: Trial) -> Claims:
    """Of the history that is given out, in which the tensor's own norm is."""
    out = bench.run(trial)
    (squares,), (errors,) = (part["gnorm_vec"] for part in (out.got, out.bound))
    at = min(trial.hyper["percentile"], squares.size - 1)
    limit = math.sqrt(np.sort(squares)[at])
    slack = math.sqrt(np.sort(squares.astype(np.float64) + errors)[at]) - limit
    x, e = (
        np.broadcast_to(part["clipped"][0], trial.inputs["gradient"].shape).reshape(-1)
        for part in (out.got, out.bound)
    )
    norm, error = math.hypot(*x.astype(np.float64)), math.hypot(*e)
    # The last term is what this norm, in float64, rounds.
    bound = error + slack + (2 + x.size) * 2.0**-53 * norm
    yield one("clipped", max(norm, limit), limit, bound)


def order_of_earlier_norms_does_not_matter(bench: Bench, trial: Trial) -> Claims:
    """Once each has its slot."""
    squares, t = trial.inputs["gnorm_vec"], max(1, trial.inputs["t"])
    slot = (t + 1) % squares.size
    turned = np.copy(squares)
    turned[np.arange(squares.size) != slot] = np.delete(squares, slot)[::-1]
    out, image = (bench.run(trial.on(t=t, gnorm_vec=x)) for x in (squares, turned))
    yield from agree(out, image, ["clipped"])


def _accumulated(bench: Bench, trial: Trial, gradients: list[list[Array]]) -> list[Outcome]:
    """The calls of one accumulation, each from the state that the one before left."""
    state = {"totals": [np.zeros_like(g) for g in gradients[0]], "t": 0, "weight": 0.0}
    outcomes = []
    for g in gradients:
        outcomes.append(bench.run(trial.on(**state, gradients=g, examples=1.0)))
        got = outcomes[-1].got
        state = {"totals": got["totals"], "t": int(got["t"][0]), "weight": float(got["weight"][0])}
    return outcomes


def begins_anew_when_due(bench: Bench, trial: Trial) -> Claims:
    """The last micro-batch is due and leaves an empty state; the ones before give zero."""
    steps = trial.hyper["steps"]
    outcomes = _accumulated(bench, trial, [trial.inputs["gradients"]] * steps)
    for k, out in enumerate(outcomes, 1):
        yield one("due", out.got["due"][0], k == steps)
        yield one("t", out.got["t"][0], k % steps)
        for x in out.got["results" if k < steps else "totals"]:
            yield one("totals", x, np.zeros_like(x))


def a_repeated_gradient_is_the_result(bench: Bench, trial: Trial) -> Claims:
    """Equal micro-batches give what each of them gave."""
    outcomes = _accumulated(bench, trial, [trial.inputs["gradients"]] * trial.hyper["steps"])
    for i, g in enumerate(trial.inputs["gradients"]):
        error = sum(out.bound["totals"][i] for out in outcomes) + outcomes[-1].bound["results"][i]
        yield one("results", outcomes[-1].got["results"][i], g, error)


def no_noise_when_the_squares_agree(bench: Bench, trial: Trial) -> Claims:
    """Gradients that do not depend on the batch have none."""
    square = trial.inputs["small_square"]
    fresh = trial.on(t=0, g2=0.0, s=0.0, ratio=0.0, big_square=square)
    out = bench.run(fresh)
    for name in ("s", "noise_scale"):
        yield one(name, out.got[name][0], 0.0, out.bound[name][0])


def averages_of_a_constant_stay(bench: Bench, trial: Trial) -> Claims:
    """Averages that equal the estimates do not move."""
    zero = trial.on(t=1, g2=0.0, s=0.0, ratio=0.0)
    share = 1 - trial.hyper["ema"]
    first = bench.run(zero)
    state = {k: float(np.float32(float(first.got[k][0]) / share)) for k in ("g2", "s")}
    second = bench.run(trial.on(t=1, **state))
    for name in ("g2", "s"):
        # Twice the float32 rounding of the state, and the first call's error, scaled alike.
        error = first.bound[name][0] / share + 2.0**-23 * abs(state[name])
        yield one(name, second.got[name][0], state[name], error + second.bound[name][0])


def norm_of_every_tensor_is_kept(bench: Bench, trial: Trial) -> Claims:
    """A rotation moves elements only."""
    out = bench.run(trial)
    for x, y, e in zip(
        trial.inputs["gradients"], out.got["transformed"], out.bound["transformed"], strict=True
    ):
        due, got = (math.hypot(*a.reshape(-1).astype(np.float64)) for a in (x, y))
        error = math.hypot(*np.broadcast_to(e, y.shape).reshape(-1))
        # The last term is what these norms, in float64, round.
        yield one("transformed", got, due, error + (2 + x.size) * 2.0**-53 * due)


def the_same_twice_is_nothing_when_all_signs_are_one(bench: Bench, trial: Trial) -> Claims:
    """Without signs the transform is its own inverse."""
    plain = trial.on(signs=np.ones_like(trial.inputs["signs"]))
    once = bench.run(plain)
    again = bench.run(plain.on(gradients=once.got["transformed"]))
    errors = zip(once.bound["transformed"], again.bound["transformed"], strict=True)
    pairs = zip(again.got["transformed"], trial.inputs["gradients"], strict=True)
    for (y, x), (e, f) in zip(pairs, errors, strict=True):
        # No element of a rotation is longer than the whole.
        yield one("transformed", y, x, f + math.hypot(*np.broadcast_to(e, y.shape).reshape(-1)))


def signs_are_those_of_the_elements(bench: Bench, trial: Trial) -> Claims:
    """A tensor with its signs is transformed as the tensor times the signs without them."""
    signs = trial.inputs["signs"]
    signed = [
        (x.reshape(-1, signs.size) * signs).reshape(x.shape).astype(x.dtype)
        for x in trial.inputs["gradients"]
    ]
    image = trial.on(gradients=signed, signs=np.ones_like(signs))
    yield from agree(bench.run(trial), bench.run(image))


def rate_is_lr_at_the_base_batch(bench: Bench, trial: Trial) -> Claims:
    """At every step, warm-up or not."""
    out = bench.run(trial.on(batch=trial.hyper["base_batch"]))
    yield one("lr", out.got["lr"][0], trial.hyper["lr"], out.bound["lr"][0])


def rate_depends_on_the_ratio_of_batches_alone(bench: Bench, trial: Trial) -> Claims:
    """Both batches doubled leave it."""
    image = trial.where(base_batch=2 * trial.hyper["base_batch"])
    image = image.on(batch=2 * trial.inputs["batch"])
    yield from agree(bench.run(trial), bench.run(image))


def _role(bench: Bench, trial: Trial, role: str, **fields: float) -> Outcome:
    return bench.run(trial.where(**fields).on(role=role))


def _keeps_its_rate(bench: Bench, trial: Trial, role: str) -> Claims:
    out = _role(bench, trial, role)
    yield one("lr", out.got["lr"][0], trial.hyper["lr"], out.bound["lr"][0])


def base_model_when_widths_are_one(bench: Bench, trial: Trial) -> Claims:
    """Rate and decay are the base model's for every role."""
    out = _role(bench, trial, trial.inputs["role"], fan_in=1.0, fan_out=1.0)
    for name in ("lr", "weight_decay"):
        yield one(name, out.got[name][0], trial.hyper[name], out.bound[name][0])


def rate_times_decay_is_kept(bench: Bench, trial: Trial) -> Claims:
    """Their product does not depend on the widths."""
    out = bench.run(trial)
    lr, decay = (float(out.got[k][0]) for k in ("lr", "weight_decay"))
    error = abs(lr) * out.bound["weight_decay"][0] + abs(decay) * out.bound["lr"][0]
    due = trial.hyper["lr"] * trial.hyper["weight_decay"]
    yield one("lr", lr * decay, due, error + 2.0**-52 * due)


def input_rate_is_the_base_models(bench: Bench, trial: Trial) -> Claims:
    """Whatever the widths."""
    yield from _keeps_its_rate(bench, trial, "input")


def hidden_rate_is_the_base_models(bench: Bench, trial: Trial) -> Claims:
    """Whatever the widths."""
    yield from _keeps_its_rate(bench, trial, "hidden")


def output_rate_halves_as_fan_in_doubles(bench: Bench, trial: Trial) -> Claims:
    """The rate of the last layer is inverse in its input width."""
    narrow = _role(bench, trial, "output")
    wide = _role(bench, trial, "output", fan_in=2 * trial.hyper["fan_in"])
    error = narrow.bound["lr"][0] + 2 * wide.bound["lr"][0]
    yield one("lr", 2 * float(wide.got["lr"][0]), float(narrow.got["lr"][0]), error)


def fresh_gradients_make_a_plain_step(bench: Bench, trial: Trial) -> Claims:
    """A staleness of 0 is one of 1."""
    yield from agree(bench.run(trial.on(tau=0)), bench.run(trial.on(tau=1)), bitwise=True)


def step_is_inverse_in_the_staleness(bench: Bench, trial: Trial) -> Claims:
    """From zero parameters, four times as stale is a quarter of the way."""
    zero = [np.zeros_like(p) for p in trial.inputs["params"]]
    near, far = (bench.run(trial.on(params=zero, tau=tau)) for tau in (1, 4))
    for i, (a, b) in enumerate(zip(near.got["params"], far.got["params"], strict=True)):
        error = near.bound["params"][i] + 4 * far.bound["params"][i]
        yield one("params", 4 * b.astype(np.float64), a, error)


def full_precision_below_the_least_size(bench: Bench, trial: Trial) -> Claims:
    """One element less than the least size has 32 bits, whatever it is."""
    size = trial.hyper["min_size"] - 1
    if size >= 0:
        out = bench.run(trial.on(size=size))
        yield one("bits_of", out.got["bits_of"][0], 32)


def codes_of_whole_blocks_from_the_least_size_on(bench: Bench, trial: Trial) -> Claims:
    """The first whole number of blocks that is not below the least size has codes."""
    block = trial.hyper["block_size"]
    size = -(-trial.hyper["min_size"] // block) * block
    out = bench.run(trial.on(size=size, module="other"))
    yield one("bits_of", out.got["bits_of"][0], trial.hyper["bits"])


def embeddings_keep_full_precision(bench: Bench, trial: Trial) -> Claims:
    """Of any size."""
    out = bench.run(trial.on(module="embedding"))
    yield one("bits_of", out.got["bits_of"][0], 32)


def more_elements_never_have_more_bits(bench: Bench, trial: Trial) -> Claims:
    """A tensor of the same sort with one element more has as many bits, or fewer."""
    sizes = (trial.inputs["size"], trial.inputs["size"] + 1)
    fewer, more = (bench.run(trial.on(size=size)).got["bits_of"][0] for size in sizes)
    yield one("bits_of", np.maximum(fewer, more), fewer)


def heads_up_to_the_threshold_keep_every_bit(bench: Bench, trial: Trial) -> Claims:
    """Where no logit exceeds the threshold, queries and keys stay bit for bit."""
    low = [-1.0, 0.0, trial.hyper["threshold"] / 2] * len(trial.inputs["queries"])
    start = trial.on(logits=low[: len(trial.inputs["queries"])])
    out = bench.run(start)
    for name in ("queries", "keys"):
        for got, given in zip(out.got[name], start.inputs[name], strict=True):
            yield one(name, got, given)


def products_come_down_to_the_threshold(bench: Bench, trial: Trial) -> Claims:
    """A query's product with its key, times the logit over the threshold, is what it was."""
    excess = 4.0
    count = len(trial.inputs["queries"])
    start = trial.on(logits=[excess * trial.hyper["threshold"]] * count)
    out = bench.run(start)
    parts = (start.inputs["queries"], start.inputs["keys"], out.got["queries"], out.got["keys"])
    bounds = zip(out.bound["queries"], out.bound["keys"], strict=True)
    for (q, k, new_q, new_k), (off_q, off_k) in zip(zip(*parts, strict=True), bounds, strict=True):
        before, after = (np.asarray(a, np.float64) * b for a, b in ((q, k), (new_q, new_k)))
        off = off_q * np.abs(new_k) + off_k * np.abs(new_q) + off_q * off_k
        # The logit is rounded to the format as it is handed over, the products here to float64.
        rounding = 2 * np.finfo(np.asarray(q).dtype).eps * np.abs(before)
        yield one("queries", excess * after, before, excess * off + rounding)

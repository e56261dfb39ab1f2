"""Laws of pieces that are told a metric: when the rate changes, and by what it never does."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from truestep.properties.arithmetic.formats import format_named
from truestep.properties.kinds.training import step as training
from truestep.properties.kinds.training.laws.bench import Bench, Trial, agree, bits, one
from truestep.properties.laws.claims import Claims
from truestep.reference.training import TRAINING
from truestep.reference.validation import Array

# What is long enough to tell a count from its neighbours.
_PATIENCE, _WAITING = 3, 2
_HIGHEST = 2.0**24


def a_nan_is_no_improvement(bench: Bench, trial: Trial) -> Claims:
    """It leaves the best metric, and does to rate and counts what the worst metric does."""
    for best in (trial.inputs["best"], _worst(trial)):
        at = trial.on(best=best)
        worst, nan = (
            bench.run(at.on(metric=_worst(trial))),
            bench.run(at.on(metric=_of(trial, np.nan))),
        )
        yield one("best", bits(nan.got["best"][0]), bits(np.asarray(best)))
        yield from agree(worst, nan, ["lr", "bad", "cooling"], bitwise=True)


def a_steady_metric_lowers_the_rate_when_patience_is_spent(bench: Bench, trial: Trial) -> Claims:
    """Before that every bit of it stays; it falls again after as long, and the cooldown besides."""
    short = _short(trial)
    h = short.hyper
    reached, following = h.get("patience_ends") == "reached", h.get("cooled") == "next"
    spent = max(h["patience"], 1) if reached else h["patience"] + 1
    again = spent + (max(h["cooldown"] - 1, 0) if following else h["cooldown"])
    rates = _rates(bench, _fresh(short), [1.0] * (1 + spent + again))
    yield one("lr", _falls(rates), np.array([1 + spent, 1 + spent + again]))


def an_improving_metric_keeps_the_rate(bench: Bench, trial: Trial) -> Claims:
    """In every bit, however long."""
    short = _short(trial)
    rates = _rates(bench, _fresh(short), _improving(short, 2 * (short.hyper["patience"] + 2)))
    yield one("lr", np.array(rates), np.full(len(rates), rates[0]))


def rate_stays_within_its_limits(bench: Bench, trial: Trial) -> Claims:
    """A rate that is not below min_lr does not fall below it; nor does one rise above max_lr."""
    h = trial.hyper
    limits = h["min_lr"], h.get("max_lr", np.inf)
    last = trial.on(bad=h["patience"], cooling=0, metric=_worst(trial))
    held = [last, last.on(lr=h["min_lr"])]
    if "max_lr" in h:
        rising = _fresh(trial).on(good=h["patience"], metric=_of(trial, 1.0))
        held += [rising.on(lr=lr) for lr in (h["max_lr"], h["max_lr"] * (1 + h["factor"]) / 2)]
    for one_more in held:
        lr = _rates(bench, one_more, [float(one_more.inputs["metric"])])[-1]
        due = float(np.clip(lr, *limits))
        # What a limit rounds to in the format of the rate.
        yield one("lr", lr, due, 2 * format_named(bench.capability.format).u * due)


def the_rate_rises_while_the_metric_improves(bench: Bench, trial: Trial) -> Claims:
    """When patience is spent, and again after as long and the warm-up besides."""
    short = _short(trial)
    h = short.hyper
    spent = h["patience"] + 1
    again = spent + h["warmup"]
    # As the kernel holds it, or to hold it would be to change it.
    low = short.on(lr=float(_of(short, h["max_lr"] * h["factor"] ** 3)))
    rates = _rates(bench, _fresh(low), _improving(short, spent + again))
    yield one("lr", _falls(rates), np.array([spent, spent + again]))


def _short(trial: Trial) -> Trial:
    """With waits that a law can wait for, and a rate that may fall by any amount."""
    h = trial.hyper
    waits = {name: min(h[name], _WAITING) for name in ("cooldown", "warmup") if name in h}
    least = min(max(h["patience"], 1 if "rests" in h else 0), _PATIENCE)
    return trial.where(patience=least, min_lr=0.0, eps=0.0, **waits)


def _of(trial: Trial, x: float) -> Array:
    return np.asarray(x, dtype=trial.inputs["metric"].dtype)


def _worst(trial: Trial) -> Array:
    return _of(trial, -np.inf if trial.hyper.get("mode") == "max" else np.inf)


def _fresh(trial: Trial) -> Trial:
    """Before the first metric."""
    counts = {k: 0 for k in ("bad", "cooling", "good", "seen", "warming") if k in trial.inputs}
    numbers = {"mean": 0.0} if "mean" in trial.inputs else {}
    left = {"left": trial.hyper["rests"]} if "left" in trial.inputs else {}
    return trial.on(best=_worst(trial), **counts, **numbers, **left)


def _improving(trial: Trial, count: int) -> list[float]:
    """Metrics of which each is twice as good as the one before."""
    up = trial.hyper.get("mode") == "max"
    return [2.0 ** (k + 1) if up else _HIGHEST * 2.0**-k for k in range(count)]


def _rates(bench: Bench, trial: Trial, metrics: Iterable[float]) -> list[float]:
    """The rate before the first metric and after each, every metric as often as it takes."""
    hyper = TRAINING[bench.rule].Hyper(**trial.hyper)
    inputs, rates = dict(trial.inputs), [float(trial.inputs["lr"])]
    for metric in metrics:
        for _ in range(trial.hyper.get("accumulation", 1)):
            inputs["metric"] = _of(trial, metric)
            got = training.call(bench.backend, bench.capability, hyper, inputs)
            inputs |= {k: float(x) if isinstance(inputs[k], float) else x for k, x in got.items()}
        rates.append(float(inputs["lr"]))
    return rates


def _falls(rates: list[float]) -> Array:
    """At which metrics, counted from one, the rate changed: the first two, 0 for none."""
    at = [k for k, (a, b) in enumerate(pairwise(rates), 1) if a != b]
    return np.array([*at, 0, 0][:2])

"""Faults in schedules that a metric drives: patience, cooldowns, thresholds, limits, and state."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault

SPENT = 'bad > h.patience if h.patience_ends == "exceeded"'
STEADY = "law:a_steady_metric_lowers_the_rate_when_patience_is_spent"
STARTED = "return State(lr, best, 0, h.cooldown)"

greedy = partial(fault, "greedy", "training")
plateau = partial(fault, "reduce_on_plateau", "training")

FEEDBACK: dict[str, Fault] = {
    "greedy_best_while_it_cools": greedy(
        "a metric improves the best one during the cooldown [ReduceLROnPlateau's order]",
        (
            "return State(s.lr, s.best, 0, 0, s.cooling - 1",
            "return State(s.lr, np.minimum(s.best, metric), 0, 0, s.cooling - 1",
        ),
        check="strata",
    ),
    "greedy_good_ones_survive_a_bad_one": greedy(
        "a bad metric does not end a run of good ones [two counters, one of which is reset]",
        ("(0, s.bad + 1)", "(s.good, s.bad + 1)"),
    ),
    "greedy_max_lr_ignored": greedy(
        "the rate rises without a limit [an argument without effect]",
        ("np.minimum(lr / h.factor, h.max_lr)", "lr / h.factor"),
        check="law:rate_stays_within_its_limits",
    ),
    "greedy_never_begins_anew": greedy(
        "rests are counted and nothing begins anew [a counter that nobody reads]",
        ("if left <= 0:", "if False:"),
        check="strata",
    ),
    "greedy_rises_by_the_factor": greedy(
        "the rate falls where it is to rise [a product for a quotient]",
        ("lr / h.factor", "lr * h.factor"),
        check="law:the_rate_rises_while_the_metric_improves",
    ),
    "greedy_without_warmup": greedy(
        "a risen rate may rise again at once [an argument without effect]",
        ("bad, 0, 0, h.warmup, h.rests)", "bad, 0, 0, 0, h.rests)"),
        check="law:the_rate_rises_while_the_metric_improves",
    ),
    "reduce_on_plateau_bad_not_kept": plateau(
        "the count of bad metrics is not kept [a counter that is no part of the state]",
        ('"bad": new.bad', '"bad": 0'),
        check=STEADY,
    ),
    "reduce_on_plateau_best_not_kept": plateau(
        "each metric is held against the one before [the last value kept for the best]",
        ("best = mean if better else s.best", "best = mean"),
    ),
    "reduce_on_plateau_best_stays_while_it_cools": plateau(
        "no metric improves the best one during the cooldown [transformers' GreedyLR's order]",
        ("best = mean if better else", "best = mean if better and not s.cooling else"),
        check="strata",
    ),
    "reduce_on_plateau_cooldown_counts_bad_ones": plateau(
        "bad metrics of the cooldown count [a cooldown that only forbids the fall]",
        ("bad = 0 if better or ignored else", "bad = 0 if better else"),
        check=STEADY,
    ),
    "reduce_on_plateau_cooldown_one_longer": plateau(
        "the cooldown is one metric longer [a count that includes the metric of the fall]",
        (STARTED, STARTED.replace("h.cooldown", "h.cooldown + 1")),
        check=STEADY,
    ),
    "reduce_on_plateau_cooldown_one_shorter": plateau(
        "the metric that ends the cooldown counts [Keras' callback]",
        ('s.cooling > 0 if h.cooled == "last" else cooling > 0', "cooling > 0"),
        check="strata",
        computes="the measurement that ends the cooldown counts",
    ),
    "reduce_on_plateau_eps_ignored": plateau(
        "a rate falls by less than eps [an argument without effect]",
        ("lr - lower > h.eps", "lr - lower > 0"),
        check="strata",
    ),
    "reduce_on_plateau_every_metric": plateau(
        "metrics are averaged, and each is looked at [an accumulation that is never awaited]",
        ("if seen < h.accumulation:", "if False:"),
    ),
    "reduce_on_plateau_falls_without_a_floor": plateau(
        "the rate falls below min_lr [an argument without effect]",
        ("np.maximum(lr * h.factor, h.min_lr)", "lr * h.factor"),
        check="law:rate_stays_within_its_limits",
    ),
    "reduce_on_plateau_keeps_counting": plateau(
        "the count does not begin anew after a fall, and the rate falls at every metric "
        "[a reset that is forgotten]",
        (STARTED, STARTED.replace("best, 0", "best, bad")),
        check=STEADY,
    ),
    "reduce_on_plateau_nan_is_better": plateau(
        "a nan becomes the best metric [a comparison that is negated]",
        (
            "return bool(metric < best - share - h.atol)",
            "return not metric >= best - share - h.atol",
        ),
        check="law:a_nan_is_no_improvement",
    ),
    "reduce_on_plateau_patience_one_longer": plateau(
        "the rate falls one metric late [counters from 0 and from 1]",
        (SPENT, SPENT.replace("> h.patience", "> h.patience + 1")),
        check=STEADY,
    ),
    "reduce_on_plateau_patience_one_shorter": plateau(
        "the rate falls one metric early [patience of Keras and optax in the place of PyTorch's]",
        (SPENT, SPENT.replace("bad > h.patience", "bad >= max(h.patience, 1)")),
        check="strata",
        computes="falls at as many bad measurements as patience",
    ),
    "reduce_on_plateau_relative_to_the_sign": plateau(
        "a negative metric that stays is an improvement [thresholds that multiply the best one]",
        ('(np.abs(best) if h.margin == "size" else best)', "best"),
        check="strata",
        computes="a relative threshold has the sign of best",
    ),
    "reduce_on_plateau_threshold_absolute": plateau(
        "the relative threshold is an absolute one [threshold modes exchanged]",
        ('h.rtol * (np.abs(best) if h.margin == "size" else best)', "h.rtol"),
    ),
    "reduce_on_plateau_to_rise": plateau(
        "the metric is to rise where it is to fall [a mode that is guessed from a name]",
        ("return bool(metric < best - share - h.atol)", "return bool(metric > best + share)"),
        check="law:an_improving_metric_keeps_the_rate",
    ),
    "reduce_on_plateau_without_threshold": plateau(
        "the least improvement counts [an argument without effect]",
        ("return bool(metric < best - share - h.atol)", "return bool(metric < best)"),
    ),
}

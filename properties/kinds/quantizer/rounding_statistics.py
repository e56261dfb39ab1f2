"""Stochastic rounding by exact binomial tests: how often it goes up, whether draws repeat."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from scipy import stats

from truestep.properties.judge.results import CheckResult, Verdict, check_id

# The probability that a faithful kernel fails one check: small beside a million runs. It is shared
# among the tests of the check (Bonferroni).
FALSE_ALARM = 1e-9
# Elements per tensor: a bias of 2^-9 in the probability is then eight standard deviations.
ELEMENTS = 2**22
# Parts of the spacing that are cut off, in units of 2^-16: the ends, the middle and between.
PARTS = (1, 2**8, 2**13, 2**15, 2**16 - 2**13, 2**16 - 1)
# Distances at which a generator that is shared by lanes, warps, blocks or calls repeats itself.
LAGS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


def run(subject: Any, name: str, seed: int) -> CheckResult:
    """Run "frequency" (ups are binomial, exactly) or "independence" (draws do not repeat)."""
    begin = time.perf_counter()
    hyper = subject.rule.Hyper(**subject.capability.dialect)
    test = _frequency if name == "frequency" else _independence
    p_values = test(subject, hyper, seed)
    limit = FALSE_ALARM / len(p_values)
    worst = min(p_values, key=lambda item: item[1])
    verdict: Verdict = "pass" if worst[1] > limit else "fail"
    message = ""
    if verdict == "fail":
        message = (
            f"{subject.capability.rule}: {worst[0]}; probability {worst[1]:.3g} under the exact "
            f"law, fails below {limit:.3g} (false-alarm probability of the check {FALSE_ALARM:g})"
        )
    capability = subject.capability
    return CheckResult(
        id=check_id(capability, name),
        kind=capability.kind,
        rule=capability.rule,
        check=name,
        dialect=dict(capability.dialect),
        format=capability.format,
        variant=capability.variant,
        contract="statistical",
        verdict=verdict,
        examples=len(p_values),
        judged_fraction=1.0,
        utilisation=math.log(max(worst[1], 1e-300)) / math.log(limit),
        message=message,
        seconds=time.perf_counter() - begin,
        extra={"false_alarm_probability": FALSE_ALARM, "smallest_p_value": worst[1]},
    )


def _number(part: int, sign: int) -> np.float32:
    """A float32 between 1 and the next bfloat16, of which part 2^-16 of the spacing is cut off."""
    return np.float32(sign * (1 + part * 2.0**-23))


def _ups(subject: Any, hyper: Any, x: np.float32, n: int) -> Any:
    """Which of n equal elements went to the upper of their two values."""
    out = subject.encode(hyper, np.full(n, x, dtype=np.float32))
    return out.back > x


def _frequency(subject: Any, hyper: Any, seed: int) -> list[tuple[str, float]]:
    found = []
    for part in PARTS:
        for sign in (1, -1):
            x = _number(part, sign)
            p = float(subject.rule.probability_up(np.asarray([x], dtype=np.float64))[0])
            n = ELEMENTS // (2 * len(PARTS)) * 2
            ups = int(np.count_nonzero(_ups(subject, hyper, x, n)))
            tails = stats.binom.cdf(ups, n, p), stats.binom.sf(ups - 1, n, p)
            told = f"{ups} of {n} elements {float(x)!r} went up, expected {n * p:.1f}"
            found.append((told, min(1.0, 2 * float(min(tails)))))
    return found


def _independence(subject: Any, hyper: Any, seed: int) -> list[tuple[str, float]]:
    x, n = _number(2**15, 1), 2**16
    first, second = (_ups(subject, hyper, x, n) for _ in range(2))
    pairs = [("of two calls", first, second)]
    pairs += [(f"at distance {lag}", first[:-lag], first[lag:]) for lag in LAGS]
    found = []
    for told, a, b in pairs:
        same, count = int(np.count_nonzero(a == b)), len(a)
        tails = stats.binom.cdf(same, count, 0.5), stats.binom.sf(same - 1, count, 0.5)
        p_value = min(1.0, 2 * float(min(tails)))
        found.append((f"{same} of {count} draws {told} agree, expected half", p_value))
    return found

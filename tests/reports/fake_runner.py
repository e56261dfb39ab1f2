"""Invented results of every verdict, and runs that consist of them, without any arithmetic."""

from __future__ import annotations

import contextlib
import random
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from truestep.fast.discovery import UnknownBackend
from truestep.properties.judge.results import HISTOGRAM_EDGES, CheckResult
from truestep.properties.run.pool import Run

WORST = {
    "case": {
        "groups": [
            {
                "hyper": {"lr": 0.001, "beta1": 0.9, "weight_decay": 0.01},
                "slots": [{"param": {"shape": [16, 33], "kind": "graded", "seed": 7}, "t": 3}],
            }
        ],
        "steps": 1,
    },
    "tensor": "p",
    "step": 0,
    "group": 0,
    "slot": 0,
    "index": [3, 17],
    "inputs": {"p": "0x1.0000000000000p+0", "g": "-0x1.8000000000000p-3", "t": 3},
    "got": "0x1.999999999999ap-4",
    "oracle": "0x1.999999999999cp-4",
    "error": 1.3877787807814457e-17,
    "bound": 2.1e-17,
}


def result(
    rule: str = "adamw",
    *,
    kind: str = "optimizer",
    format: str = "float32",
    variant: str = "",
    check: str = "lockstep",
    verdict: Any = "pass",
    **fields: Any,
) -> CheckResult:
    """A plausible result; fields override."""
    judged = verdict in ("pass", "fail")
    made = CheckResult(
        id="/".join(filter(None, (kind, rule, format, variant, check))),
        kind=kind,
        rule=rule,
        check=check,
        dialect={},
        format=format,
        variant=variant,
        contract="bounded",
        verdict=verdict,
        examples=200 if judged else 0,
        judged_fraction=0.9987 if judged else 0.0,
        utilisation={"pass": 0.62, "fail": 31250.0}.get(verdict),
        oracle_fraction=1e-9,
        worst=dict(WORST) if judged else None,
        message="" if verdict == "pass" else f"{verdict}: the reason",
        seconds=0.25,
    )
    made = replace(made, **fields)
    counted = judged and made.utilisation is not None and "histogram" not in fields
    return replace(made, histogram=histogram(made.utilisation)) if counted else made


def histogram(utilisation: float) -> tuple[int, ...]:
    """Counts as a real run gives them: many zeros, few near the largest utilisation."""
    counts = [812_000, 90_311, 120_000, 61_234, 20_000, 8_100, 1_204, 310, 41, 5, 3]
    last = bisect_left(HISTOGRAM_EDGES, utilisation)
    return tuple(count if index <= last else 0 for index, count in enumerate(counts))


def small() -> list[CheckResult]:
    """One result of each verdict."""
    return [
        result("adamw"),
        bitwise("adamw", check="law:sign_symmetric"),
        result("lion", verdict="fail", identified="weight decay, multiplied by lr, after the step"),
        result("muon", verdict="crashed", message="worker died: SIGSEGV"),
        result("sgd", verdict="not_judged", message="every bound is vacuous"),
        result("lamb", verdict="not_run", message="needs a GPU"),
    ]


def passing() -> list[CheckResult]:
    """Only passes."""
    return [result("adamw"), result("lion", utilisation=0.9), result("sgd", utilisation=0.0)]


def _left_out(made: CheckResult, why: str) -> CheckResult:
    """The result of a check that is not run, where there is a reason."""
    own = {"kind": made.kind, "format": made.format, "variant": made.variant, "check": made.check}
    return result(made.rule, **own, verdict="not_run", message=why) if why else made


class FakeRunner:
    """Stands in for the engine; attributes steer what happens."""

    def __init__(self) -> None:
        self.results = small()
        self.unavailable: str | None = None
        self.before_end: Callable[[], None] = lambda: None
        self.spec = ""
        self.replayed: list[tuple[str, Mapping[str, Any]]] = []

    def certify_all(
        self,
        backends: Sequence[str],
        *,
        only: str | None,
        level: str,
        seed: int,
        workers: int,
        done: Mapping[str, Mapping[str, Sequence[str]]],
        part: Any = None,
        fail_fast: bool,
        skipped: Callable[[str, str], str],
        on_start: Callable[[str, int], None],
        on_result: Callable[[str, CheckResult], None],
        on_end: Callable[[str, Run], None],
    ) -> None:
        """Stream the results of each backend."""
        for backend in backends:
            if backend == "nonsense":
                known = f"unknown backend {backend!r}; known: cpu, torch"
                on_end(backend, Run(backend, error=UnknownBackend(known)))
                continue
            known = [] if self.unavailable else [r.id for r in self.results]
            run = Run(backend, unavailable=self.unavailable, seconds=1.5, known=known)
            chosen = [r for r in self.results if only is None or fnmatchcase(r.rule, only)]
            if not chosen:
                run.error = ValueError(f"no check of {backend} matches {only!r}; one is 'a/b'")
            elif not self.unavailable:
                left = [r for r in chosen if r.id not in done.get(backend, ())]
                run.results = [_left_out(r, skipped(backend, r.id)) for r in left]
                on_start(backend, len(run.results))
                for item in run.results:
                    on_result(backend, item)
                self.before_end()
            on_end(backend, run)

    @contextlib.contextmanager
    def replayer(self, spec: str, patience: float) -> Iterator[FakeRunner]:
        """Stands in for the replayer, in this process."""
        self.spec = spec
        yield self

    def replay(self, check: Mapping[str, Any]) -> CheckResult:
        """The recorded outcome again."""
        self.replayed.append((self.spec, check))
        return next(r for r in self.results if r.id == check["id"])


RULES = (
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "amsgrad", "asgd", "lamb",
    "lars", "lion", "muon", "nadam", "radam", "rmsprop", "rprop", "schedule_free_adamw", "sgd",
)  # fmt: skip

LAWS = (
    "equivariant_under_permutation",
    "params_unchanged_when_lr_is_zero",
    "resumes_bitwise_from_state",
    "sign_symmetric",
)


def large(seed: int, *, faults: bool) -> Iterator[CheckResult]:
    """As many results as a real backend gives, for looking at pages."""
    draw = random.Random(seed)
    for rule in RULES:
        for variant, format in (("", "float32"), ("", "bfloat16"), ("fused", "float32")):
            if not variant or draw.random() < 0.6:
                yield from _column(draw, rule, format, variant, faults=faults)
    for rule in ("float8_e4m3fn", "nf4", "dynamic_8bit"):
        yield bitwise(rule, kind="quantizer", check="encode", contract="law")
        yield result(rule, kind="quantizer", check="decode", utilisation=draw.random())
    for rule in ("cosine", "wsd"):
        yield result(rule, kind="schedule", check="value", utilisation=draw.random())
    yield theorem(draw)


def bitwise(rule: str, **fields: Any) -> CheckResult:
    """A result without utilisation."""
    plain = {"contract": "law", "utilisation": None, "histogram": (), "worst": None}
    return result(rule, **{**plain, **fields})


def _column(
    draw: random.Random, rule: str, format: str, variant: str, *, faults: bool
) -> Iterator[CheckResult]:
    place: dict[str, Any] = {"format": format, "variant": variant}
    if rule == "adamw":
        place["dialect"] = {"decay": "before"}
    if (rule, format) == ("muon", "bfloat16"):
        yield result(rule, **place, verdict="not_judged", message="every bound is vacuous")
        return
    if (rule, format) == ("lars", "bfloat16"):
        yield result(rule, **place, verdict="not_run", message="runs at level 'deep' and above")
        return
    if faults and (rule, variant) == ("lion", ""):
        yield result(
            rule,
            **place,
            verdict="fail",
            utilisation=2.0031,
            identified="weight decay, multiplied by lr, after the step",
            message=(
                f"{rule} ({format}): p[3, 17] is 0.1, due is 0.10000000000000003\n"
                "  error 1.4e-17  bound 4.4e-22  utilisation 2.003 (passes up to 2)\n"
                "  reproduce:\n    a program"
            ),
        )
    else:
        yield result(rule, **place, utilisation=draw.random() * 0.9)
    yield bitwise(rule, **place, check="counter", contract="law")
    for law in LAWS:
        yield bitwise(rule, **place, check=f"law:{law}")


def theorem(draw: random.Random) -> CheckResult:
    """A convergence statement with everything its template shows."""
    steps = [2**k for k in range(4, 15)]
    lines: list[dict[str, Any]] = [
        {
            "label": "exact moment, 5 sigma",
            "x": steps,
            "low": [0.7 / t for t in steps],
            "high": [1.5 / t for t in steps],
            "role": "band",
        }
    ]
    for label, role, values in (
        ("measured", "measured", [draw.uniform(0.85, 1.2) / t for t in steps]),
        ("bound", "bound", [4 / t for t in steps]),
        ("negative control", "control", [0.01 * t**0.2 for t in steps]),
    ):
        lines.append({"label": label, "role": role, "x": steps, "y": values})
    return bitwise(
        "sgd_strongly_convex",
        kind="theorem",
        format="float64",
        check="rate",
        contract="statistical",
        extra={
            "statement": "E |x_t - x*|^2 <= C / t for a_t = 1 / (mu t).",
            "false_alarm": 1e-6,
            "control": "the step 2.1 / L diverges, as it must",
            "chart": {
                "label": "mean squared distance against t",
                "x_label": "t",
                "y_label": "E |x - x*|^2",
                "log_x": True,
                "log_y": True,
                "series": lines,
            },
        },
    )

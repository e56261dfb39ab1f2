"""The checks of a quantizer: admissible codes, decoded values bit for bit, and laws."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import Capability
from truestep.properties.cases.hypers import held, hypers, values_of
from truestep.properties.cases.tensors import EXTREMES, KINDS, specs
from truestep.properties.judge.contracts import Judged
from truestep.properties.judge.records import Place, law_line, result_of
from truestep.properties.judge.results import CheckResult
from truestep.properties.kinds.quantizer import rounding_statistics
from truestep.properties.kinds.quantizer.cases import QuantizerCase, values
from truestep.properties.kinds.quantizer.laws import EXAMPLES as LAW_EXAMPLES
from truestep.properties.kinds.quantizer.laws import LAWS, claimed, holding
from truestep.properties.kinds.quantizer.step import Encoded, Subject, judged
from truestep.properties.laws.claims import PREFIX
from truestep.properties.search.exploration import Tally, explore, run_all
from truestep.reference.quantizers import QUANTIZERS

_EXAMPLES = {"smoke": 6, "standard": 40, "deep": 1000}


def _is_block(capability: Capability) -> bool:
    return "block_size" in QUANTIZERS[capability.rule].Hyper.__dataclass_fields__


def names(capability: Capability) -> tuple[str, ...]:
    """The checks of a quantizer: families, laws, and the statistics of stochastic rounding."""
    laws = tuple(PREFIX + law for law in holding(capability))
    stochastic = capability.dialect.get("rounding") == "stochastic"
    families = ("all_codes", "edges", "random", "thresholds")
    return families + (("frequency", "independence") if stochastic else ()) + laws


def _drawn(capability: Capability, *, edges: bool = False) -> st.SearchStrategy[QuantizerCase]:
    sizes = (1, 63, 64, 65, 127, 255, 256, 257, 300, 511, 513, 4095, 4096, 4097, 0)
    shapes = (*((n,) for n in sizes), (), (3, 5), (16, 33))
    kinds = (*KINDS, "bits") if edges else KINDS
    exponents = (-44, 38) if edges else (-6, 3)
    tensor = specs(shapes, kinds, exponents, EXTREMES if edges else ("zero", "huge", "tiny"))
    rule = QUANTIZERS[capability.rule]
    hyper = hypers(rule, capability.dialect, capability.fixed)
    return st.builds(QuantizerCase, hyper=hyper, tensor=tensor)


def _listed(capability: Capability, pattern: str) -> list[QuantizerCase]:
    """The cases of an exhaustive family."""
    rule = QUANTIZERS[capability.rule]
    base = {**dict(capability.dialect), **held(capability.fixed)}
    if not _is_block(capability):
        return [QuantizerCase(base, pattern=pattern, scale=0)]
    sizes = values_of(capability.fixed.get("block_size", (64, 256, 4096)))
    signs = values_of(capability.fixed.get("signed", (True, False)))
    return [
        QuantizerCase({**base, "block_size": b, "signed": s}, pattern=pattern, scale=scale)
        for b in sizes
        for s in signs
        for scale in (0, -20, 30, -130)
        if rule.Hyper(**{**base, "block_size": b, "signed": s})
    ]


def run(
    backend: Any,
    capability: Capability,
    name: str,
    *,
    level: str,
    seed: int,
    started: Callable[[Any], None],
) -> CheckResult:
    """Run one check on one capability."""
    begin = time.perf_counter()
    subject = Subject(backend, capability)
    if name in ("frequency", "independence"):
        started({})
        return rounding_statistics.run(subject, name, seed)

    def one(case: QuantizerCase, tally: Tally) -> None:
        _run_case(subject, name, case, tally)

    def told(case: QuantizerCase) -> None:
        started(case.to_json())

    if name in ("all_codes", "thresholds"):
        pattern = {"all_codes": "codes", "thresholds": "thresholds"}[name]
        tally = run_all(_listed(capability, pattern), one, told)
    else:
        examples = LAW_EXAMPLES if name.startswith(PREFIX) else _EXAMPLES
        strategy = _drawn(capability, edges=name == "edges")
        tally = explore(strategy, one, examples=examples[level], seed=seed, started=told)
    return _result(capability, name, tally, time.perf_counter() - begin)


def replay_case(
    backend: Any, capability: Capability, name: str, record: Mapping[str, Any]
) -> CheckResult:
    """Run one recorded case again."""
    begin = time.perf_counter()
    subject = Subject(backend, capability)
    tally = run_all(
        [QuantizerCase.from_json(record)],
        lambda case, t: _run_case(subject, name, case, t),
        started=lambda _: None,
    )
    return _result(capability, name, tally, time.perf_counter() - begin)


def _run_case(subject: Subject, name: str, case: QuantizerCase, tally: Tally) -> None:
    hyper = subject.hyper(case)
    x = values(case, subject.rule, hyper)
    out = subject.encode(hyper, x)
    if name.startswith(PREFIX):
        found = claimed(subject, name.removeprefix(PREFIX), hyper, out)
    else:
        found = [Judged(0, 0, 0, tensor, j) for tensor, j in judged(subject, hyper, out)]
    tally.add(case, found, out)


def _result(capability: Capability, name: str, tally: Tally, seconds: float) -> CheckResult:
    is_law = name.startswith(PREFIX)
    return result_of(
        capability,
        name,
        tally,
        seconds,
        contract="law" if is_law else "admissible codes",
        place=_place,
        remarks=[law_line(LAWS[name.removeprefix(PREFIX)].__doc__)] if is_law else [],
    )


def _place(tally: Tally) -> Place:
    found = tally.worst
    assert found is not None
    index = found.judgement.index or ()
    entered = tally.context.x if isinstance(tally.context, Encoded) else np.zeros(0)
    inside = len(index) == entered.ndim
    inside = inside and all(i < n for i, n in zip(index, entered.shape, strict=True))
    inputs = {"x": float(entered[index]).hex()} if inside else {}
    told = ", ".join(f"{name}={value}" for name, value in inputs.items())
    return Place(
        f"{found.tensor}{list(index)}",
        {"index": list(index), "inputs": inputs},
        (
            f"input at this element: {told or 'none'}",
            f"hyperparameters: {json.dumps(dict(tally.worst_case.hyper))}",
        ),
    )

"""The checks of a quantizer: admissible codes, decoded values bit for bit, and laws."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from truestep.fast.protocol import Capability
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.cases.hypers import held, hypers, values_of
from truestep.properties.cases.tensors import EXTREMES, KINDS, specs
from truestep.properties.judge.contracts import Judgement, agreement, membership
from truestep.properties.judge.records import Place, law_line, result_of
from truestep.properties.judge.results import CheckResult
from truestep.properties.kinds.optimizer.step import BackendFault, Judged, backend_call
from truestep.properties.kinds.quantizer import rounding_statistics
from truestep.properties.kinds.quantizer.cases import QuantizerCase, values
from truestep.properties.search.exploration import Tally, explore, run_all
from truestep.reference.quantizers import QUANTIZERS

Found = Iterator[tuple[str, Judgement]]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A tensor, what the backend stored of it, and what the backend reads back."""

    x: NDArray[np.float32]
    stored: Mapping[str, NDArray[Any]]
    back: NDArray[np.float32]

    @property
    def code(self) -> NDArray[Any]:
        """The codes."""
        return self.stored["code"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A backend's quantizer under test."""

    backend: Any
    capability: Capability

    @property
    def rule(self) -> Any:
        """The reference's module."""
        return QUANTIZERS[self.capability.rule]

    def hyper(self, case: QuantizerCase) -> Any:
        """The validated hyperparameters of a case."""
        return self.rule.Hyper(**case.hyper)

    def encode(self, hyper: Any, x: NDArray[np.float32]) -> Encoded:
        """Encode and decode by the backend, with structure and respect for inputs verified."""
        before = x.tobytes()
        stored = backend_call(self.backend.encode, self.capability, hyper, x)
        if x.tobytes() != before:
            raise BackendFault("encode wrote its input")
        code_type = self.rule.encode(hyper, np.zeros(1), *self._random())
        code_type = (code_type[0] if isinstance(code_type, tuple) else code_type).dtype
        _verify("code", stored.get("code"), x.shape, code_type)
        if self.rule.BLOCKS:
            shape = (-(-x.size // hyper.block_size),)
            _verify("absmax", stored.get("absmax"), shape, np.dtype(np.float32))
        was = {name: a.tobytes() for name, a in stored.items()}
        back = backend_call(self.backend.decode, self.capability, hyper, stored)
        if was != {name: a.tobytes() for name, a in stored.items()}:
            raise BackendFault("decode wrote its input")
        _verify("the decoded tensor", back, x.shape, np.dtype(np.float32))
        return Encoded(x, stored, back)

    def _random(self) -> tuple[Any, ...]:
        stochastic = self.capability.dialect.get("rounding") == "stochastic"
        return (np.zeros(1, dtype=np.int64),) if stochastic else ()


def _verify(what: str, got: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if not isinstance(got, np.ndarray):
        raise BackendFault(f"{what} must be an ndarray, got {type(got).__name__}")
    if got.shape != shape:
        raise BackendFault(f"{what} has shape {got.shape}, expected {shape}")
    if got.dtype != dtype:
        raise BackendFault(f"{what} has dtype {got.dtype}, expected {dtype}")


def judged(subject: Subject, hyper: Any, out: Encoded) -> Found:
    """absmax exactly, codes by their admissible interval, decoded values bit for bit."""
    rule, x = subject.rule, out.x.astype(np.float64)
    if "absmax" in out.stored:
        due = rule.block_absmax(hyper, x)
        yield "absmax", agreement(out.stored["absmax"], due.astype(np.float32), None)
        absmax = out.stored["absmax"].astype(np.float64)
        arithmetic = arithmetic_of(subject.capability.arithmetic)
        low, high = rule.admissible(
            hyper,
            x,
            absmax,
            division_ulps=arithmetic.ulps_division,
            flush_subnormals=arithmetic.subnormals == "flushed",
        )
        yield "code", membership(out.code, low, high, 256)
        truth = rule.decode(hyper, out.code, absmax)
    else:
        low, high = rule.admissible(hyper, x)
        truth = rule.decode(hyper, out.code)
        # Which of the nans it is, is not specified.
        nans = np.isnan(truth) & np.isnan(rule.decode(hyper, low))
        low, high = np.where(nans, out.code, low), np.where(nans, out.code, high)
        ordered_low, ordered_high = _ordered(low, high)
        yield "code", membership(out.code, ordered_low, ordered_high, 1 << 32)
    with np.errstate(over="ignore"):
        yield "decoded", agreement(out.back, truth.astype(np.float32), None)


def _ordered(a: Any, b: Any) -> tuple[Any, Any]:
    """A pair of neighbouring codes in the order of integers, whatever the sign of their values."""
    return np.minimum(a, b), np.maximum(a, b)


def idempotent(subject: Subject, hyper: Any, out: Encoded) -> Found:
    """Encoding what was decoded gives the codes again, where a block's extreme is representable."""
    again = subject.encode(hyper, out.back)
    keep = np.isfinite(out.back)
    if "absmax" in out.stored:
        same = out.stored["absmax"] == again.stored["absmax"]
        keep = keep & subject.rule.per_element(hyper, same, out.x.shape)
        # A subnormal product is not exact, and a tiny value may then round to another code.
        keep = keep & ((np.abs(out.back) >= 2.0**-126) | (out.back == 0))
    left = np.where(keep, again.code, 0)
    yield "code", agreement(left, np.where(keep, out.code, 0), None)


def blocks_are_independent(subject: Subject, hyper: Any, out: Encoded) -> Found:
    """Whatever follows a block, its codes and its absmax stay the same."""
    block = hyper.block_size
    flat = out.x.reshape(-1)
    head = flat[: block * (flat.size // block)]
    other = np.concatenate([head, np.full(block // 2 + 3, 1e4, dtype=np.float32)])
    image = subject.encode(hyper, other)
    n = head.size
    yield "code", agreement(image.code[:n], out.code.reshape(-1)[:n], None)
    k = n // block
    yield "absmax", agreement(image.stored["absmax"][:k], out.stored["absmax"][:k], None)


def codes_unchanged_when_scaled_by_a_power_of_two(
    subject: Subject, hyper: Any, out: Encoded
) -> Found:
    """Doubling a block doubles its absmax and leaves its codes, barring over- and underflow."""
    x = out.x
    sizes = np.abs(x[np.isfinite(x) & (x != 0)])
    if not np.all(np.isfinite(x)) or np.any(sizes < 2.0**-100) or np.any(sizes > 2.0**100):
        return
    floor = hyper.absmax_floor
    if floor > 0 and np.any(subject.rule.block_absmax(hyper, x.astype(np.float64)) <= floor):
        return  # a floor does not scale
    image = subject.encode(hyper, 4 * x)
    yield "code", agreement(image.code, out.code, None)
    yield "absmax", agreement(image.stored["absmax"], 4 * out.stored["absmax"], None)


def monotone(subject: Subject, hyper: Any, out: Encoded) -> Found:
    """Ascending numbers decode to ascending values."""
    x = np.sort(out.x[np.isfinite(out.x)].reshape(-1))
    back = subject.encode(hyper, x).back
    kept = back[~np.isnan(back)]
    yield "decoded", agreement(np.maximum.accumulate(kept), kept, None)


def odd(subject: Subject, hyper: Any, out: Encoded) -> Found:
    """Negating the input negates what is read back."""
    image = subject.encode(hyper, np.negative(out.x, out=np.empty_like(out.x)))
    yield "decoded", agreement(-image.back, out.back, None)


BLOCK_LAWS: dict[str, Callable[[Subject, Any, Encoded], Found]] = {
    "blocks_are_independent": blocks_are_independent,
    "codes_unchanged_when_scaled_by_a_power_of_two": codes_unchanged_when_scaled_by_a_power_of_two,
    "idempotent": idempotent,
}
CAST_LAWS: dict[str, Callable[[Subject, Any, Encoded], Found]] = {
    "idempotent": idempotent,
    "monotone": monotone,
    "odd": odd,
}
_EXAMPLES = {"smoke": 6, "standard": 40, "deep": 1000}
_LAW_EXAMPLES = {"smoke": 2, "standard": 12, "deep": 200}


def _is_block(capability: Capability) -> bool:
    return "block_size" in QUANTIZERS[capability.rule].Hyper.__dataclass_fields__


def _laws(capability: Capability) -> Mapping[str, Callable[[Subject, Any, Encoded], Found]]:
    if capability.dialect.get("rounding") == "stochastic":
        return {}
    return BLOCK_LAWS if _is_block(capability) else CAST_LAWS


def names(capability: Capability) -> tuple[str, ...]:
    """The checks of a quantizer: families, laws, and the statistics of stochastic rounding."""
    laws = tuple(f"law:{name}" for name in _laws(capability))
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
        examples = _LAW_EXAMPLES if name.startswith("law:") else _EXAMPLES
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
    law = _laws(subject.capability).get(name.removeprefix("law:"))
    found = judged(subject, hyper, out) if law is None else law(subject, hyper, out)
    tally.add(case, [Judged(0, 0, 0, tensor, j) for tensor, j in found], out)


def _result(capability: Capability, name: str, tally: Tally, seconds: float) -> CheckResult:
    is_law = name.startswith("law:")
    law = _laws(capability)[name.removeprefix("law:")] if is_law else None
    return result_of(
        capability,
        name,
        tally,
        seconds,
        contract="law" if is_law else "admissible codes",
        place=_place,
        remarks=[law_line(law.__doc__)] if law else [],
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

"""What a quantizer stores of a tensor and reads back, verified, and judged by admissible codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Array, QuantizerBackend, QuantizerCapability
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.judge.contracts import Judgement, agreement, membership
from truestep.properties.kinds.optimizer.step import BackendFault, backend_call
from truestep.properties.kinds.quantizer.cases import QuantizerCase
from truestep.reference.declared import Hyper
from truestep.reference.quantizers import QUANTIZERS

Found = Iterator[tuple[str, Judgement]]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A tensor, what the backend stored of it, and what the backend reads back."""

    x: NDArray[np.float32]
    stored: Mapping[str, Array]
    back: NDArray[np.float32]

    @property
    def code(self) -> Array:
        """The codes."""
        return self.stored["code"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A backend's quantizer under test."""

    backend: QuantizerBackend
    capability: QuantizerCapability

    @property
    def rule(self) -> Any:
        """The reference's module."""
        return QUANTIZERS[self.capability.rule]

    def hyper(self, case: QuantizerCase) -> Hyper:
        """The validated hyperparameters of a case."""
        return self.rule.Hyper(**case.hyper)

    def encode(self, hyper: Hyper, x: NDArray[np.float32]) -> Encoded:
        """Encode and decode by the backend, with structure and respect for inputs verified."""
        before = x.tobytes()
        stored = backend_call(self.backend.encode, self.capability, hyper, x)
        if x.tobytes() != before:
            raise BackendFault("encode wrote its input")
        code_type = self.rule.encode(hyper, np.zeros(1), *self._random())
        code_type = (code_type[0] if isinstance(code_type, tuple) else code_type).dtype
        _verify("code", stored.get("code"), x.shape, code_type)
        if (block := getattr(hyper, "block_size", 0)) > 0:
            shape = (-(-x.size // block),)
            _verify("absmax", stored.get("absmax"), shape, np.dtype(np.float32))
        was = {name: a.tobytes() for name, a in stored.items()}
        back = backend_call(self.backend.decode, self.capability, hyper, stored)
        if was != {name: a.tobytes() for name, a in stored.items()}:
            raise BackendFault("decode wrote its input")
        _verify("the decoded tensor", back, x.shape, np.dtype(np.float32))
        return Encoded(x, stored, back)

    def _random(self) -> tuple[Array, ...]:
        stochastic = self.capability.dialect.get("rounding") == "stochastic"
        return (np.zeros(1, dtype=np.int64),) if stochastic else ()


def _verify(what: str, got: object, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
    if not isinstance(got, np.ndarray):
        raise BackendFault(f"{what} must be an ndarray, got {type(got).__name__}")
    if got.shape != shape:
        raise BackendFault(f"{what} has shape {got.shape}, expected {shape}")
    if got.dtype != dtype:
        raise BackendFault(f"{what} has dtype {got.dtype}, expected {dtype}")


def judged(subject: Subject, hyper: Hyper, out: Encoded) -> Found:
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


def _ordered(a: Array, b: Array) -> tuple[Array, Array]:
    """A pair of neighbouring codes in the order of integers, whatever the sign of their values."""
    return np.minimum(a, b), np.maximum(a, b)

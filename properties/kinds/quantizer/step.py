"""One tensor encoded and decoded by the backend, and judged: scales, codes, decoded values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Array, QuantizerBackend, QuantizerCapability
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.judge.calls import Malformed, backend_call, require_array, type_of
from truestep.properties.judge.contracts import (
    Judgement,
    agreement,
    enclosure,
    identity,
    membership,
)
from truestep.properties.kinds.quantizer import packed
from truestep.properties.kinds.quantizer.cases import QuantizerCase
from truestep.properties.kinds.quantizer.stored import due_beside, every_stored, kept_beside
from truestep.reference.declared import Hyper
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.rules import Quantizer

Found = Iterator[tuple[str, Judgement]]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A tensor, what the backend stored of it, and what the backend reads back.

    words: the codes as the backend keeps them.
    """

    x: NDArray[np.float32]
    stored: Mapping[str, Array]
    back: NDArray[np.float32]
    words: Array

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
    def rule(self) -> Quantizer:
        """The reference's module."""
        return QUANTIZERS[self.capability.rule]

    def hyper(self, case: QuantizerCase) -> Hyper:
        """The validated hyperparameters of a case."""
        return self.rule.Hyper(**case.hyper)

    def encode(self, hyper: Hyper, x: NDArray[np.float32]) -> Encoded:
        """Encode and decode by the backend, with structure and respect for inputs verified."""
        stored, words = self.stored(hyper, x)
        return Encoded(x, stored, self._read(hyper, stored, words), words)

    def stored(self, hyper: Hyper, x: NDArray[np.float32]) -> tuple[Mapping[str, Array], Array]:
        """What the backend stores of x, and the codes as it keeps them."""
        kept = backend_call(self.backend.encode, self.capability, hyper, x)
        if not isinstance(kept, Mapping):
            raise Malformed(f"what is stored must be a mapping, got {type_of(kept)}")
        stored = packed.taken_back(self.capability, self.rule, kept, x.shape)
        require_array("code", stored.get("code"), x.shape, self.code_type(hyper))
        due_arrays = kept_beside(self.rule, hyper, x.shape) if self.rule.BLOCKS else {}
        for name, due in due_arrays.items():
            require_array(name, stored.get(name), due.shape, due.dtype)
        return {name: stored[name] for name in ("code", *due_arrays)}, kept["code"]

    def decode(self, hyper: Hyper, stored: Mapping[str, Array]) -> NDArray[np.float32]:
        """Decode by the backend, with structure and respect for inputs verified."""
        words = packed.words_of(self.capability, self.rule, stored["code"])
        return self._read(hyper, stored, words)

    def _read(self, hyper: Hyper, stored: Mapping[str, Array], words: Array) -> NDArray[np.float32]:
        kept = packed.handed_over(self.capability, stored, words)
        back = backend_call(self.backend.decode, self.capability, hyper, kept)
        require_array("the decoded tensor", back, stored["code"].shape, np.dtype(np.float32))
        return cast(NDArray[np.float32], back)

    def code_type(self, hyper: Hyper) -> np.dtype[Any]:
        """The dtype of the codes."""
        made = self.rule.encode(hyper, np.zeros(1), *self._random())
        kind: np.dtype[Any] = (made[0] if self.rule.BLOCKS else made).dtype
        return kind

    def _random(self) -> tuple[Array, ...]:
        stochastic = self.capability.dialect.get("rounding") == "stochastic"
        return (np.zeros(1, dtype=np.int64),) if stochastic else ()


def judged(subject: Subject, hyper: Hyper, out: Encoded) -> Found:
    """Scales and codes by the intervals of what is right, decoded values bit for bit."""
    rule, x = subject.rule, out.x.astype(np.float64)
    if rule.BLOCKS:
        arithmetic = arithmetic_of(subject.capability.arithmetic)
        held, ulps = beside(out.stored), arithmetic.ulps_division
        for name, ends in due_beside(rule, hyper, x, held, ulps).items():
            yield name, enclosure(held[name], *ends)
        flushed = arithmetic.subnormals == "flushed"
        low, high = rule.admissible(
            hyper, x, *held.values(), division_ulps=ulps, flush_subnormals=flushed
        )
        yield "code", membership(rule.rank(out.code), low, high, rule.ranks(hyper))
        yield "decoded", _decoded(rule, hyper, out.back, out.code, *held.values())
        if hasattr(rule, "misfits"):
            error, limit = rule.misfits(hyper, x, out.back, *held.values())
            # Half of it, since what passes is twice a bound: nothing is rounded once more.
            yield "error", agreement(error, np.zeros_like(error), limit / 2)
    else:
        yield "code", membership(out.code, *of_cast(rule, hyper, x, out.code), 1 << 32)
        yield "decoded", _decoded(rule, hyper, out.back, out.code)


def of_cast(rule: Quantizer, hyper: Hyper, x: Array, code: Array) -> tuple[Array, Array]:
    """The least and the largest code that is right, as integers, whatever the values' signs."""
    low, high = rule.admissible(hyper, x)
    found, *ends = (np.isnan(rule.decode(hyper, c)) for c in (code, low, high))
    # Which of the nans it is, is not specified.
    taken = found & (ends[0] | ends[1])
    if hyper.rounding == "stochastic":
        # One of two, whose codes may be far apart where one is a zero or a nan.
        free = (low == 0) & (high == rule.all_values(hyper).size - 1)
        taken |= ~free & (code == high)
        high = np.where(free, high, low)
    low, high = np.where(taken, code, low), np.where(taken, code, high)
    return np.minimum(low, high), np.maximum(low, high)


def every_code(subject: Subject, hyper: Hyper) -> Found:
    """Of all codes, those that no encoder gives among them, the decoded values bit for bit."""
    held = every_stored(subject.rule, hyper, subject.code_type(hyper))
    back = subject.decode(hyper, held)
    yield "decoded", _decoded(subject.rule, hyper, back, held["code"], *beside(held).values())


def beside(stored: Mapping[str, Array]) -> Mapping[str, Array]:
    """What is beside the codes: floats in float64; what is kept as a code stays that."""
    held = {name: np.asarray(x) for name, x in stored.items() if name != "code"}
    return {name: x.astype(np.float64) if x.dtype.kind == "f" else x for name, x in held.items()}


def _decoded(rule: Quantizer, hyper: Hyper, back: Array, code: Array, *scale: Array) -> Judgement:
    """By what is due, or where the scale itself is still to be worked out, by an interval."""
    if rule.BLOCKS and rule.second_rounding(hyper):
        return enclosure(back, *rule.decoded(hyper, code, *scale))
    with np.errstate(over="ignore"):
        return identity(back, rule.decode(hyper, code, *scale).astype(np.float32))

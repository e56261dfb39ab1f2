"""One tensor, encoded and decoded: each thing that is stored or read is judged by itself."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import QuantizerCapability
from truestep.properties.judge.calls import Malformed
from truestep.properties.kinds.quantizer.step import Encoded, Subject, beside, every_code, judged
from truestep.properties.museum.plant import Kernel
from truestep.reference.quantizers import QUANTIZERS

X = np.random.default_rng(3).standard_normal(300).astype(np.float32)
# A cast, scales as floats, as codes and in two levels, and one that is rounded after the division.
RULES = ("float8_e4m3fn", "int8", "mxfp4", "nf4", "nvfp4", "q8_0")


class _Kernel(Kernel):
    """The format's own lines; what is kept or read back is changed after."""

    def __init__(self, rule: str, kept: Any = None, back: Any = None, **declared: Any) -> None:
        super().__init__(rule, **declared)
        self.kept, self.back = kept, back

    def encode(self, capability: Any, hyper: Any, x: Any) -> Any:
        """Encode."""
        stored = super().encode(capability, hyper, x)
        return self.kept(stored) if self.kept else stored

    def decode(self, capability: Any, hyper: Any, stored: Any) -> Any:
        """Decode."""
        back = super().decode(capability, hyper, stored)
        return self.back(back) if self.back else back


def _subject(rule: str, **changed: Any) -> tuple[Subject, Any]:
    kernel = _Kernel(rule, **changed)
    return Subject(kernel, kernel.capability), QUANTIZERS[rule].Hyper()  # type: ignore[arg-type]


def _encoded(rule: str) -> tuple[Subject, Any, Encoded]:
    subject, hyper = _subject(rule)
    return subject, hyper, subject.encode(hyper, X)


def _failing(subject: Subject, hyper: Any, out: Encoded) -> dict[str, Any]:
    return {
        name: one.index
        for name, one in judged(subject, hyper, out)
        if one.judged and not one.passed
    }


@pytest.mark.parametrize("rule", RULES)
def test_what_the_lines_give_passes(rule: str) -> None:
    """Every array that is stored, every code, every value that is read."""
    subject, hyper, out = _encoded(rule)
    found = dict(judged(subject, hyper, out))
    assert {"code", "decoded", *out.stored} - {"tensor_scale"} <= set(found)
    assert all(one.passed for one in found.values())
    for name in ("code", "decoded"):
        assert found[name].judged == found[name].elements == X.size


@pytest.mark.parametrize("rule", RULES)
def test_one_value_that_is_read_wrong_fails(rule: str) -> None:
    """By the last bit; of a rounded scale, beyond the two that it may have."""
    subject, hyper, out = _encoded(rule)
    for i in (0, 299):
        back = out.back.copy()
        step = np.spacing(back[i]) * (1 << 16)
        back[i] += step
        failing = _failing(subject, hyper, replace(out, back=back))
        assert failing["decoded"] == (i,) and set(failing) <= {"decoded", "error"}


@pytest.mark.parametrize("rule", RULES)
def test_one_wrong_code_fails(rule: str) -> None:
    """Though it is read as what it is."""
    subject, hyper, out = _encoded(rule)
    i = int(np.argmin(np.abs(np.abs(X) - 0.3)))
    code = out.code.copy()
    code[i] ^= 2
    stored = {**out.stored, "code": code}
    changed = Encoded(X, stored, subject.decode(hyper, stored), code)
    failing = _failing(subject, hyper, changed)
    assert failing["code"] == (i,) and "decoded" not in failing


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "float8_e4m3fn"])
def test_one_wrong_scale_fails(rule: str) -> None:
    """Whatever follows from it."""
    subject, hyper, out = _encoded(rule)
    name = QUANTIZERS[rule].SCALE
    scale = out.stored[name].copy()
    scale[-1] = scale[-1] + 1 if scale.dtype.kind == "u" else scale[-1] * scale.dtype.type(1.01)
    stored = {**out.stored, name: scale}
    changed = Encoded(X, stored, subject.decode(hyper, stored), out.code)
    failing = _failing(subject, hyper, changed)
    assert failing[name] == (scale.size - 1,) and "decoded" not in failing


@pytest.mark.parametrize("rule", RULES)
def test_every_code_is_read(rule: str) -> None:
    """One that is read otherwise is found, where it stands for a number."""
    subject, hyper = _subject(rule)
    [(name, found)] = every_code(subject, hyper)
    assert name == "decoded" and found.passed and found.judged == found.elements >= 16

    def one(back: Any) -> Any:
        back = back.copy()
        at = np.flatnonzero(np.isfinite(back.reshape(-1)) & (back.reshape(-1) != 0))[-1]
        back.reshape(-1)[at] *= np.float32(1.25)
        return back

    [(_, found)] = every_code(*_subject(rule, back=one))
    assert not found.passed


def test_where_scales_are_free_the_errors_are_judged() -> None:
    """Of each part of a block: codes that fit beside the given scales may not fit the numbers."""
    subject, hyper = _subject("q4_k")
    out = subject.encode(hyper, X)
    found = dict(judged(subject, hyper, out))
    assert found["error"].judged and all(one.passed for one in found.values())
    other = X.copy()
    other[5] += np.float32(4.0)
    assert "error" in _failing(subject, hyper, replace(out, x=other))


CAST = [
    (np.nan, 0.0, False),
    (0.0, -0.0, False),
    (1.0, 1.125, False),
    (1.0, 1.0, True),
    (np.nan, np.nan, True),
]


@pytest.mark.parametrize(("x", "got", "right"), CAST)
def test_a_cast_of_one_number(x: float, got: float, right: bool) -> None:
    """Signs of zeros count; which nan it is, does not."""
    subject, hyper = _subject("float8_e5m2")
    given = np.array([x], np.float32)
    out = subject.encode(hyper, np.array([got], np.float32))
    assert _failing(subject, hyper, replace(out, x=given)) is not right
    if np.isnan(x) and right:
        for code in (0x7D, 0x7E, 0xFF):
            other = {"code": np.array([code], np.uint8)}
            again = Encoded(given, other, subject.decode(hyper, other), other["code"])
            assert _failing(subject, hyper, again) == {}
        infinite = {"code": np.array([0x7C], np.uint8)}
        again = Encoded(given, infinite, subject.decode(hyper, infinite), infinite["code"])
        assert _failing(subject, hyper, again) == {"code": (0,)}


def test_drawn_casts_are_one_of_two() -> None:
    """Neither a third, nor one beyond an exact number."""
    rule = "float8_e4m3fn"
    kernel = _Kernel(rule, dialect={"rounding": "stochastic"})
    subject = Subject(kernel, kernel.capability)  # type: ignore[arg-type]
    hyper = QUANTIZERS[rule].Hyper(rounding="stochastic")
    plain = QUANTIZERS[rule].Hyper()

    def fails(x: float, value: float) -> bool:
        code = np.asarray(QUANTIZERS[rule].encode(plain, np.array([value])))
        stored = {"code": code}
        given = np.array([x], np.float32)
        out = Encoded(given, stored, subject.decode(hyper, stored), code)
        return bool(_failing(subject, hyper, out))

    assert [fails(1.05, v) for v in (0.9375, 1.0, 1.125, 1.25)] == [True, False, False, True]
    assert [fails(1.0, v) for v in (0.9375, 1.0, 1.125)] == [True, False, True]
    assert [fails(-1.05, v) for v in (-1.0, -1.125, 1.0)] == [False, False, True]
    assert subject.code_type(hyper) == np.uint8


# Of a drawn cast: a number, the codes that are right, and others, of which some lie between them.
DRAWN: list[tuple[str, float, tuple[int, ...], tuple[int, ...]]] = [
    ("float8_e4m3fnuz", -(2.0**-11), (0x81, 0x00), (0x01, 0x40, 0x80, 0x82)),
    ("float8_e4m3fnuz", -245.0, (0xFF, 0x80), (0x00, 0xC0, 0xFE)),
    ("float8_e4m3fn", 460.0, (0x7E, 0x7F, 0xFF), (0x7D, 0xFE, 0x00)),
    ("float8_e4m3fn", -(2.0**-11), (0x80, 0x81), (0x00, 0x82)),
    ("float8_e4m3fn", 1e6, (0x7F, 0xFF), (0x7E, 0xFE)),
]


@pytest.mark.parametrize(("rule", "x", "right", "wrong"), DRAWN)
def test_two_neighbours_may_have_codes_far_apart(
    rule: str, x: float, right: tuple[int, ...], wrong: tuple[int, ...]
) -> None:
    """Where one is a zero, or a nan, of which any will do."""
    kernel = _Kernel(rule, dialect={"rounding": "stochastic"})
    subject = Subject(kernel, kernel.capability)  # type: ignore[arg-type]
    hyper = QUANTIZERS[rule].Hyper(rounding="stochastic")
    for codes, passes in ((right, True), (wrong, False)):
        for code in codes:
            stored = {"code": np.array([code], np.uint8)}
            back = subject.decode(hyper, stored)
            out = Encoded(np.array([x], np.float32), stored, back, stored["code"])
            assert (_failing(subject, hyper, out) == {}) is passes, hex(code)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"kept": lambda s: list(s)}, "what is stored must be a mapping, got list"),
        ({"kept": lambda s: {**s, "code": s["code"][:-1]}}, "code has shape (299,), expected (300"),
        (
            {"kept": lambda s: {**s, "code": s["code"].astype(int)}},
            "code has dtype int64, expected",
        ),
        ({"kept": lambda s: {"code": s["code"]}}, "scale must be an ndarray, got NoneType"),
        ({"kept": lambda s: {**s, "scale": s["scale"][:1]}}, "scale has shape (1,), expected"),
        (
            {"kept": lambda s: {**s, "scale": s["scale"].astype(np.float64)}},
            "scale has dtype float64, expected float32",
        ),
        ({"back": lambda x: x[:1]}, "the decoded tensor has shape (1,), expected (300,)"),
        ({"back": lambda x: x.astype(float)}, "the decoded tensor has dtype float64, expected"),
    ],
)
def test_what_is_stored_in_another_form_is_told(changed: dict[str, Any], told: str) -> None:
    """By its name."""
    subject, hyper = _subject("int8", **changed)
    with pytest.raises(Malformed, match=f"^{re.escape(told)}"):
        subject.encode(hyper, X)


def test_more_than_is_due_is_left_aside() -> None:
    """And floats beside the codes are read in float64."""
    subject, hyper = _subject("int8", kept=lambda s: {**s, "other": np.zeros(1)})
    out = subject.encode(hyper, X)
    assert set(out.stored) == {"code", "scale"} and out.words is not None
    held = beside(out.stored)
    assert set(held) == {"scale"} and held["scale"].dtype == np.float64
    coded = beside(_encoded("mxfp4")[2].stored)
    assert all(x.dtype == np.uint8 for x in coded.values())


@pytest.mark.parametrize(
    ("declared", "passes"), [("ieee_float32", False), ("cuda_fast_math", True)]
)
def test_what_the_arithmetic_allows_is_admitted(declared: str, passes: bool) -> None:
    """Where division is within two ulps, a scale may be two of them away."""
    capability = QuantizerCapability(rule="int8", arithmetic=declared)
    subject, hyper = Subject(Kernel("int8"), capability), QUANTIZERS["int8"].Hyper()  # type: ignore[arg-type]
    out = subject.encode(hyper, X)
    scale = out.stored["scale"] + 2 * np.spacing(out.stored["scale"])
    stored = {"code": out.code, "scale": scale}
    changed = Encoded(X, stored, subject.decode(hyper, stored), out.code)
    assert ("scale" not in _failing(subject, hyper, changed)) is passes

"""Each law sees what breaks it, is stated of the formats that obey it, and of no others.

The other laws of a format have the numbers that show why they are no laws of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import QuantizerCapability
from truestep.properties.kinds.quantizer import laws
from truestep.properties.kinds.quantizer.laws import LAWS, laws_of
from truestep.properties.kinds.quantizer.step import Subject
from truestep.properties.kinds.table import KINDS
from truestep.properties.laws.claims import judged
from truestep.properties.museum.faults.blocks import PLANTED, made
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import run_check
from truestep.reference.quantizers import QUANTIZERS


class Changed(Kernel):
    """A kernel that encodes other numbers than it is given, or keeps others than it finds."""

    def __init__(self, rule: str, *, given: Any = None, kept: Any = None) -> None:
        super().__init__(rule)
        self.given, self.kept = given, kept

    def encode(self, capability: Any, hyper: Any, x: Any) -> Any:
        """Encode."""
        stored = super().encode(capability, hyper, self.given(x) if self.given else x)
        return self.kept(stored) if self.kept else stored


def _planted(rule: str, fault: str) -> Kernel:
    return made(rule, PLANTED[fault]).backend()  # type: ignore[return-value]


def _limited(stored: Any) -> Any:
    return {**stored, "scale": np.minimum(stored["scale"], np.uint8(128))}


def _in_memory(x: Any) -> Any:
    return x if x.flags.c_contiguous else np.roll(x, 1).astype(np.float32)


def _swapped(stored: Any) -> Any:
    return {**stored, "code": stored["code"] ^ 1}


def _bent(x: Any) -> Any:
    return np.where(x < 0, 1.2 * x, x).astype(np.float32)


BREAKS: dict[str, Kernel] = {
    "code_is_one_higher_when_doubled": Changed("float8_e8m0fnu", kept=_swapped),
    "codes_unchanged_when_scaled_by_a_power_of_two": Changed(
        "nf4", given=lambda x: np.maximum(x, np.float32(1e-3))
    ),
    "equivariant_under_concatenation": _planted("nf4", "neighbours_scale"),
    "equivariant_under_permutation": _planted("nf4", "extreme_without_last"),
    "exponent_shifts_when_scaled_by_a_power_of_two": Changed("mxfp4", kept=_limited),
    "extreme_in_the_top_binade": _planted("mxfp4", "exponent_off_by_one"),
    "extreme_kept": _planted("int8", "extreme_in_bfloat16"),
    "groups_are_independent": _planted("int8_rows", "neighbours_scale"),
    "idempotent": _planted("mxfp8_e4m3", "truncated"),
    "independent_of_layout": Changed("mxint8", given=_in_memory),
    "monotone": Changed("float8_e5m2", kept=_swapped),
    "monotone_in_a_group": Changed("int4", kept=_swapped),
    "nearest_value_taken": _planted("nvfp4", "truncated"),
    "odd": Changed("int8", given=_bent),
    "zero_stays_zero": Changed("nf4", given=lambda x: np.where(x == 0, np.float32(0.3), x)),
}


def _verdict(kernel: Any, law: str) -> str:
    checks = KINDS["quantizer"].checks(kernel.capability)
    [check] = [check for check in checks if check.name == f"law:{law}"]
    return run_check(kernel, check, level="standard", seed=0).verdict


@pytest.mark.parametrize("law", LAWS)
def test_a_law_fails_what_breaks_it_alone(law: str) -> None:
    """The kernel with the fault fails, the one without passes and is judged."""
    assert _verdict(BREAKS[law], law) == "fail"
    assert _verdict(Kernel(BREAKS[law].rule), law) == "pass"


def test_every_law_is_listed_with_what_it_states() -> None:
    """In the table that a reader looks at first."""
    table = laws.__doc__ or ""
    assert [law for law in LAWS if law.partition("_when_scaled")[0] not in table] == []


def _claims(name: str, law: str, x: Any, kernel: Any = None, **hyper: Any) -> list[bool]:
    """Whether each claim of a law passes for the reference's own lines, or those of a kernel."""
    subject = Subject(kernel or Kernel(name), QuantizerCapability(rule=name))
    h, x = QUANTIZERS[name].Hyper(**hyper), np.asarray(x, np.float32)
    found = judged(LAWS[law](subject, h, subject.encode(h, x)))
    return [each.judgement.passed for each in found]


X = np.random.default_rng(3).standard_normal(256)
# Where a law is not stated of a format: numbers at which its claims are wrong.
NO_LAWS: dict[str, tuple[str, str, Any, dict[str, Any]]] = {
    "dynamic_8bit has no -1": ("dynamic_8bit", "odd", [1.0, -0.5], {}),
    "NF4's negative values are others": ("nf4", "odd", [1.0, 0.5, -0.5], {}),
    "ties to the lower value are not symmetric": ("log_4bit", "odd", [1.0, 0.75, -0.75], {}),
    "no value of linear_4bit is zero": ("linear_4bit", "zero_stays_zero", [1.0, 0.0], {}),
    "ceil leaves the top binade empty": (
        "mxfp4", "extreme_in_the_top_binade", [4.5, 1.0], {"rule": "ceil"},
    ),
    "a float16 scale is not what was divided by": ("q8_0", "nearest_value_taken", 127 + X, {}),
    "what goes up has no negative that does": (
        "float8_e4m3fn", "odd", [1.01, -1.01], {"rounding": "up"},
    ),
    "a factor of two is no number of steps": (
        "log_range_4bit", "codes_unchanged_when_scaled_by_a_power_of_two", X * X, {},
    ),
    "no logarithm is that of zero": ("log_range_4bit", "zero_stays_zero", [1.0, 0.0], {}),
    "cut off is not nearest": ("int8", "nearest_value_taken", X, {"rounding": "toward_zero"}),
    "E4M3 scales end at 2^-9": (
        "nvfp4", "codes_unchanged_when_scaled_by_a_power_of_two", 2.0**-8 * X, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", NO_LAWS)
def test_what_is_no_law_of_a_format_has_a_counterexample(why: str) -> None:
    """It is not stated there, and its claims are wrong of the reference."""
    rule, law, x, hyper = NO_LAWS[why]
    dialect = {name: value for name, value in hyper.items() if isinstance(value, str)}
    assert law not in laws_of(QuantizerCapability(rule=rule, dialect=dialect))
    assert not all(_claims(rule, law, x, **hyper))


def _last_scale_off(stored: Any) -> Any:
    """Of a block that is not whole and follows others."""
    codes, scale = stored["code"].size, stored["scale"].copy()
    if scale.size > 1 and codes % -(-codes // scale.size):
        scale[-1] *= 2
    return {**stored, "scale": scale}


def _zeros_lost(x: Any) -> Any:
    return np.where(x == 0, np.float32(0.3), x)


def _moved(first: int, last: int, by: int) -> Any:
    """What is kept with the codes from first to last moved by one."""

    def kept(stored: Any) -> Any:
        code = stored["code"].astype(int)
        there = (code >= first) & (code <= last)
        return {**stored, "code": np.where(there, code + by, code).astype(stored["code"].dtype)}

    return kept


def _negative_swapped(stored: Any) -> Any:
    code = stored["code"]
    return {**stored, "code": np.where(code >= 128, code ^ 1, code)}


def _turned_by_exponent(stored: Any) -> Any:
    return {**stored, "code": stored["code"] ^ (stored["scale"].flat[0] // 2 % 2)}


HALF = np.append(X, 1e-4 * X)
# Where a law speaks: a rule, the law, numbers, and the kernel that only these numbers show.
SHOWN: dict[str, tuple[str, str, Any, Any]] = {
    "a part of a block after whole ones": (
        "int8", "equivariant_under_concatenation", X, Changed("int8", kept=_last_scale_off),
    ),
    "numbers that became zero": ("int8", "idempotent", HALF, Changed("int8", given=_zeros_lost)),
    "negative numbers": (
        "float8_e5m2", "monotone", X, Changed("float8_e5m2", kept=_negative_swapped),
    ),
    "the next value above": (
        "nf4", "nearest_value_taken", X, Changed("nf4", kept=_moved(9, 14, -1)),
    ),
    "the next value below": (
        "nf4", "nearest_value_taken", X, Changed("nf4", kept=_moved(1, 5, 1)),
    ),
    "codes that hang on the exponent": (
        "mxfp4", "exponent_shifts_when_scaled_by_a_power_of_two", X,
        Changed("mxfp4", kept=_turned_by_exponent),
    ),
    "an extreme far below one": (
        "int8", "extreme_kept", 1e-3 * X, _planted("int8", "extreme_in_bfloat16"),
    ),
    "a top binade far above two": (
        "mxfp8_e4m3", "extreme_in_the_top_binade", X, _planted("mxfp8_e4m3", "exponent_off_by_one"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", SHOWN)
def test_a_law_speaks_of_what_is_rare(why: str) -> None:
    """The kernel's claims are wrong, and the reference's are not."""
    rule, law, x, kernel = SHOWN[why]
    assert not all(_claims(rule, law, x, kernel))
    assert all(_claims(rule, law, x))


@pytest.mark.parametrize("size", [2.0**-140, 2.0**-126, 2.0**120])
def test_a_scale_at_its_limit_is_no_fault(size: float) -> None:
    """Beside groups of zeros, whose scale says nothing."""
    x = np.append(np.clip(size * X, -3e38, 3e38), np.zeros(64))
    for rule in ("mxfp4", "mxfp8_e4m3"):
        for law in ("extreme_in_the_top_binade", "exponent_shifts_when_scaled_by_a_power_of_two",
                    "monotone_in_a_group", "extreme_kept"):  # fmt: skip
            if law in laws_of(QuantizerCapability(rule=rule)):
                assert all(_claims(rule, law, x))


def _back(rule: str, x: Any) -> Any:
    module: Any = QUANTIZERS[rule]
    h = module.Hyper()
    return module.decode(h, *module.encode(h, np.asarray(x, np.float64)))


def test_negative_extremes_of_the_signed_map_shrink_by_a_factor_per_round_trip() -> None:
    """So that encoding twice is not encoding once, and the extreme is kept of positive ones."""
    once = _back("dynamic_8bit", [-1.0, 0.25])
    twice = _back("dynamic_8bit", once)
    assert once[0] == pytest.approx(-0.99296874) and twice[0] == pytest.approx(once[0] ** 2 * -1)
    assert _back("dynamic_8bit", [1.0, -0.25])[0] == 1.0


def test_groups_of_one_tensor_are_one() -> None:
    """Its scale is everyone's: nothing of it is independent of the rest."""
    one, other = np.array([1.0, 0.3]), np.array([100.0, 0.3])
    assert _back("int8_tensor", one)[1] != _back("int8_tensor", other)[1]
    assert _back("int8", np.repeat(one, 128))[128] == _back("int8", np.repeat(one, 128))[200]


def test_the_first_of_two_extremes_decides_where_the_scale_has_a_sign() -> None:
    """So that exchanging them changes codes; the law of permutations leaves such groups out."""
    h: Any = QUANTIZERS["bof4_s"].Hyper()
    first, second = (QUANTIZERS["bof4_s"].encode(h, np.array(x)) for x in ([2.0, -2], [-2, 2.0]))
    assert first[1] == 2 and second[1] == -2
    assert all(_claims("bof4_s", "equivariant_under_permutation", [2.0, -2.0, 0.5]))


def test_integers_keep_their_extreme_to_a_rounding() -> None:
    """Of absmax / 7 in float32, times 7; what saturates does not, as 7.9 under a shared 2^0."""
    x = np.linspace(1, 2, 100, dtype=np.float32)
    error = [np.float32(_back("int4", [each])[0]) - each for each in x]
    assert 0 < np.abs(error).max() <= 2.0**-22
    assert _back("mxfp4", [7.9, 1.0])[0] == 6.0

"""The sweep of all float32 numbers: what it goes through, and that one wrong number is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.fast.ours.cpu import Backend
from truestep.properties.kinds.quantizer import sweep
from truestep.properties.kinds.quantizer.step import Subject
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.quantizers import QUANTIZERS

CASTS = [name for name, rule in QUANTIZERS.items() if not rule.BLOCKS]
SWEPT = [name for name in CASTS if sweep.sweeps(Kernel(name).capability)]  # type: ignore[arg-type]


def part_of(x: float) -> int:
    """The part that a number is in."""
    return int(np.float32(x).view(np.uint32)) >> sweep.BITS


def subject(kernel: Any) -> Subject:
    """What is swept."""
    return Subject(kernel, kernel.capability)


def test_what_is_swept_are_the_casts_to_a_byte_or_less() -> None:
    """Not those to sixteen bits, whose check would say no more than the thresholds."""
    assert set(CASTS) - set(SWEPT) == {"bfloat16", "float16"}


def test_the_parts_are_all_numbers() -> None:
    """Every bit pattern is in one part; the first and the last begin and end as they should."""
    assert sweep.PARTS << sweep.BITS == 2**32
    assert [case.scale for case in sweep.listed({})] == list(range(sweep.PARTS))
    bits = [sweep.numbers(part).view(np.uint32) for part in (0, 511, 1023)]
    assert [int(b[0]) for b in bits] == [0, 511 << 22, 1023 << 22]
    assert int(bits[-1][-1]) == 2**32 - 1


@pytest.mark.parametrize("name", SWEPT)
def test_no_threshold_is_missing(name: str) -> None:
    """In every rounding and at every choice each run has the same codes at both ends, and some."""
    choices = QUANTIZERS[name].Hyper.CHOICES
    for chosen in [{field: value} for field, values in choices.items() for value in values]:
        h = QUANTIZERS[name].Hyper(**chosen)
        first, right = sweep._runs(QUANTIZERS[name], h)
        assert first[0] == 0
        assert first[-1] == 2**32
        assert (np.diff(first) > 0).all()
        assert right.any(axis=1).all()


def test_one_wrong_number_is_found() -> None:
    """A single float32 whose code is the next one, where no threshold is near."""
    wrong = 1.0234375 + 2.0**-20
    edit = (
        "FORMAT.encode\n",
        f"lambda h, x, *drawn: FORMAT.encode(h, np.where(x == {wrong!r}, 1.125, x), *drawn)\n",
    )
    kernel, h = Kernel("float8_e4m3fn", (edit,)), QUANTIZERS["float8_e4m3fn"].Hyper()
    out, judgement = sweep.judged(subject(kernel), h, part_of(wrong))
    assert not judgement.passed
    assert judgement.index is not None
    assert out.x[judgement.index] == np.float32(wrong)
    assert sweep.judged(subject(kernel), h, part_of(3.0))[1].passed


@pytest.mark.parametrize("name", ["float8_e4m3fnuz", "float8_e8m0fnu"])
def test_a_part_of_the_kernels_casts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At level deep, with the end of one sign and the beginning of the other; below not run."""
    made = sweep.listed
    monkeypatch.setattr(sweep, "listed", lambda base: made(base)[510:513])
    backend = Backend()
    for check in checks_of(backend):
        if check.rule == name and check.name == sweep.NAME:
            assert run_check(backend, check, level="standard", seed=0).verdict == "not_run"
            result = run_check(backend, check, level="deep", seed=0)
            assert result.verdict == "pass", result.message
            assert result.examples == 3
            assert result.judged_fraction == 1

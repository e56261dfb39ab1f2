"""NF4 whose absmax are integers around their mean: against fractions and a float32 kernel."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.integer_nested import FORMATS

F = np.float32
FORMAT = FORMATS["nf4_integer_nested"]


def numbers(blocks: int, seed: int = 0) -> Any:
    """Blocks of 64 numbers of several sizes."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((blocks, 64)) * 10.0 ** rng.uniform(-1, 1, (blocks, 1))
    return x.reshape(-1).astype(F).astype(np.float64)


def test_absmax_are_those_of_exact_arithmetic() -> None:
    """Of fractions: integers, the factor, and what is read, to three roundings of float32."""
    h, x = FORMAT.Hyper(), numbers(300)
    code, integers, factor, offset = FORMAT.encode(h, x)
    absmax = [Fraction(float(np.abs(b).max())) for b in x.reshape(-1, 64)]
    assert np.isclose(offset[0], float(sum(absmax) / 300), rtol=1e-6)
    assert factor.shape == (2,) and integers.dtype == np.int8
    mean = F(offset[0])
    centred = [Fraction(float(F(float(a)) - mean)) for a in absmax]
    for k in (0, 7, 255, 256, 299):
        part = centred[k // 256 * 256 :][:256]
        assert factor[k // 256] == F(float(Fraction(128) / max(map(abs, part))))
        whole = round(centred[k] * Fraction(float(factor[k // 256])))
        assert integers[k] == min(max(whole, -128), 127)
    back = FORMAT.decode(h, code, integers, factor, offset).reshape(-1, 64)
    read = np.abs(back).max(axis=1)
    # Half of a step, and a whole one of the largest distance above the mean.
    assert np.all(np.abs(read - [float(a) for a in absmax]) <= 1.001 / np.repeat(factor, 256)[:300])


def kernel(x: Any) -> tuple[Any, Any, Any]:
    """torchao's double_quantize_scalers in float32: integers, factors and the mean."""
    absmax = np.abs(x.astype(F)).reshape(-1, 64).max(axis=1)
    mean = np.mean(absmax, dtype=F)
    centred = (absmax - mean).reshape(-1, 4)
    factor = F(256) / (F(2) * np.abs(centred).max(axis=1))
    integers = np.clip(np.rint(centred * factor[:, None]), -128, 127)
    return integers.reshape(-1).astype(np.int8), factor, np.array([mean])


def test_the_librarys_kernel_is_admissible() -> None:
    """All that it stores of absmax, on many tensors."""
    h = FORMAT.Hyper(second_size=4)
    for seed in range(50):
        x = numbers(64, seed)
        integers, factor, mean = kernel(x)
        held = (integers, factor.astype(np.float64), mean.astype(np.float64))
        due = FORMAT.intervals(h, x, *held, division_ulps=0.5)
        for name, own in zip(("absmax_code", "factor", "offset"), held, strict=True):
            least, most = due[name]
            assert ((least <= own) & (own <= most)).all(), name
            assert np.mean(least < most) < 0.1 or name == "offset"


def test_a_tensor_of_one_block_keeps_its_absmax() -> None:
    """The mean is it, the factor is infinite, and whatever its integer is, nothing is added."""
    h, x = FORMAT.Hyper(), numbers(1)
    code, _, factor, offset = FORMAT.encode(h, x)
    assert np.isinf(factor).all() and offset[0] == F(np.abs(x).max())
    for integer in (-128, 0, 5):
        back = FORMAT.decode(h, code, np.array([integer], np.int8), factor, offset)
        assert np.abs(back).max() == offset[0]


def test_four_decimals_move_values_and_thresholds() -> None:
    """The second table, as declared."""
    plain, rounded = FORMAT.Hyper(), FORMAT.Hyper(table="four_decimals")
    assert FORMAT.all_values(rounded)[1] == F(-0.6962) != FORMAT.all_values(plain)[1]
    assert (FORMAT.thresholds(rounded) != FORMAT.thresholds(plain)).any()


def test_a_right_kernel_passes() -> None:
    """Cases, thresholds and codes, with either table; the others are of every nested format."""
    for table in ("published", "four_decimals"):
        backend = Kernel("nf4_integer_nested", dialect={"table": table})
        for check in checks_of(backend):
            if check.name in ("every_code", "random", "thresholds"):
                found = run_check(backend, check, level="smoke", seed=1)
                assert found.verdict == "pass", found.message

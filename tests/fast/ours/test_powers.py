"""csrc/formats/powers.h and angles.h: functions of float32 numbers, compiled on their own."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from truestep.fast.ours import cuda_build
from truestep.fast.protocol import Array

CSRC = Path(cuda_build.__file__).parents[2] / "csrc"
SOURCE = """\
#include "formats/angles.h"
#include "formats/powers.h"

extern "C" void cube_roots(long n, const float* x, double, float* y) {
  for (long i = 0; i < n; ++i) y[i] = truestep::cube_root_of(x[i]);
}

extern "C" void powers(long n, const float* x, double power, float* y) {
  for (long i = 0; i < n; ++i) y[i] = truestep::power_of(x[i], power);
}

// Of the tangents x, beside the other leg.
extern "C" void angles(long n, const float* x, double other, float* y) {
  const float beside = static_cast<float>(other);
  for (long i = 0; i < n; ++i) y[i] = truestep::angle_of(x[i], beside);
}
"""
FLAGS = ["-std=c++17", "-O2", "-ffp-contract=off", "-shared", "-fPIC"]
# A number in double beside it tells the nearest float32 number but for one part in 2^15 of ties.
NEARLY_NEAREST = 0.5 + 2.0**-15

Function: TypeAlias = Callable[[Array, float], Array]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Function]:
    """The functions, by name, over arrays."""
    if (compiler := shutil.which("g++")) is None:
        pytest.skip("g++ is not installed")
    folder = tmp_path_factory.mktemp("powers")
    (folder / "powers.cpp").write_text(SOURCE)
    command = [compiler, *FLAGS, "-I", str(CSRC), "powers.cpp", "-o", "powers.so"]
    subprocess.run(command, cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "powers.so"))

    def named(name: str) -> Function:
        call = getattr(library, name)
        call.argtypes = [ctypes.c_long, ctypes.c_void_p, ctypes.c_double, ctypes.c_void_p]
        call.restype = None

        def over(x: Array, power: float) -> Array:
            y = np.empty_like(x)
            call(x.size, x.ctypes.data, power, y.ctypes.data)
            return y

        return over

    return named


def ulps(y: Array, due: Array) -> float:
    """How far y is from what is due at most, in float32's spacings there."""
    spacing = np.spacing(due.astype(np.float32)).astype(np.float64)
    return float(np.max(np.abs(y.astype(np.float64) - due) / spacing))


def of_bits(first: int, last: int, by: int = 1) -> Array:
    """Every float32 number from one pattern of bits up to another, or one of so many."""
    return np.arange(first, last, by, dtype=np.uint32).view(np.float32)


@pytest.mark.parametrize("start", [0x3F800000, 0x40000000, 0x40800000, 1])
def test_cube_roots_of_a_binade(compiled: Callable[[str], Function], start: int) -> None:
    """Three binades of numbers, of which all others are 2^3k times one, and the subnormal ones."""
    x = of_bits(start, start + 2**23 - start % 2)
    assert ulps(compiled("cube_roots")(x, 0.0), np.cbrt(x.astype(np.float64))) <= NEARLY_NEAREST


@pytest.mark.parametrize("power", [1e-9, 0.125, 0.25, 1 / 3, 0.5, 0.6, 0.75, 0.9999])
def test_powers_of_all_sizes(compiled: Callable[[str], Function], power: float) -> None:
    """Numbers of every exponent, and those near one."""
    draw = np.random.default_rng(0)
    sizes = draw.integers(1, 0x7F800000, 2**18, dtype=np.uint32).view(np.float32)
    x = np.concatenate([sizes, np.float32(1 + 1e-3 * draw.normal(size=2**16))])
    assert ulps(compiled("powers")(x, power), x.astype(np.float64) ** power) <= NEARLY_NEAREST


def test_powers_of_nothing_and_of_one(compiled: Callable[[str], Function]) -> None:
    """x^0 is 1 and x^1 is x, of every number that is not below zero, and of nan."""
    x = np.concatenate([of_bits(0, 0x7F800000, by=2**10 + 1), np.float32([np.inf, np.nan])])
    assert np.all(compiled("powers")(x, 0.0) == 1)
    assert np.array_equal(compiled("powers")(x, 1.0), x, equal_nan=True)


@pytest.mark.parametrize("other", [1.0, 1e-3, 3e38, 1e-45])
def test_angles_of_all_sizes(compiled: Callable[[str], Function], other: float) -> None:
    """Numbers of every exponent, those where the way of computing changes, and their negatives."""
    every, limits = (
        of_bits(0, 0x7F800000, by=2**9 + 1),
        np.float32([np.sqrt(2) - 1, np.sqrt(2) + 1]),
    )
    near = (limits[:, None] * (1 + 2.0**-23 * np.arange(-(2**15), 2**15))).astype(np.float32)
    with np.errstate(over="ignore"):
        y = np.concatenate([every, *(np.float32(other) * near)])
    y = y[np.isfinite(y)]
    due = np.arctan2(y.astype(np.float64), np.float64(np.float32(other)))
    assert ulps(compiled("angles")(y, other), due) <= NEARLY_NEAREST
    assert ulps(compiled("angles")(-y, other), -due) <= NEARLY_NEAREST


@pytest.mark.parametrize("other", [0.0, 2.0, np.inf, np.nan])
def test_angles_at_the_ends(compiled: Callable[[str], Function], other: float) -> None:
    """As IEEE 754 has atan2."""
    y = np.float32([0, 1e-45, 1, np.inf, -1, -np.inf, np.nan])
    due = np.arctan2(y, np.float32(other))
    assert np.array_equal(compiled("angles")(y, other), due, equal_nan=True)


def test_at_the_ends(compiled: Callable[[str], Function]) -> None:
    """As IEEE 754 has them: zero and infinity are their own, below zero there is nothing."""
    x = np.float32([0, np.inf, np.nan, -1, -np.inf])
    due = np.float32([0, np.inf, np.nan, np.nan, np.nan])
    assert np.array_equal(compiled("cube_roots")(x, 0.0), due, equal_nan=True)
    assert np.array_equal(compiled("powers")(x, 0.25), due, equal_nan=True)

"""The shared headers compile alone: on the host, and as NVRTC does, without standard headers."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CSRC = Path(__file__).parents[2] / "csrc"
FOLDERS = ("formats", "rules", "schedules", "training")
HEADERS = sorted(path for folder in FOLDERS for path in CSRC.glob(f"{folder}/*.h"))
COMPILER = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
# What NVRTC defines before it reads a line.
DEVICE = """
#define __CUDACC_RTC__
#define __CUDA_ARCH__ 900
#define __host__
#define __device__
#define __forceinline__ inline
inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
inline float sqrtf(float x) { return __builtin_sqrtf(x); }
double cos(double);
double fmod(double, double);
double pow(double, double);
double sqrt(double);
"""

pytestmark = pytest.mark.skipif(not COMPILER, reason="no C++ compiler (g++, clang++ or CXX)")


def compiled(source: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """The compiler's verdict on a source text."""
    command = [str(COMPILER), "-x", "c++", "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra"]
    return subprocess.run(
        [*command, "-Werror", "-Wno-unused-function", *flags, "-"],
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )


def test_headers_are_found() -> None:
    """The folder that the other tests walk is the one meant."""
    assert {"adamw.h", "bfloat16.h", "cosine.h", "dynamic_map.h"} <= {path.name for path in HEADERS}


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
def test_compiles_on_the_host(header: Path) -> None:
    """Alone, and twice in one file."""
    done = compiled(f'#include "{header}"\n#include "{header}"\n')
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
def test_compiles_without_standard_headers(header: Path) -> None:
    """With NVRTC's macros and no include path at all."""
    done = compiled(f'{DEVICE}#include "{header}"\n', "-nostdinc", "-nostdinc++")
    assert done.returncode == 0, done.stderr

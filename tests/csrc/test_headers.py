"""The shared headers compile alone: on the host, and as NVRTC does, without standard headers."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from truestep.fast.ours.cuda_build import Unit
from truestep.fast.ours.cuda_units import codec_unit, step_unit
from truestep.fast.ours.rule_kernels import kernel_for
from truestep.reference.optimizers import adamw, lamb

CSRC = Path(__file__).parents[2] / "csrc"
RULES = sorted(path for path in CSRC.glob("rules/*.h") if path.name != "rule.h")
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
double exp(double);
double fabs(double);
double fmod(double, double);
double log(double);
double pow(double, double);
double sqrt(double);
"""
# What kernels use besides.
LANGUAGE = """
#define __global__
#define __launch_bounds__(...)
#define __shared__ static
struct Dim { unsigned x, y, z; };
extern const Dim threadIdx, blockIdx, blockDim, gridDim;
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
void __syncthreads();
void __syncwarp(unsigned = 0xffffffffu);
unsigned __shfl_xor_sync(unsigned, unsigned, int, int = 32);
double __shfl_xor_sync(unsigned, double, int, int = 32);
int __ffs(int);
"""
# Instantiates the functions of every kernel that a rule's header lists.
EVERY_KERNEL = """
namespace truestep::rules::NAME {
template <int... k>
struct Indices {};
template <int n, int... k>
struct IndicesTo : IndicesTo<n - 1, n - 1, k...> {};
template <int... k>
struct IndicesTo<0, k...> {
  using Type = Indices<k...>;
};
template <class Rule, int... k>
void use(Indices<k...>) {
  const typename Rule::Constants c = Rule::constants(typename Rule::Hyper{}, 1.0);
  float p = 0.0f;
  float x[sizeof...(k) + 1] = {};
  if constexpr (Rule::kSums > 0) {
    double addend[Rule::kSums];
    Rule::sums(c, 0.0f, p, x[k]..., addend);
  }
  Rule::element(c, 0.0f, p, x[k]...);
  if constexpr (Rule::kBegins) (void)&Rule::begin;
  if constexpr (Rule::kFinishes) (void)&Rule::finish;
}
template <class Rule>
void use_one() {
  use<Rule>(typename IndicesTo<names_in(Rule::kInputs) + names_in(Rule::kStates)>::Type{});
}
#define USE(dialect, ...) use_one<__VA_ARGS__>();
void use_all() { TRUESTEP_KERNELS(USE) }
}
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
    assert {"adamw.h", "lion.h"} <= {path.name for path in RULES}


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


@pytest.mark.parametrize("header", RULES, ids=lambda path: path.name)
def test_every_kernel_compiles_without_standard_headers(header: Path) -> None:
    """Its bodies too: a template that nobody instantiates is hardly looked at."""
    source = f'{DEVICE}#include "{header}"\n{EVERY_KERNEL.replace("NAME", header.stem)}'
    done = compiled(source, "-nostdinc", "-nostdinc++", "-Wno-ignored-attributes")
    assert done.returncode == 0, done.stderr


UNITS = [
    step_unit(kernel_for("adamw", adamw.Hyper()), ["bfloat16", "float32", "dynamic_8bit"]),
    step_unit(kernel_for("lamb", lamb.Hyper()), ["float32", "dynamic_8bit", "float32"]),
    codec_unit("bfloat16"),
    codec_unit("dynamic_8bit"),
]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_compiles_without_standard_headers(unit: Unit) -> None:
    """The CUDA templates with what NVRTC declares, and nothing of cuda_on_cpu."""
    flags = ["-nostdinc", "-nostdinc++", f"-I{CSRC}", "-Wno-unknown-pragmas"]
    done = compiled(DEVICE + LANGUAGE + unit.text, *flags)
    assert done.returncode == 0, done.stderr

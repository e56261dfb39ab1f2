"""Functions of C libraries are understood by their declarations."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from truestep import wrap
from truestep.fast.discovery import BrokenBackend
from truestep.fast.wrapped import c_functions
from truestep.reports import judging

SOURCE = """
#include <math.h>
#include <stdint.h>

void adamw_step(float *p, const float *g, float *m, float *v, int64_t n, int t, float lr,
                float beta1, float beta2, float eps, float weight_decay) {
  float c1 = 1.0f - powf(beta1, (float)t), c2 = 1.0f - powf(beta2, (float)t);
  for (int64_t i = 0; i < n; i++) {
    p[i] *= 1.0f - lr * weight_decay;
    m[i] = beta1 * m[i] + (1.0f - beta1) * g[i];
    v[i] = beta2 * v[i] + (1.0f - beta2) * g[i] * g[i];
    p[i] -= lr * (m[i] / c1) / (sqrtf(v[i] / c2) + eps);
  }
}

void descend(double *w, const double *grad, double *buf, long n, double lr, double momentum) {
  for (long i = 0; i < n; i++) {
    buf[i] = momentum * buf[i] + grad[i];
    w[i] -= lr * buf[i];
  }
}
"""
ADAMW = (
    "void adamw_step(float *p, const float *g, float *m, float *v, int64_t n, int t, float lr, "
    "float beta1, float beta2, float eps, float weight_decay)"
)
DESCEND = (
    "void descend(double *w, const double *grad, double *buf, long n, double lr, double momentum);"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The compiled source."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("library")
    (source := folder / "steps.c").write_text(SOURCE, encoding="utf-8")
    path: Path = folder / "steps.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", source, "-lm", "-o", path], check=True)
    return str(path)


def test_a_function_in_float32(library: str) -> None:
    """Its numbers are float32 throughout, as the judge finds, and its steps pass."""
    backend = wrap.ctypes(library, ADAMW)
    assert backend.declaration == (
        "judged as adamw, decay before; m is m, v is v, t is t; maximize = False; "
        "arithmetic float32_hyper"
    )
    assert judging.certify(backend, only="*combinations*", level="smoke").passed


def test_a_function_in_float64(library: str) -> None:
    """Pointers to double are judged as float64."""
    backend = wrap.ctypes(library, DESCEND, "sgd")
    [capability] = backend.capabilities()
    assert (capability.rule, capability.format) == ("sgd", "float64")
    assert capability.arithmetic == "ieee_float64"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("adamw_step", "is no declaration of a C function"),
        ("void f(half *p, const float *g)", "'half .p' is no argument of a known type"),
        ("void f(float *p, float lr)", "no single argument for a gradient"),
        ("void f(const float *g, float lr)", "no single argument for the parameter"),
        ("void f(float *p, const float *g, const float *mask)", "needs mask besides"),
        ("void f(float *p, const float *g, int *m)", "m points to neither float nor double"),
    ],
)
def test_wrong_declarations(text: str, said: str) -> None:
    """The line says what was wrong."""
    with pytest.raises(BrokenBackend, match=said):
        c_functions.declared(text)


def test_a_library_that_is_not_there() -> None:
    """In one line."""
    with pytest.raises(BrokenBackend, match=r"adamw_step: .*no_such\.so"):
        wrap.ctypes("no_such.so", ADAMW)

"""truestep init: the written file is certified as it stands."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import pytest

from truestep.fast.discovery import load
from truestep.fast.protocol import Backend
from truestep.properties.run.plan import checks_of, run_check

Call = Callable[..., tuple[int, str, str]]

LION_IN_C = """
#include <stdint.h>
void lion_step(int64_t n, float *p, const float *g, float *m, int64_t t,
               double lr, double beta1, double beta2, double weight_decay, int maximize) {
    for (int64_t i = 0; i < n; i++) {
        float x = maximize ? -g[i] : g[i];
        float c = (float)beta1 * m[i] + (float)(1 - beta1) * x;
        float sign = c > 0 ? 1.0f : c < 0 ? -1.0f : c;
        p[i] = p[i] * (float)(1 - lr * weight_decay) - (float)lr * sign;
        m[i] = (float)beta2 * m[i] + (float)(1 - beta2) * x;
    }
}
"""
SIGNED = """
import torch


class Signed(torch.optim.Optimizer):
    \"\"\"Lion, by names of its own.\"\"\"

    def __init__(self, params, learning_rate=1e-3, b1=0.9, b2=0.99, wd=0.0):
        super().__init__(params, dict(learning_rate=learning_rate, b1=b1, b2=b2, wd=wd))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["average"] = torch.zeros_like(p)
                m, rate = state["average"], group["learning_rate"]
                c = group["b1"] * m + (1 - group["b1"]) * p.grad
                p.mul_(1 - rate * group["wd"]).sub_(rate * torch.sign(c))
                m.mul_(group["b2"]).add_((1 - group["b2"]) * p.grad)
"""


@pytest.fixture
def _no_new_places() -> Iterator[None]:
    """What is written is imported, and what lies beside it."""
    before, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = before
    for name in set(sys.modules) - modules:
        if name.startswith("truestep_backend_") or name == "signed":
            del sys.modules[name]


def verdicts(backend: Backend) -> set[str]:
    """Of the check that visits everything, and of the count."""
    checks = [c for c in checks_of(backend) if c.name in ("strata", "counter")]
    return {run_check(backend, check, level="smoke", seed=0).verdict for check in checks}


@pytest.mark.usefixtures("_no_new_places")
@pytest.mark.parametrize("rule", ["adafactor", "lion", "sgd"])
def test_of_numpy(truestep: Call, rule: str) -> None:
    """The reference's own lines, ready to be replaced."""
    status, out, err = truestep("init", rule, "--numpy")
    assert (status, err) == (0, "")
    path = Path(out.strip())
    assert path == (Path.cwd() / f"{rule}_backend.py").resolve()
    assert verdicts(load(f"{path}:Backend")) == {"pass"}


@pytest.mark.usefixtures("_no_new_places")
def test_of_a_library_in_c(truestep: Call) -> None:
    """By the prototype that the file shows."""
    if (compiler := shutil.which("cc") or shutil.which("g++")) is None:
        pytest.skip("no C compiler")
    Path("lion.c").write_text(LION_IN_C)
    options = ["-O2", "-ffp-contract=off", "-shared", "-fPIC", "-o", "liblion.so"]
    subprocess.run([compiler, "-x", "c", *options, "lion.c"], check=True)
    status, out, _ = truestep("init", "lion", "--ctypes", "liblion.so")
    assert status == 0
    text = Path(out.strip()).read_text()
    assert "void lion_step(" in text and "float *m," in text and "double beta2," in text
    assert verdicts(load(f"{out.strip()}:Backend")) == {"pass"}


@pytest.mark.power
@pytest.mark.usefixtures("_no_new_places")
def test_of_a_class_of_torch(truestep: Call) -> None:
    """Its names are found by running it, and stand in tables."""
    pytest.importorskip("torch", reason="torch is not installed")
    Path("signed.py").write_text(SIGNED)
    status, out, err = truestep("init", "lion", "--torch", "signed.py:Signed", "--out", "mine.py")
    assert (status, err) == (0, "")
    text = Path("mine.py").read_text()
    assert '{"lr": "learning_rate", "beta1": "b1", "beta2": "b2", "weight_decay": "wd"}' in text
    assert '{"m": "average"}' in text
    assert verdicts(load(f"{out.strip()}:Backend")) == {"pass"}


REFUSED = {
    "class": (("lion", "--torch", "nowhere:Lion"), "--torch nowhere:Lion: ModuleNotFoundError"),
    "choice": (("lion",), "give one of --numpy, --torch SPEC, --ctypes LIB"),
    "elements": (("adafactor", "--ctypes", "x.so"), "adafactor does not"),
    "kind": (("lion", "--torch", "torch.nn:Linear"), "is no class of torch.optim.Optimizer's"),
    "library": (("lion", "--ctypes", "x.so"), "--ctypes x.so: no such file"),
    "name": (("lion", "--torch", "lion"), "--torch lion: give package.module:Class or"),
    "rule": (("lionn", "--numpy"), "unknown optimizer 'lionn'; did you mean lion"),
    "there": (("sgd", "--numpy", "--out", "taken.py"), "taken.py is there already (--force"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_written_is_told(truestep: Call, case: str) -> None:
    """One line, status 2, nothing written."""
    if case in ("class", "kind") and find_spec("torch") is None:
        pytest.skip("torch is not installed")
    Path("taken.py").write_text("")
    arguments, message = REFUSED[case]
    status, out, err = truestep("init", *cast("tuple[str, ...]", arguments))
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert message in err
    assert [path.name for path in Path().iterdir()] == ["taken.py"]

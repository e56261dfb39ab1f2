"""A kernel of a rule is one header under csrc/rules, and nothing else registers it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import truestep

CHECKOUT = Path(__file__).parents[3]
# signSGD as somebody would write it who has the paper and csrc/rules/rule.h before him.
HEADER = """\
// signSGD (Bernstein et al. 2018): p = p - lr sign(g)
#pragma once

#include "rule.h"

namespace truestep::rules::signsgd {

struct SignSgd : Elementwise {
  static constexpr const char* kHyper = "lr weight_decay maximize";
  static constexpr const char* kStates = "";
  struct Hyper {
    double lr, weight_decay, maximize;
  };
  struct Constants {
    float lr, decay, sign;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.lr = rounded(h.lr);
    c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p) {
    p = p - c.lr * (sign_of(c.sign * g) + c.decay * p);
  }
};

}  // namespace truestep::rules::signsgd

#define TRUESTEP_KERNELS(KERNEL) KERNEL("", SignSgd)
"""
BUILDERS = [
    shutil.which(name) or str(Path(sys.executable).parent / name) for name in ("cmake", "ninja")
]

pytestmark = pytest.mark.skipif(
    find_spec("nanobind") is None or not all(Path(tool).exists() for tool in BUILDERS),
    reason="cmake, ninja and nanobind build the extension",
)


def built(folder: Path) -> Path:
    """The extension of a copy of the sources that has this rule's header alone."""
    for name in ("CMakeLists.txt", "csrc"):
        (shutil.copytree if name == "csrc" else shutil.copy)(CHECKOUT / name, folder / name)
    for header in (folder / "csrc/rules").glob("*.h"):
        if header.name != "rule.h":
            header.unlink()
    (folder / "csrc/rules/signsgd.h").write_text(HEADER)
    cmake, ninja = BUILDERS
    nanobind = subprocess.check_output([sys.executable, "-m", "nanobind", "--cmake_dir"], text=True)
    told = [f"-DPython_EXECUTABLE={sys.executable}", f"-Dnanobind_DIR={nanobind.strip()}"]
    told += [f"-DCMAKE_MAKE_PROGRAM={ninja}", "-DCMAKE_BUILD_TYPE=Debug", "-DTRUESTEP_BASELINE=ON"]
    build = folder / "build"
    for command in (
        [cmake, "-S", str(folder), "-B", str(build), "-G", "Ninja", *told],
        [ninja, "-C", str(build)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    [extension] = build.glob("_core*.so")
    return extension


def test_a_header_is_all(tmp_path: Path) -> None:
    """With it alone the CPU backend offers the rule, and every check of it passes."""
    extension = built(tmp_path)
    package = tmp_path / "site/truestep"
    others = shutil.ignore_patterns("_core*.so", "__pycache__", "csrc")
    shutil.copytree(Path(truestep.__file__).parent, package, ignore=others)
    shutil.copy(extension, package / "fast")
    shutil.copytree(tmp_path / "csrc", package / "csrc")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "truestep.reports.cli", "certify", "cpu"]
    command += ["--only", "optimizer/signsgd/*", "--level", "smoke", "--json"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = [check["verdict"] for check in json.loads(done.stdout)["checks"]]
    # What joins at the level standard is offered too.
    assert "pass" in verdicts and set(verdicts) <= {"pass", "not_run"}

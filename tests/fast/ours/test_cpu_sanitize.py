"""Each sanitizer that `make sanitize` loads finds a fault of the kind it is there for.

The faults are planted in what the kernels are given, past the checks of cpu_plans: tensors that
share their memory, a size beyond the memory, sizes whose sum no int64 holds.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from truestep.fast import _core

SETS = _core.instruction_sets()
PREPARED = """
import sys
import numpy as np
from truestep.fast import _core
from truestep.fast.ours import storages
from truestep.fast.ours.rule_kernels import kernel_for
from truestep.reference.optimizers import adamw, lamb
_core.set_instruction_set(sys.argv[1])
n = 200_000
plain, bfloat16 = storages.NUMBERS["float32"], storages.NUMBERS["bfloat16"]
signed, unsigned = (storages.dynamic_8bit_kept(of, 64) for of in (True, False))
def pair(dtype, length=n): return [np.ones(length, dtype) for _ in range(2)]
def twice(dtype, length=n): return [np.ones(length, dtype)] * 2
p, g, m, v = (pair(np.float32) for _ in range(4))
m_scale, v_scale = (pair(np.float32, n // 64) for _ in range(2))
m_code, v_code = (pair(np.uint8) for _ in range(2))
def call(kept, arrays, size=n, rule="adamw"):
    h = {"adamw": adamw.Hyper(decay="before"), "lamb": lamb.Hyper()}[rule]
    kernel = kernel_for(rule, h)
    addresses = np.array([[x.ctypes.data for x in column] for column in arrays])
    _core.step(kernel.place, [how.storage for how in kept], addresses, np.array([n, size]),
               np.zeros(2, np.int32), np.array([kernel.row(h)]), np.ones(1), np.zeros((2, 0)), 2)
def step(size=n, rule="adamw"):
    call([plain] * 4, [p, p, g, g, m, m, v, v], size, rule)
def step_bfloat16():
    call([bfloat16, bfloat16, plain, plain], [p, p, g, g, m, m, v, v])
def step_8bit():
    call([plain, plain, signed, unsigned], [p, p, g, g, m_code, m_scale, v_code, v_scale])
def code():
    for how in (signed, bfloat16):
        codes, scale = np.ones(2 * n, np.uint8), np.ones(4 * (n // 64), np.uint8)
        _core.encode(how.storage, p[0], codes, scale, 2)
        _core.decode(how.storage, codes, scale, p[0], 2)
"""
SOUND = (
    "step(); step(rule='lamb'); step_8bit(); code();"
    "p, g = pair(np.uint16), pair(np.uint16); step_bfloat16()"
)
RACES = {
    "parameter": "p = twice(np.float32); step()",
    "parameter in bfloat16": "p, g = twice(np.uint16), pair(np.uint16); step_bfloat16()",
    "parameter of a layer-wise rule": "p = twice(np.float32); step(rule='lamb')",
    "moment": "v = twice(np.float32); step()",
    "scale": "m_scale = twice(np.float32, n // 64); step_8bit()",
    "code": "v_code = twice(np.uint8); step_8bit()",
}


def run(sanitizer: str, program: str, instruction_set: str) -> subprocess.CompletedProcess[str]:
    """The program under the sanitizer that is loaded here; skips where it is another or none."""
    if sanitizer not in os.environ.get("LD_PRELOAD", ""):
        pytest.skip(f"{sanitizer} is not loaded: `make sanitize` runs this")
    return subprocess.run(
        [sys.executable, "-c", PREPARED + program, instruction_set],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("sanitizer", ["libasan", "libtsan"])
def test_nothing_is_reported_of_sound_calls(sanitizer: str, name: str) -> None:
    """The programs below without their faults end in silence."""
    done = run(sanitizer, SOUND, name)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("race", RACES.values(), ids=RACES)
@pytest.mark.parametrize("name", SETS)
def test_a_race_is_reported(name: str, race: str) -> None:
    """Two threads that write the same tensor, in the kernels of every instruction set."""
    done = run("libtsan", race, name)
    assert done.returncode != 0
    assert "ThreadSanitizer: data race" in done.stderr
    assert "truestep::cpu" in done.stderr


@pytest.mark.parametrize("name", SETS)
def test_an_overrun_is_reported(name: str) -> None:
    """A tensor that is said to be one element longer than its memory."""
    done = run("libasan", "step(n + 1)", name)
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
    assert "truestep::cpu" in done.stderr


def test_undefined_behaviour_ends_the_program() -> None:
    """A sum of sizes that no int64 holds, which ends the program at the first report."""
    program = "_core.pieces(np.full(3, 2**62), 64, 0, 2); print('went on')"
    done = run("libubsan", program, "baseline")
    assert done.returncode != 0
    assert "runtime error: signed integer overflow" in done.stderr
    assert "went on" not in done.stdout

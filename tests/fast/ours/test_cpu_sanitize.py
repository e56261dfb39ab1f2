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
from truestep.fast.ours import cpu_plans
_core.set_instruction_set(sys.argv[1])
n = 200_000
def tables(arrays): return [np.array([x.ctypes.data for x in column]) for column in arrays]
def pair(dtype): return [np.ones(n, dtype) for _ in range(2)]
def twice(dtype, length=n): return [np.ones(length, dtype)] * 2
sizes, constants = np.array([n, n]), np.ones((1, 9), np.float32)
index = np.zeros(2, np.int32)
p, g, m, v = (pair(np.float32) for _ in range(4))
m_scale, v_scale = ([np.ones(n // 64, np.float32) for _ in range(2)] for _ in range(2))
m_code, v_code = (pair(np.uint8) for _ in range(2))
def step(size=n):
    given = tables([p, g, m, v])
    _core.adamw_float32(*given, np.array([n, size]), constants, index, 2)
def step_bfloat16():
    _core.adamw_bfloat16(*tables([p, g, m, v]), sizes, constants, index, 2)
def step_8bit():
    given = tables([p, g, m_code, m_scale, v_code, v_scale])
    maps = [cpu_plans.dynamic_map(signed) for signed in (True, False)]
    _core.adamw_8bit(*given, sizes, constants, index, *maps, 64, 2)
def code():
    map = cpu_plans.dynamic_map(True)
    _core.quantize(map, p[0], m_code[0], m_scale[0], 64, 2)
    _core.dequantize(map, m_code[0], m_scale[0], p[0], 64, 2)
    bfloat16 = np.ones(n, np.uint16)
    _core.bfloat16_encode(p[0], bfloat16, 2)
    _core.bfloat16_decode(bfloat16, p[0], 2)
"""
SOUND = "step(); step_8bit(); code(); p, g = pair(np.uint16), pair(np.uint16); step_bfloat16()"
RACES = {
    "parameter": "p = twice(np.float32); step()",
    "parameter in bfloat16": "p, g = twice(np.uint16), pair(np.uint16); step_bfloat16()",
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
    assert "_loop" in done.stderr


@pytest.mark.parametrize("name", SETS)
def test_an_overrun_is_reported(name: str) -> None:
    """A tensor that is said to be one element longer than its memory."""
    done = run("libasan", "step(n + 1)", name)
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
    assert "_loop" in done.stderr


def test_undefined_behaviour_ends_the_program() -> None:
    """A sum of sizes that no int64 holds, which ends the program at the first report."""
    program = "_core.pieces(np.full(3, 2**62), 64, 0, 2); print('went on')"
    done = run("libubsan", program, "baseline")
    assert done.returncode != 0
    assert "runtime error: signed integer overflow" in done.stderr
    assert "went on" not in done.stdout

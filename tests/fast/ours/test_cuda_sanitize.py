"""The sanitizers find what is planted, and nothing in the shipped kernels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from truestep.fast.ours import cuda_adapter, cuda_build, cuda_plan, cuda_units, samples
from truestep.fast.ours.cuda_build import unit_of
from truestep.fast.ours.cuda_on_cpu import KernelFault, Schedule
from truestep.fast.ours.cuda_sanitize import (
    SANITIZERS,
    Recorder,
    Report,
    sanitize,
    use_every_kernel,
)
from truestep.fast.protocol import Array, BackendUnavailable
from truestep.reference.quantizers import dynamic_8bit

pytestmark = pytest.mark.power

LIBRARIES = {"address": "asan", "thread": "tsan", "undefined": "ubsan"}
FAULTS = unit_of(Path(__file__).resolve().parents[2] / "csrc_cuda" / "faults.cu")


def report(sanitizer: str, use: Callable[[Recorder], None], **options: object) -> Report:
    """What the sanitizer says; skips where nothing can be compiled for it."""
    try:
        return sanitize(sanitizer, use, **options)  # type: ignore[arg-type]
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))
    except cuda_build.CompilationError as error:
        if f"-l{LIBRARIES[sanitizer]}" in str(error):
            pytest.skip(f"the compiler has no {sanitizer} sanitizer")
        raise


def one_launch(
    kernel: str, x: Array, grid: int = 1, block: int = 64, *scalars: np.generic
) -> Callable[[Recorder], None]:
    """A use that launches one kernel on one array."""

    def use(device: Recorder) -> None:
        device.launch(FAULTS, kernel, grid, block, [device.upload(x), *scalars])

    return use


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_the_shipped_kernels_are_clean(sanitizer):
    """Every shape of kernel, with empties, tails, several chunks a block and misaligned views."""
    found = report(sanitizer, use_every_kernel)
    assert found.clean, found.output
    assert "launches, 0 failed" in found.output


RACES = [
    ("missing_barrier_kernel", np.arange(64, dtype=np.float32), 1, 64),
    ("unordered_warp_kernel", np.arange(32, dtype=np.int32), 1, 32),
    ("racing_blocks_kernel", np.zeros(1, np.int32), 3, 32),
]


@pytest.mark.parametrize(("kernel", "x", "grid", "block"), RACES, ids=[r[0] for r in RACES])
def test_a_race_is_reported(kernel, x, grid, block):
    """In shared memory between threads or within a warp, and in global memory between blocks."""
    use = one_launch(kernel, x, grid, block)
    found = report("thread", use, defines=["MISSING_BARRIER"])
    assert not found.clean
    assert "data race" in found.output
    assert kernel in found.output


@pytest.mark.parametrize("kernel", ["missing_barrier_kernel", "unordered_warp_kernel"])
def test_the_barrier_is_what_makes_the_difference(kernel):
    """The same kernels with their barrier are clean."""
    x = np.arange(32, dtype=np.float32 if kernel.startswith("missing") else np.int32)
    found = report("thread", one_launch(kernel, x, 1, 32))
    assert found.clean, found.output


def without(tmp_path: Path, name: str, passage: str) -> Path:
    """A copy of the sources without one passage of a header, which must occur exactly once."""
    copy = tmp_path / "csrc"
    shutil.copytree(cuda_build.source_root(), copy)
    header = copy / "cuda" / name
    text = header.read_text()
    assert text.count(passage) == 1
    header.write_text(text.replace(passage, ""))
    return copy


def test_a_race_with_right_numbers_is_reported(tmp_path):
    """The shipped block maximum without the barrier before its scratch is used again."""
    barrier = "  // The call before may still be reading.\n  __syncthreads();\n"
    copy = without(tmp_path, "dynamic_8bit.h", barrier)
    [capability] = [c for c in cuda_units.capabilities() if c.rule == "dynamic_8bit"]
    x = np.sin(np.arange(4 * cuda_plan.CHUNK)).astype(np.float32)

    def quantize(device: Recorder) -> None:
        # Few blocks for many chunks: the second chunk reuses the scratch of the first.
        recorded.update(cuda_adapter.encode(device, capability, h, x))

    h, recorded = dynamic_8bit.Hyper(block_size=512), {}
    found = report("thread", quantize, source_dir=copy, schedule=Schedule("ascending"))
    code, absmax = dynamic_8bit.encode(h, x.astype(np.float64))
    np.testing.assert_array_equal(recorded["absmax"], absmax)
    np.testing.assert_array_equal(recorded["code"], code)
    assert not found.clean
    assert "data race" in found.output
    assert "team_max" in found.output


RACING = {
    "scales": ("dynamic_8bit.h", "    __syncwarp();\n", True, 64),
    "sums": ("step.h", "  // Thread 0 may still be reading those of the call before.\n"
             "  __syncthreads();\n", False, 0),
}  # fmt: skip


@pytest.mark.parametrize("race", RACING.values(), ids=RACING)
def test_a_race_of_a_step_is_reported(tmp_path, race):
    """The absmax that a team still reads; the sums of warps that thread 0 still adds."""
    name, passage, stored, block_size = race
    copy = without(tmp_path, name, passage)
    [capability] = [
        c
        for c in samples.one_of_each_shape(cuda_units.capabilities())
        if c.rule == "lamb" and c.format == "float32" and bool(c.storage) == stored
    ]
    sizes = (8 * cuda_plan.CHUNK,)
    given = samples.groups(np.random.default_rng(0), capability, sizes, (block_size or 64, 64))

    def step(device: Recorder) -> None:
        cuda_adapter.optimizer_step(device, capability, given[:1])

    found = report("thread", step, source_dir=copy, schedule=Schedule("ascending"))
    assert not found.clean
    assert "data race" in found.output


def test_undefined_behaviour_is_reported_and_ends_the_launches():
    """A number that no int holds made one, which the checks of every build let pass."""
    use = one_launch("conversion_overflow_kernel", np.zeros(1, np.int32), 1, 1, np.float32(3e9))

    def twice(device: Recorder) -> None:
        use(device)
        use(device)

    found = report("undefined", twice)
    assert not found.clean
    assert found.output.count("is outside the range of representable values of type 'int'") == 1
    assert "faults.cu" in found.output
    assert "launches" not in found.output


def test_an_overrun_of_a_buffer_is_reported():
    """A write of four bytes behind a buffer, which the watched guards see too late to say where."""
    use = one_launch("misaligned_store_kernel", np.zeros(5, np.float32), 1, 1, np.int32(4))
    found = report("address", use_unwatched(use))
    assert not found.clean
    assert "heap-buffer-overflow" in found.output
    assert "misaligned_store_kernel" in found.output


def use_unwatched(use: Callable[[Recorder], None]) -> Callable[[Recorder], None]:
    """The same use, whose fault the guards report while it is being recorded."""

    def recorded(device: Recorder) -> None:
        with pytest.raises(KernelFault, match="wrote to byte 20 of a buffer of 20"):
            use(device)

    return recorded

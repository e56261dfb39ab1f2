"""The host's CUDA language: each construct computes what CUDA says, and each fault is named.

Over 300 lines: the constructs of a language, each with what CUDA says of it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truestep.fast.ours import cuda_build, cuda_toolchain
from truestep.fast.ours.cuda_build import Unit, unit_of
from truestep.fast.ours.cuda_on_cpu import (
    ORDERS,
    Backend,
    KernelFault,
    Library,
    Schedule,
    build,
    drawn_schedule,
)
from truestep.fast.protocol import Array, BackendUnavailable

KERNELS = Path(__file__).resolve().parents[2] / "csrc_cuda"
SCHEDULES = [
    Schedule("ascending"),
    Schedule("descending"),
    *(Schedule("shuffled", seed) for seed in range(6)),
    Schedule("shuffled", 1, workers=3),
]
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
POISON = 0x7F7FFFFF


@cache
def library(name: str, *defines: str) -> Library:
    """The kernels of one file of tests/csrc_cuda; skips where they cannot be compiled."""
    try:
        return build([unit_of(KERNELS / name)], defines=defines)
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))


def run(
    kernel: str,
    arguments: Sequence[Array | np.generic],
    schedule: Schedule | None = None,
    grid: int | tuple[int, ...] = 1,
    block: int | tuple[int, ...] = 32,
    dynamic_shared: int = 0,
) -> None:
    """Launch a kernel of language.cu."""
    library("language.cu").launch(
        kernel, grid, block, arguments, dynamic_shared=dynamic_shared, schedule=schedule
    )


@every_schedule
def test_indices_count_in_three_dimensions(schedule):
    """Every thread of every block runs once, with its own indices."""
    out = np.full(2 * 3 * 2 * 24, -1, np.int32)
    run("indices_kernel", [out], schedule, grid=(2, 3, 2), block=(4, 3, 2))
    expected = 1000 * np.arange(12)[:, None] + np.arange(24)
    np.testing.assert_array_equal(out, expected.reshape(-1))


@every_schedule
@pytest.mark.parametrize(("kernel", "kind"), [("static", np.float32), ("dynamic", np.float64)])
def test_shared_memory_crosses_warps_after_a_barrier(schedule, kernel, kind):
    """Reversal through shared memory, in blocks whose last warp is not full."""
    x = np.arange(5 * 72, dtype=kind)
    expected = x.reshape(5, 72)[:, ::-1].reshape(-1).copy()
    run(f"{kernel}_shared_kernel", [x], schedule, grid=5, block=72, dynamic_shared=72 * 8)
    np.testing.assert_array_equal(x, expected)


def test_shared_memory_starts_undefined_in_every_block():
    """A block does not find what the block before it left."""
    x = np.zeros(3 * 32, np.float32)
    run("uninitialised_shared_kernel", [x], grid=3)
    np.testing.assert_array_equal(x.view(np.uint32), POISON)


@every_schedule
@pytest.mark.parametrize("width", [1, 2, 8, 32])
@pytest.mark.parametrize("by", [0, 1, 3, 7, 31])
def test_shuffles_follow_the_programming_guide(schedule, width, by):
    """Within segments of the width; a source outside leaves the lane its own value."""
    out = np.zeros((64, 6))
    run("shuffle_kernel", [out, np.int32(width), np.int32(by)], schedule, block=64)
    lane = np.arange(64) % 32
    first = lane // width * width
    last = first + width - 1
    source = {
        0: first + by % width,
        1: np.where(lane - by >= first, lane - by, lane),
        2: np.where(lane + by <= last, lane + by, lane),
        3: np.where(lane ^ by <= last, lane ^ by, lane),
    }
    source[3] = np.where((lane ^ by) <= last, lane ^ by, lane)
    for column, lanes in source.items():
        np.testing.assert_array_equal(out[:, column], 10.0 * lanes)
    np.testing.assert_array_equal(out[:, 4], 1.0 / (source[3] + 1))
    np.testing.assert_array_equal(out[:, 5], source[3])


@every_schedule
def test_votes_and_shuffles_respect_masks(schedule):
    """The two halves of a divergent warp vote and sum on their own."""
    out = np.zeros((64, 4), np.uint32)
    run("masked_kernel", [out], schedule, block=64)
    low = [0x00005555, 1, 1, sum(range(16))]
    high = [0x11110000, 0, 0, sum(range(16, 32))]
    np.testing.assert_array_equal(out, ([low] * 16 + [high] * 16) * 2)


@every_schedule
def test_active_mask_names_the_lanes_that_came_the_same_way(schedule):
    """Each branch's lanes see each other only; absent lanes of a short warp are not named."""
    out = np.zeros(42, np.uint32)
    run("active_mask_kernel", [out], schedule, block=42)
    for start in (0, 32):
        lanes = range(start, min(start + 32, 42))
        for lane in lanes:
            alike = [i for i in lanes if (i % 3 == 0) == (lane % 3 == 0)]
            assert out[lane] == sum(1 << (i - start) for i in alike)


def test_a_value_from_a_departed_lane_is_undefined():
    """A shuffle from a lane that has left the kernel brings a number that stands out."""
    out = np.zeros(16, np.float32)
    run("read_from_departed_kernel", [out])
    np.testing.assert_array_equal(out.view(np.uint32), POISON)


@every_schedule
@pytest.mark.parametrize("limit", [0, 1, 50, 71, 72])
def test_barrier_reductions(schedule, limit):
    """Count, and, or over a block whose last warp is not full."""
    out = np.zeros((72, 3), np.int32)
    run("barrier_reduction_kernel", [out, np.int32(limit)], schedule, block=72)
    np.testing.assert_array_equal(out, [[limit, limit == 72, limit > 0]] * 72)


@every_schedule
def test_atomics(schedule):
    """Each atomic operation counts every thread of every block exactly once."""
    names = ["sum", "largest", "smallest", "swaps"]
    kind = np.dtype(
        [(name, np.int32) for name in names]
        + [("bits", np.uint32), ("flipped", np.uint32), ("total", np.float32), ("pad", np.uint32)]
        + [("wide", np.uint64), ("real", np.float64)]
    )
    totals = np.zeros(1, kind)
    run("atomics_kernel", [totals], schedule, grid=4, block=40)
    n = 160
    flipped = np.bitwise_xor.reduce(np.arange(n))
    expected = (
        n * (n - 1) // 2,
        n - 1,
        1 - n,
        2 * n,
        0xFFFFFFFF,
        flipped,
        n / 2,
        0,
        n << 32,
        n / 4,
    )
    assert totals[0].item() == expected


@every_schedule
def test_a_lock_is_passed_on(schedule):
    """A thread that waits for a lock lets its holder run."""
    lock, total = np.zeros(1, np.int32), np.zeros(1, np.int32)
    run("lock_kernel", [lock, total], schedule, block=96)
    assert (lock[0], total[0]) == (0, 96 * 95 // 2)


@every_schedule
def test_the_last_block_sees_the_others(schedule):
    """The last block to count itself sums what all blocks wrote."""
    partial, finished = np.zeros(7, np.int32), np.zeros(1, np.uint32)
    total = np.zeros(1, np.int32)
    run("last_block_kernel", [partial, finished, total], schedule, grid=7, block=32)
    assert total[0] == 7 * 8 // 2


FAULTS = [
    ("half_at_barrier_kernel", [np.zeros(32, np.int32)], "deadlock.*16 threads.*__syncthreads"),
    ("two_barriers_kernel", [np.zeros(32, np.int32)], r"divergent barrier.*faults\.cu"),
    ("mixed_operations_kernel", [np.zeros(32, np.int32)], "deadlock.*arrived 0x0000ffff"),
    ("overlapping_masks_kernel", [np.zeros(32, np.uint32)], "deadlock.*mask 0x0001ffff"),
    ("foreign_mask_kernel", [np.zeros(32, np.uint32)], "mask 0x0000ffff.*calling lane"),
    ("bad_width_kernel", [np.zeros(32, np.int32)], "width.*got 12"),
    (
        "misaligned_load_kernel",
        [np.zeros(32, np.float32), np.int32(1)],
        "misaligned address.*float4",
    ),
    ("misaligned_store_kernel", [np.zeros(32, np.float32), np.int32(3)], "misaligned.*float2"),
    ("misaligned_atomic_kernel", [np.zeros(32, np.int8)], "atomic.*misaligned"),
    ("null_kernel", [np.zeros(1, np.uint64)], "null pointer"),
    ("shared_overrun_kernel", [np.zeros(32, np.float32), np.int32(1)], "index 32 out of bounds"),
    ("dynamic_overrun_kernel", [np.zeros(32, np.int32)], "dynamic shared memory, which has 124"),
    ("index_overflow_kernel", [np.zeros(1, np.int32), np.int32(32768)], "product overflows"),
    ("waits_for_later_block_kernel", [np.zeros(1, np.int32)], "no progress.*take a lock"),
]


@pytest.mark.parametrize(("kernel", "arguments", "message"), FAULTS, ids=[f[0] for f in FAULTS])
@pytest.mark.parametrize("order", ["ascending", "shuffled"])
def test_a_fault_ends_the_launch_with_its_name(kernel, arguments, message, order):
    """The message names the kernel and the fault, and the library still runs other kernels."""
    faults = library("faults.cu")
    with pytest.raises(KernelFault, match=f"(?s){kernel}.*{message}"):
        faults.launch(kernel, 2, 32, arguments, dynamic_shared=124, schedule=Schedule(order))
    x = np.arange(64, dtype=np.float32)
    faults.launch("missing_barrier_kernel", 1, 64, [x])
    np.testing.assert_array_equal(x, np.arange(64)[::-1])


def test_a_missing_barrier_changes_numbers_under_some_schedule():
    """The same kernel is right under every schedule with its barrier, and under few without."""
    results = {}
    for defines in ((), ("MISSING_BARRIER",)):
        faulty = library("faults.cu", *defines)
        for schedule in SCHEDULES:
            x = np.arange(128, dtype=np.float32)
            faulty.launch("missing_barrier_kernel", 1, 128, [x], schedule=schedule)
            results[defines, schedule] = np.array_equal(x, np.arange(128)[::-1])
    assert all(right for (defines, _), right in results.items() if not defines)
    assert not any(right for (defines, _), right in results.items() if defines)


@pytest.mark.parametrize(
    ("grid", "block", "message"),
    [
        (0, 32, "grid size must lie in"),
        ((1, 65536), 32, "grid size must lie in .1, 65535., got 65536"),
        (1, 2048, "block size must lie in .1, 1024., got 2048"),
        (1, (1, 1, 65), "block size must lie in .1, 64., got 65"),
        (1, (64, 32), "threads of a block must lie in .1, 1024., got 2048"),
    ],
)
def test_a_launch_beyond_the_limits_of_cuda_is_refused(grid, block, message):
    """Limits are those of every supported GPU."""
    with pytest.raises(KernelFault, match=message):
        run("indices_kernel", [np.zeros(4, np.int32)], grid=grid, block=block)


def test_a_library_runs_on_after_its_memory_was_released():
    """Fibers are made anew, and what a launch computes is the same."""
    for _ in range(2):
        out = np.full(24, -1, np.int32)
        run("indices_kernel", [out], block=24)
        np.testing.assert_array_equal(out, np.arange(24))
        library("language.cu").release()


def test_arguments_are_checked_before_the_launch():
    """A kernel's name, the number of its arguments and their sizes have to be right."""
    with pytest.raises(ValueError, match="no kernel named 'absent'"):
        run("absent", [])
    with pytest.raises(
        TypeError, match=re.escape("takes arguments of (8, 4, 4) bytes, got (8, 8)")
    ):
        run("shuffle_kernel", [np.zeros(192), np.int64(1)])


def test_a_rejected_source_shows_the_compilers_words():
    """What g++ objects to reaches the caller."""
    if not library("language.cu"):
        return
    broken = 'extern "C" __global__ void broken_kernel(int* x) { x[0] = nothing; }'
    with pytest.raises(cuda_build.CompilationError, match=r"broken\.cu:1(.|\n)*nothing"):
        build([Unit("broken", broken)])
    with pytest.raises(cuda_build.CompilationError, match="empty: no kernel"):
        build([Unit("empty", "")])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**64 - 1), workers=st.integers(1, 4))
def test_one_seed_is_one_schedule(seed, workers):
    """A result that depends on the order of threads, not of blocks, is the same every time."""
    racy = library("faults.cu", "MISSING_BARRIER")
    runs = []
    for count in (1, workers):
        x = np.arange(4 * 128, dtype=np.float32)
        schedule = Schedule("shuffled", seed, count)
        racy.launch("missing_barrier_kernel", 4, 128, [x], schedule=schedule)
        runs.append(x)
    np.testing.assert_array_equal(*runs)


def test_bfloat16_agrees_with_nvidias_conversion():
    """Every sign and exponent, around each tie, and nan: the same codes as NVIDIA's."""
    upper = np.arange(2**16, dtype=np.uint32) << 16
    lower = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], dtype=np.uint32)
    x = (upper[:, None] | lower).reshape(-1).view(np.float32)
    theirs, ours = np.zeros(x.size, np.uint16), np.zeros(x.size, np.uint16)
    run("nvidia_bfloat16_kernel", [x, theirs, np.int64(x.size)])
    run("own_bfloat16_kernel", [x, ours, np.int64(x.size)])
    # NVIDIA's gives one nan for all; which one is not part of the format's rounding.
    is_nan = np.isnan(x)
    np.testing.assert_array_equal(ours[~is_nan], theirs[~is_nan])
    assert ((ours[is_nan] & 0x7FFF) > 0x7F80).all()


def test_fibers_work_without_assembly(tmp_path):
    """What other processors than x86-64 use to switch: the same kernels, the same schedules."""
    copy = tmp_path / "csrc"
    shutil.copytree(cuda_build.source_root(), copy)
    for name in ("fiber.h", "runtime.cpp"):
        path = copy / "cuda_on_cpu" / name
        text = path.read_text()
        assert "defined(__x86_64__)" in text
        path.write_text(text.replace("defined(__x86_64__)", "defined(NO_SUCH_PROCESSOR)"))
    library("faults.cu")
    portable = build([unit_of(KERNELS / "faults.cu")], copy, ["MISSING_BARRIER"])
    for schedule in SCHEDULES:
        results = []
        for kernels in (library("faults.cu", "MISSING_BARRIER"), portable):
            x = np.arange(128, dtype=np.float32)
            kernels.launch("missing_barrier_kernel", 2, 64, [x], schedule=schedule)
            results.append(x)
        np.testing.assert_array_equal(*results)
    with pytest.raises(KernelFault, match="deadlock"):
        portable.launch("half_at_barrier_kernel", 1, 32, [np.zeros(32, np.int32)])


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    """No compiler, no headers: not available, each with its reason."""
    for function in (cuda_toolchain.compiler, cuda_toolchain.nvidia_include):
        monkeypatch.setattr(cuda_toolchain, function.__name__, function.__wrapped__)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(BackendUnavailable, match="no C\\+\\+ compiler"):
        cuda_toolchain.compiler()
    monkeypatch.setattr(cuda_toolchain, "nvidia_folders", lambda: [tmp_path])
    with pytest.raises(BackendUnavailable, match="pip install nvidia-cuda-runtime"):
        cuda_toolchain.nvidia_include()
    cuda_toolchain.identity.cache_clear()
    with pytest.raises(BackendUnavailable, match="no C\\+\\+ compiler"):
        Backend()


def test_a_call_without_a_schedule_draws_one_from_its_inputs() -> None:
    """All three orders occur among a few inputs, and equal inputs meet equal schedules."""
    inputs = [np.full(4, float(k), np.float32) for k in range(24)]
    drawn = [drawn_schedule([x]) for x in inputs]
    assert {schedule.order for schedule in drawn} == set(ORDERS)
    assert drawn == [drawn_schedule([x]) for x in inputs]
    assert len({schedule.seed for schedule in drawn}) == len(inputs)

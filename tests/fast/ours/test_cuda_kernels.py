"""The CUDA kernels on the host: the CPU kernels' bits under every schedule, and NVRTC's view."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truestep.fast.ours import nvrtc
from truestep.fast.ours.cuda_build import CompilationError, sources
from truestep.fast.ours.cuda_on_cpu import ORDERS, Backend, KernelFault, Library, Schedule, build
from truestep.fast.protocol import BackendUnavailable

sys.path.insert(0, str(Path(__file__).parent))
from cuda_cases import CODERS, OPTIMIZERS, bits, groups, quantizer_hypers, tensor


@cache
def library() -> Library:
    """The shipped kernels; skips where they cannot be compiled."""
    try:
        return build()
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))


@cache
def cpu():
    """The CPU kernels; skips where they are not built."""
    try:
        from truestep.fast.ours.cpu import Backend as CpuBackend
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))
    return CpuBackend()


schedules = st.builds(
    Schedule, st.sampled_from(ORDERS), st.integers(0, 2**64 - 1), st.integers(1, 3)
)
by_name = "{0.rule}-{0.format}-{0.variant}".format


@pytest.mark.parametrize("capability", OPTIMIZERS, ids=by_name)
@settings(max_examples=15, deadline=None)
@given(
    schedule=schedules,
    seed=st.integers(0, 2**32),
    block_size=st.sampled_from([64, 128, 256, 512, 1024, 2048, 4096]),
)
def test_a_step_has_the_cpu_kernels_bits(capability, schedule, seed, block_size):
    """Parameters and state agree bit for bit, whatever the schedule, sizes and alignments."""
    given_groups = groups(seed, capability, block_size=block_size)
    before = bits([[s.param, s.grad, dict(s.state)] for g in given_groups for s in g.slots])
    ours = Backend(schedule, library()).optimizer_step(capability, given_groups)
    assert bits(ours) == bits(cpu().optimizer_step(capability, given_groups))
    after = bits([[s.param, s.grad, dict(s.state)] for g in given_groups for s in g.slots])
    assert before == after


@pytest.mark.parametrize("capability", CODERS, ids=by_name)
@settings(max_examples=15, deadline=None)
@given(schedule=schedules, seed=st.integers(0, 2**32), n=st.integers(0, 9000), data=st.data())
def test_codes_have_the_cpu_kernels_bits(capability, schedule, seed, n, data):
    """Codes, scales and decoded numbers agree bit for bit, whatever the schedule."""
    h = data.draw(st.sampled_from(quantizer_hypers(capability.rule)))
    x = tensor(np.random.default_rng(seed), n, "float32", seed % 5, special=seed % 2 == 0)
    backend = Backend(schedule, library())
    stored = backend.encode(capability, h, x)
    assert bits(stored) == bits(cpu().encode(capability, h, x))
    decoded = backend.decode(capability, h, stored)
    assert bits(decoded) == bits(cpu().decode(capability, h, stored))


def test_shapes_are_kept():
    """0-d, empty and matrix parameters come back in their shapes, from views of any strides."""
    [capability, *_] = OPTIMIZERS
    [group, _] = groups(0, capability, (12,))
    [slot] = group.slots
    x = np.arange(24, dtype=np.float32).reshape(4, 6)[:, ::2]
    for view in (x, x.T, x[:0], x[0, 0, ...].reshape(()), x[::-1]):
        state = {"t": 1, "m": view, "v": abs(view)}
        changed = type(group)(group.hyper, [type(slot)(view, view, state)])
        [[ours]] = Backend(library=library()).optimizer_step(capability, [changed])
        [[theirs]] = cpu().optimizer_step(capability, [changed])
        assert ours.param.shape == view.shape
        assert bits(ours) == bits(theirs)


def test_an_unoffered_dialect_is_refused():
    """What the kernels do not compute they do not pretend to."""
    [capability, *_] = OPTIMIZERS
    [group, _] = groups(0, capability, (12,))
    wrong = type(group.hyper)(decay="after")
    with pytest.raises(ValueError, match=r"decay must be 'before'.*got 'after'"):
        Backend(library=library()).optimizer_step(capability, [type(group)(wrong, group.slots)])


def changed_tree(tmp_path: Path, name: str, old: str, new: str) -> Path:
    """A copy of the sources with one passage changed, which must occur exactly once."""
    import shutil

    copy = tmp_path / "csrc"
    shutil.copytree(sources().root, copy)
    path = copy / name
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return copy


CHANGES = {
    "rule": ("rules/adamw.h", "c.square_weight * (g * g)", "c.square_weight * g"),
    "constants": ("rules/adamw.h", "1.0 - h.lr * h.weight_decay", "1.0 - h.weight_decay"),
    "tail": ("cuda/adamw.cu", "i64 i = rest + threadIdx.x", "i64 i = rest + 1 + threadIdx.x"),
    "chunk": ("cuda/plan.h", "size - chunk.begin < kChunk", "size - chunk.begin <= kChunk / 2"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_source_changes_the_result(tmp_path, change):
    """A copy of the sources with a planted fault runs through the same backend, and differs."""
    capability = OPTIMIZERS[0]
    given_groups = groups(1, capability)
    right = Backend(library=library()).optimizer_step(capability, given_groups)
    copy = changed_tree(tmp_path, *change)
    faulty = Backend(library=build(copy, files=[copy / "cuda" / "adamw.cu"]))
    try:
        wrong = faulty.optimizer_step(capability, given_groups)
    except KernelFault:
        return
    assert bits(wrong) != bits(right)


def test_a_missing_barrier_in_the_kernels_is_seen(tmp_path):
    """Without the barrier after the maps are loaded, every schedule gives wrong codes."""
    change = (
        "cuda/adamw_8bit.cu",
        "  load_maps(map, maps);\n  __syncthreads();\n",
        "  load_maps(map, maps);\n",
    )
    copy = changed_tree(tmp_path, *change)
    faulty = build(copy, files=[copy / "cuda" / "adamw_8bit.cu"])
    capability = OPTIMIZERS[-1]
    # Whole chunks: in a short tensor only the first threads have anything to look up.
    given_groups = groups(1, capability, (4096,) * 3)
    right = Backend(library=library()).optimizer_step(capability, given_groups)
    for order in ORDERS:
        wrong = Backend(Schedule(order), faulty).optimizer_step(capability, given_groups)
        assert bits(wrong) != bits(right)


@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_every_source_compiles_for(architecture):
    """NVRTC accepts every kernel for every supported generation of GPUs."""
    chosen = sources()
    try:
        for path in chosen.files:
            assert nvrtc.compiled(path, chosen, architecture).startswith(b"\x7fELF")
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))


def test_no_operation_is_contracted_or_approximate():
    """In PTX the rule's products and sums stay apart, and division and root round correctly."""
    chosen = sources()
    try:
        [path] = [p for p in chosen.files if p.name == "adamw.cu"]
        text = nvrtc.compiled(path, chosen, "compute_80").decode()
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))
    assert "mul.f32" in text or "mul.rn.f32" in text
    assert "fma" not in text
    assert "div.rn.f32" in text
    assert "sqrt.rn.f32" in text
    assert "approx" not in text
    assert ".ftz" not in text


def test_a_source_that_nvrtc_rejects_shows_its_log(tmp_path):
    """The error names the file, the architecture and the line."""
    path = tmp_path / "broken.cu"
    path.write_text('extern "C" __global__ void broken_kernel(int* x) { x[0] = nothing; }')
    try:
        nvrtc.nvrtc_library()
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))
    with pytest.raises(CompilationError, match=r"broken\.cu for sm_90(.|\n)*nothing"):
        nvrtc.compiled(path, sources(files=[path]), "sm_90")

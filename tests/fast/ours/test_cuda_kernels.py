"""The CUDA kernels on the host: the CPU kernels' bits under every schedule, and NVRTC's view."""

from __future__ import annotations

import shutil
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truestep.fast.ours import cuda_build, cuda_plan, nvrtc, samples
from truestep.fast.ours.cuda_adapter import optimizer_step
from truestep.fast.ours.cuda_on_cpu import ORDERS, Backend, Device, KernelFault, Kernels, Schedule
from truestep.fast.ours.cuda_plan import CHUNK, StepPlan
from truestep.fast.ours.cuda_units import codec_unit, offered_units, step_unit
from truestep.fast.ours.rule_kernels import RuleKernel
from truestep.fast.protocol import BackendUnavailable, Group
from truestep.reference.optimizers import lion

sys.path.insert(0, str(Path(__file__).parent))
from cuda_cases import CODERS, OPTIMIZERS, bits, groups, named, quantizer_hypers

tensor = samples.tensor


@cache
def kernels() -> Kernels:
    """The shipped kernels; skips where they cannot be compiled."""
    try:
        return Kernels()
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


def sums(capability) -> int:
    """How many sums over a tensor the capability's rule makes."""
    return samples.kernel_of(capability).sums


@pytest.mark.parametrize("capability", [c for c in OPTIMIZERS if not sums(c)], ids=by_name)
@settings(max_examples=5, deadline=None)
@given(
    schedule=schedules,
    seed=st.integers(0, 2**32),
    block_size=st.sampled_from([64, 128, 256, 512, 1024, 2048, 4096]),
)
def test_a_step_has_the_cpu_kernels_bits(capability, schedule, seed, block_size):
    """Parameters and state agree bit for bit, whatever the schedule, sizes and alignments."""
    given_groups = groups(seed, capability, block_size=block_size)
    before = bits([[s.param, s.grad, dict(s.state)] for g in given_groups for s in g.slots])
    ours = Backend(schedule, kernels()).optimizer_step(capability, given_groups)
    assert bits(ours) == bits(cpu().optimizer_step(capability, given_groups))
    after = bits([[s.param, s.grad, dict(s.state)] for g in given_groups for s in g.slots])
    assert before == after


@pytest.mark.parametrize("capability", [c for c in OPTIMIZERS if sums(c)], ids=by_name)
@settings(max_examples=5, deadline=None)
@given(schedule=schedules, seed=st.integers(0, 2**32), blocks=st.integers(1, 9))
def test_sums_depend_on_the_tensor_alone(capability, schedule, seed, blocks):
    """The same bits whatever the schedule, the number of blocks, and the tensors beside it."""
    sizes = (0, 1, 4097, 3 * CHUNK + 5, 257)
    given_groups = groups(seed, capability, sizes, special=False)

    class OtherGrid(Device):
        resident_blocks = blocks

    device = OtherGrid(kernels(), schedule)
    together = optimizer_step(device, capability, given_groups)
    backend = Backend(Schedule("ascending"), kernels())
    for group, ours in zip(given_groups, together, strict=True):
        for slot, result in reversed(list(zip(group.slots, ours, strict=True))):
            alone = Group(group.hyper, [slot], group.storage)
            assert bits(result) == bits(backend.optimizer_step(capability, [alone])[0][0])


@pytest.mark.parametrize("capability", CODERS, ids=by_name)
@settings(max_examples=15, deadline=None)
@given(schedule=schedules, seed=st.integers(0, 2**32), n=st.integers(0, 9000), data=st.data())
def test_codes_have_the_cpu_kernels_bits(capability, schedule, seed, n, data):
    """Codes, scales and decoded numbers agree bit for bit, whatever the schedule."""
    h = data.draw(st.sampled_from(quantizer_hypers(capability.rule)))
    x = tensor(np.random.default_rng(seed), n, "float32", seed % 5, special=seed % 2 == 0)
    backend = Backend(schedule, kernels())
    stored = backend.encode(capability, h, x)
    assert bits(stored) == bits(cpu().encode(capability, h, x))
    decoded = backend.decode(capability, h, stored)
    assert bits(decoded) == bits(cpu().decode(capability, h, stored))


def test_shapes_are_kept():
    """0-d, empty and matrix parameters come back in their shapes, from views of any strides."""
    capability = named("adamw")
    [group, _] = groups(0, capability, (12,))
    [slot] = group.slots
    x = np.arange(24, dtype=np.float32).reshape(4, 6)[:, ::2]
    for view in (x, x.T, x[:0], x[0, 0, ...].reshape(()), x[::-1]):
        state = {"t": 1, "m": view, "v": abs(view)}
        changed = type(group)(group.hyper, [type(slot)(view, view, state)])
        [[ours]] = Backend(kernels=kernels()).optimizer_step(capability, [changed])
        [[theirs]] = cpu().optimizer_step(capability, [changed])
        assert ours.param.shape == view.shape
        assert bits(ours) == bits(theirs)


def test_an_unoffered_dialect_is_refused():
    """What the kernels do not compute they do not pretend to."""
    capability = named("lamb")
    [group, _] = groups(0, capability, (12,))
    wrong = type(group.hyper)(decay="before")
    with pytest.raises(ValueError, match=r"no kernel of lamb serves .*decay='before'"):
        Backend(kernels=kernels()).optimizer_step(capability, [type(group)(wrong, group.slots)])


class OnHost:
    """One plan on the host, over copies of the slots of a group."""

    def __init__(self, capability, group):
        self.device = Device(kernels(), Schedule())
        kernel = samples.kernel_of(capability)
        names = {"params": "param", "grads": "grad"}
        self.buffers = {
            name: [self.device.upload(getattr(s, names[name])) for s in group.slots]
            for name in names
        }
        for name in kernel.states:
            self.buffers[name] = [self.device.upload(s.state[name]) for s in group.slots]
        addresses = {name: [b.address for b in column] for name, column in self.buffers.items()}
        sizes = [s.param.size for s in group.slots]
        self.plan = StepPlan(self.device, capability.rule, "float32", addresses, sizes)

    def content(self):
        """What the device holds."""
        return bits({name: [b.view for b in column] for name, column in self.buffers.items()})


@pytest.mark.parametrize("rule", ["adamw", "lamb"])
def test_launches_count_their_own_steps(rule):
    """What a captured graph would repeat makes the next step, with the rate that it finds."""
    capability = named(rule)
    [group, _] = groups(7, capability, (1, 300, 5000), special=False)
    one, other = OnHost(capability, group), OnHost(capability, group)
    one.plan.prepare(group.hyper, 1)
    for t in (1, 2, 3):
        one.plan.launch()
        other.plan.step(group.hyper, t)
        assert one.content() == other.content()
    assert one.plan.steps.view.tolist() == [3.0]
    place = samples.kernel_of(capability).hyper.index("lr")
    one.plan.hyper.view[:, place] = 0.5
    one.plan.launch()
    faster = type(group.hyper)(**{**vars(group.hyper), "lr": 0.5})
    other.plan.step(faster, 4)
    assert one.content() == other.content()
    before = one.content()
    one.plan.steps.view[:] = 0
    one.plan.launch()
    other.plan.step(faster, 5)
    assert before != one.content() != other.content()
    # What was written to the tables does not outlast the next step that is asked for.
    again = OnHost(capability, group)
    again.plan.prepare(group.hyper, 1)
    again.plan.launch()
    again.plan.hyper.view[:, place] = 0.5
    fresh = OnHost(capability, group)
    for t in (1, 2):
        fresh.plan.step(group.hyper, t)
    again.plan.step(group.hyper, 2)
    assert again.content() == fresh.content()


def test_a_plan_follows_its_caller():
    """Steps that do not follow, rows that are divided otherwise, another kernel: as if anew."""
    capability = named("sgd")
    [group, _] = groups(3, capability, (5, 4097))
    one = OnHost(capability, group)
    kind = type(group.hyper)
    first, second = kind(lr=0.1, momentum=0.9), kind(lr=0.01, momentum=0.5, weight_decay=0.1)
    without = kind(lr=0.1)
    calls = [(first, 1), (first, 9), ([first, second], 10), (without, 11), ([second] * 2, [1, 7])]
    params = [s.param for s in group.slots]
    states = [s.state for s in group.slots]
    for hyper, t in calls:
        one.plan.step(hyper, t)
        hypers = hyper if isinstance(hyper, list) else [hyper] * 2
        steps = t if isinstance(t, list) else [t] * 2
        for i, slot in enumerate(group.slots):
            given_slot = type(slot)(params[i], slot.grad, {**states[i], "t": steps[i] - 1})
            [[after]] = cpu().optimizer_step(capability, [Group(hypers[i], [given_slot])])
            params[i], states[i] = after.param, after.state
            assert bits(one.buffers["params"][i].view) == bits(after.param)
            assert bits(one.buffers["b"][i].view) == bits(after.state["b"])
    with pytest.raises(ValueError, match="must have 2 entries, got 1 and 2"):
        one.plan.step([first], 1)
    with pytest.raises(ValueError, match=r"one kernel must serve all: .*'coupled'.*'decoupled'"):
        one.plan.step([first, kind(lr=0.1, momentum=0.9, decay="decoupled")], 1)
    with pytest.raises(ValueError, match="t must be >= 1, got 0"):
        one.plan.step(first, [1, 0])
    bare = OnHost(capability, group).plan
    with pytest.raises(ValueError, match="prepare must come before launch"):
        bare.launch()
    bare._addresses.pop("b")
    with pytest.raises(ValueError, match="the kernel of sgd steps b; the plan has params, grads"):
        bare.step(first, 1)


# A rule with everything that one can have.
MADE = """
#include "rule.h"
namespace truestep::rules::lion {
struct Made : Elementwise {
  static constexpr const char* kHyper = "lr";
  static constexpr const char* kInputs = "q";
  static constexpr const char* kStates = "m";
  static constexpr const char* kNumbers = "total size";
  static constexpr int kSums = 1;
  static constexpr bool kBegins = true;
  static constexpr bool kFinishes = true;
  struct Hyper { double lr; };
  struct Constants { float lr, total, before; };
  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    return {rounded(h.lr * t), 0.0f, 0.0f};
  }
  TRUESTEP_HD void begin(const Hyper&, double t, const double* numbers, Constants& c) {
    c.before = rounded(numbers[0] + t);
  }
  TRUESTEP_HD void sums(const Constants& c, float g, float, float q, float, double (&addend)[1]) {
    addend[0] = exact_product(g, q) + c.before;
  }
  TRUESTEP_HD void finish(const Hyper&, double, double size, const double* sum, double* numbers,
                          Constants& c) {
    numbers[0] += sum[0], numbers[1] = size;
    c.total = rounded(numbers[0]);
  }
  TRUESTEP_HD void element(const Constants& c, float g, float& p, float q, float& m) {
    m = m + g;
    p = p - c.lr * (c.total * q);
  }
};
}
"""


def test_inputs_and_numbers_reach_the_rule(tmp_path, monkeypatch):
    """Inputs are read and not written; numbers pass from step to step, of empty tensors too."""
    copy = tmp_path / "csrc"
    shutil.copytree(cuda_build.source_root(), copy)
    (copy / "rules" / "lion.h").write_text(MADE)
    names = ("lr",), ("m",), ("q",), ("total", "size")
    made = RuleKernel(-1, "lion", {}, {}, "Made", *names, sums=1)
    monkeypatch.setattr(cuda_plan, "kernel_for", lambda rule, h: made)
    rng = np.random.default_rng(0)
    device = Device(Kernels(copy), Schedule())
    sizes = (0, 3, 5000)
    # Small integers, whose sums and products are exact.
    host = {
        name: [rng.integers(-8, 9, n).astype(np.float32) for n in sizes]
        for name in ("params", "grads", "m", "q")
    }
    buffers = {name: [device.upload(x) for x in of] for name, of in host.items()}
    addresses = {name: [b.address for b in of] for name, of in buffers.items()}
    numbers = {"total": [1.0, 2.0, 3.0], "size": [0.0] * 3}
    plan = StepPlan(device, "lion", "float32", addresses, sizes, numbers=numbers)
    totals = np.array(numbers["total"])
    for t in (1, 2):
        plan.step(lion.Hyper(lr=0.5), t)
        dots = [g @ q for g, q in zip(host["grads"], host["q"], strict=True)]
        totals = totals + np.array(dots) + np.array(sizes) * (totals + t)
        np.testing.assert_array_equal(plan.numbers["total"], totals)
        np.testing.assert_array_equal(plan.numbers["size"], sizes)
        for i, total in enumerate(totals.astype(np.float32)):
            host["m"][i] += host["grads"][i]
            host["params"][i] -= np.float32(0.5 * t) * (total * host["q"][i])
    assert bits([[b.view for b in of] for of in buffers.values()]) == bits(list(host.values()))


def changed_tree(tmp_path: Path, name: str, old: str, new: str) -> Path:
    """A copy of the sources with one passage changed, which must occur exactly once."""
    copy = tmp_path / "csrc"
    shutil.copytree(cuda_build.source_root(), copy)
    path = copy / name
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return copy


CHANGES = {
    "rule": ("adamw", "rules/adamw.h", "c.square_weight * (g * g)", "c.square_weight * g"),
    "constants": ("adamw", "rules/adamw.h", "1.0 - h.lr * h.weight_decay", "1.0 - h.weight_decay"),
    "tail": ("adamw", "cuda/vectors.h", "if (i < count) to[i]", "if (i + 1 < count) to[i]"),
    "run": ("adamw", "cuda/plan.h", "size - begin}", "size - begin + 1}"),
    "counter": ("adamw", "cuda/step.h", "steps[row] + 1.0", "steps[row]"),
    "addends": ("lamb", "cuda/step.h", "if (i >= run.count) continue;\n", ""),
    "chunks": ("lamb", "cuda/step.h", "k < end; k += kThreads", "k + 1 < end; k += kThreads"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_source_changes_the_result(tmp_path, change):
    """A copy of the sources with a planted fault runs through the same backend, and differs."""
    rule, *passage = change
    capability = named(rule)
    given_groups = groups(1, capability, (1, 5, 257, 4097, 9000), special=False)
    right = Backend(kernels=kernels()).optimizer_step(capability, given_groups)
    faulty = Backend(kernels=Kernels(changed_tree(tmp_path, *passage)))
    try:
        wrong = faulty.optimizer_step(capability, given_groups)
    except KernelFault:
        return
    assert bits(wrong) != bits(right)


def test_a_missing_barrier_in_the_kernels_is_seen(tmp_path):
    """Without the barrier after the maps are loaded, every schedule gives wrong codes."""
    change = ("cuda/step.h", "kept[2 + k]), ...);\n    __syncthreads();\n", "kept[2 + k]), ...);\n")
    faulty = Kernels(changed_tree(tmp_path, *change))
    capability = named("adamw", stored=True)
    # Whole chunks: in a short tensor only the first threads have anything to look up.
    given_groups = groups(1, capability, (4096,) * 3)
    right = Backend(kernels=kernels()).optimizer_step(capability, given_groups)
    for order in ORDERS:
        wrong = Backend(Schedule(order), faulty).optimizer_step(capability, given_groups)
        assert bits(wrong) != bits(right)


UNITS = [
    step_unit(samples.kernel_of(named("adamw")), ["bfloat16", "float32", "dynamic_8bit"]),
    step_unit(samples.kernel_of(named("lamb")), ["float32", "dynamic_8bit", "float32"]),
    codec_unit("dynamic_8bit"),
]


def test_every_unit_has_a_name_of_its_own():
    """Libraries of several units hold one kernel of each name."""
    names = [name for unit in offered_units() for name in unit.kernels()]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
@pytest.mark.parametrize("unit", UNITS, ids="{0.stem}".format)
def test_a_unit_compiles_for(unit, architecture):
    """NVRTC accepts every template for every supported generation of GPUs."""
    try:
        assert nvrtc.compiled(unit, architecture).startswith(b"\x7fELF")
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))


def test_no_operation_is_contracted_or_approximate():
    """In PTX the rule's products and sums stay apart, and division and root round correctly."""
    unit = step_unit(samples.kernel_of(named("adamw")), ["float32"] * 3)
    try:
        text = nvrtc.compiled(unit, "compute_80").decode()
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))
    step = text[text.index(".entry adamw_decay_before_float32_float32_float32_step_kernel") :]
    assert "mul.f32" in step or "mul.rn.f32" in step
    assert "fma" not in step
    assert "div.rn.f32" in step
    assert "sqrt.rn.f32" in step
    assert "approx" not in step
    assert ".ftz" not in step


def test_a_source_that_nvrtc_rejects_shows_its_log():
    """The error names the unit, the architecture and the line."""
    broken = 'extern "C" __global__ void broken_kernel(int* x) { x[0] = nothing; }'
    try:
        nvrtc.nvrtc_library()
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))
    with pytest.raises(cuda_build.CompilationError, match=r"broken\.cu for sm_90(.|\n)*nothing"):
        nvrtc.compiled(cuda_build.Unit("broken", broken), "sm_90")

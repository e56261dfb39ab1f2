"""The host side of the cuda backend, with CuPy replaced by a stand-in that runs on the host."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from truestep.fast.ours import cuda, cuda_bench, cuda_on_cpu, samples, slots, storages
from truestep.fast.ours.cuda_build import Unit
from truestep.fast.protocol import BackendUnavailable, Slot
from truestep.reference.optimizers import adamw

sys.path.insert(0, str(Path(__file__).parent))
from cuda_cases import CODERS, OPTIMIZERS, bits, groups, named, quantizer_hypers


class FakeArray:
    """CuPy's array, as far as the backend uses it, in the host's memory."""

    def __init__(self, content):
        # Device memory is aligned to 256 bytes at least.
        room = np.empty(content.nbytes + 256, np.uint8)
        start = -room.__array_interface__["data"][0] % 256
        self.content = room[start : start + content.nbytes].view(content.dtype)
        self.content = self.content.reshape(content.shape)
        self.content[...] = content
        self.data = SimpleNamespace(ptr=self.content.__array_interface__["data"][0])

    def get(self):
        return self.content.copy()

    @property
    def __cuda_array_interface__(self):
        interface = self.content.__array_interface__
        return {key: interface[key] for key in ("typestr", "shape", "data", "strides")}


@pytest.fixture
def fake(monkeypatch):
    """A CuPy whose modules are the kernels of cuda_on_cpu; the options it was given."""
    try:
        kernels = cuda_on_cpu.Kernels()
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))
    seen = []

    def raw_module(code, options, backend):
        assert "__global__" in code
        assert backend == "nvrtc"
        seen.append(options)
        stem = Unit("", code).kernels()[0].rsplit("_", 2)[0]
        library = kernels.library(Unit(stem, code))

        def get_function(name):
            assert name in code
            return lambda grid, block, values: library.launch(name, grid, block, values)

        return SimpleNamespace(get_function=get_function)

    module = SimpleNamespace(
        RawModule=raw_module,
        asarray=FakeArray,
        copyto=lambda target, source: None,
        empty_like=lambda source: None,
        full=lambda size, value, dtype: FakeArray(np.full(size, value, dtype)),
        ones=np.ones,
        cuda=SimpleNamespace(
            Device=lambda: SimpleNamespace(attributes={"MultiProcessorCount": 2}),
            Event=lambda: SimpleNamespace(record=int, synchronize=int),
            get_elapsed_time=lambda start, stop: 2.0,
            runtime=SimpleNamespace(getDeviceProperties=lambda number: {"name": b"stand-in"}),
        ),
    )
    monkeypatch.setattr(cuda, "cupy", lambda: module)
    return seen


def test_without_cupy_or_a_gpu_it_is_not_run():
    """Unavailable is said with its reason; it is neither a pass nor a failure."""
    try:
        cuda.cupy()
    except BackendUnavailable as unavailable:
        reason = str(unavailable)
    else:
        pytest.skip("this machine has a GPU")
    assert "CUDA kernels not run" in reason


def test_steps_and_codes_pass_through_the_same_plan(fake):
    """Results are those of cuda_on_cpu, bit for bit."""
    gpu, host = cuda.Backend(), cuda_on_cpu.Backend()
    assert gpu.capabilities() == host.capabilities()
    for capability in OPTIMIZERS:
        given = groups(3, capability)
        ours = gpu.optimizer_step(capability, given)
        assert bits(ours) == bits(host.optimizer_step(capability, given))
    x = samples.tensor(np.random.default_rng(0), 5000, "float32", 1, special=True)
    for capability in CODERS:
        for h in quantizer_hypers(capability.rule):
            stored = gpu.encode(capability, h, x)
            assert bits(stored) == bits(host.encode(capability, h, x))
            decoded = gpu.decode(capability, h, stored)
            assert bits(decoded) == bits(host.decode(capability, h, stored))


def test_options_keep_operations_apart_and_change_with_the_headers(fake):
    """No contraction; and a number made from the headers, which CuPy's cache does not look into."""
    capability = named("adamw")
    cuda.Backend().optimizer_step(capability, groups(0, capability, (5,)))
    assert fake
    for options in fake:
        assert "--fmad=false" in options
        assert any(option.startswith("-DTRUESTEP_SOURCES=") for option in options)
        assert not any("fast" in option for option in options if option.startswith("--"))


def test_a_write_beside_a_buffer_is_reported(fake):
    """The guards around every array are looked at when it is fetched."""
    device = cuda.Device()
    buffer = device.upload(np.zeros(3, np.float32))
    buffer.frame.content[buffer.start + 12] = 0
    with pytest.raises(RuntimeError, match="wrote to byte 12 of a buffer of 12"):
        device.download(buffer)


def coded(array):
    """A copy in C order, of bfloat16 the codes."""
    held = np.ascontiguousarray(array)
    return held if held.dtype == np.float32 else held.view(np.uint16)


def plan_of(capability, group):
    """A plan on the group's tensors and the arrays that it steps."""
    kernel = samples.kernel_of(capability)
    kept = {name: storages.kept("dynamic_8bit", h) for name, h in group.storage.items()}
    params, grads = (
        [FakeArray(coded(getattr(s, name))) for s in group.slots] for name in ("param", "grad")
    )
    names = slots.state_arrays(kernel, kept)
    state = {
        name: [FakeArray(np.ascontiguousarray(s.state[name])) for s in group.slots]
        for name in names
    }
    inputs = {
        name: [FakeArray(coded(slots.given(s, name))) for s in group.slots]
        for name in kernel.inputs
    }
    numbers = slots.numbers_of(kernel, group.slots)
    plan = cuda.Plan(
        capability.rule, params, grads, {**state, **inputs}, kept=kept, numbers=numbers
    )
    return plan, params, state


@pytest.mark.parametrize("capability", OPTIMIZERS, ids="{0.rule}-{0.format}-{0.variant}".format)
def test_in_place_steps_move_the_arrays_themselves(fake, capability):
    """Two steps on device arrays equal two steps of the backend; states and numbers advance."""
    backend = cuda_on_cpu.Backend()
    [group, _] = groups(5, capability, (1, 300, 5000))
    plan, params, state = plan_of(capability, group)
    held = [Slot(s.param, s.grad, {**s.state, "t": 6}, s.inputs) for s in group.slots]
    for t in (7, 8):
        plan.step(group.hyper, t)
        changed = type(group)(group.hyper, held, group.storage)
        [stepped] = backend.optimizer_step(capability, [changed])
        held = [
            Slot(n.param, s.grad, n.state, s.inputs) for s, n in zip(held, stepped, strict=True)
        ]
    for i, s in enumerate(held):
        assert bits(params[i].content) == bits(s.param.view(params[i].content.dtype))
        for name, column in state.items():
            assert bits(column[i].content) == bits(s.state[name])
        for name, column in plan.numbers.items():
            if name in s.state:
                np.testing.assert_array_equal(column[i], s.state[name])


def test_in_place_arrays_are_checked(fake):
    """A wrong type, size or count and shared memory are named with their place."""
    good = [[FakeArray(np.ones(4, np.float32))] for _ in range(4)]
    p, g, m, v = good
    cases = [
        (TypeError, r"grads\[0\] must be .*<f4, got <f8", (p, [FakeArray(np.ones(4))], m, v)),
        (
            ValueError,
            r"m\[0\] must have 4 elements, got 5",
            (p, g, [FakeArray(np.ones(5, "f4"))], v),
        ),
        (ValueError, "v must hold 1 arrays, got 2", (p, g, m, v * 2)),
        (ValueError, r"v\[0\] must not overlap m\[0\], got 16 shared bytes", (p, g, m, m)),
    ]
    for error, message, (params, grads, *state) in cases:
        with pytest.raises(error, match=message):
            cuda.Plan("adamw", params, grads, dict(zip("mv", state, strict=True)))
    plan = cuda.Plan("adamw", p, g, {"m": m, "v": v})
    with pytest.raises(ValueError, match=r"no kernel of adamw serves .*eps_placement"):
        plan.step(adamw.Hyper(decay="after", eps_placement="before_correction"), 1)


def test_the_benchmark_prints_one_document(fake, monkeypatch, capsys):
    """Every rule on one large and on many small tensors, as shares of the copy's bandwidth."""
    monkeypatch.setattr(cuda_bench, "ELEMENTS", 5000)
    monkeypatch.setattr(cuda_bench, "MANY", (3, 100))
    monkeypatch.setattr(cuda_bench, "REPEATS", 1)
    monkeypatch.setattr(cuda_bench, "peers", lambda tensors, elements: {})
    assert cuda_bench.main() == 0
    document = json.loads(capsys.readouterr().out)
    assert document["device"] == "stand-in"
    assert [(row["what"], row["tensors"]) for row in document["rows"]] == [
        (name, tensors) for tensors in (1, 3) for name in cuda_bench.MEASURED
    ]
    # The stand-in's clock always shows 2 ms, so the copy of 8 bytes per element is the unit.
    shares = [row["share_of_copy_bandwidth"] * 8 for row in document["rows"][:6]]
    assert shares == [28.0, 22.0, 16.0625, 44.0, 20.0, 20.0]

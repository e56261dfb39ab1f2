"""The host side of the cuda backend, with CuPy replaced by a stand-in that runs on the host."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from truestep.fast.ours import cuda, cuda_bench, cuda_on_cpu
from truestep.fast.protocol import BackendUnavailable
from truestep.reference.optimizers import adamw

sys.path.insert(0, str(Path(__file__).parent))
from cuda_cases import CODERS, OPTIMIZERS, bits, groups, quantizer_hypers, tensor


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
        library = cuda_on_cpu.build()
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))
    seen = []

    def raw_module(code, options, backend):
        assert "__global__" in code
        assert backend == "nvrtc"
        seen.append(options)

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
    pytest.importorskip("truestep.fast._core", exc_type=ImportError)
    gpu, host = cuda.Backend(), cuda_on_cpu.Backend()
    assert gpu.capabilities() == host.capabilities()
    for capability in OPTIMIZERS:
        given = groups(3, capability)
        ours = gpu.optimizer_step(capability, given)
        assert bits(ours) == bits(host.optimizer_step(capability, given))
    x = tensor(np.random.default_rng(0), 5000, "float32", 1, special=True)
    for capability in CODERS:
        for h in quantizer_hypers(capability.rule):
            stored = gpu.encode(capability, h, x)
            assert bits(stored) == bits(host.encode(capability, h, x))
            decoded = gpu.decode(capability, h, stored)
            assert bits(decoded) == bits(host.decode(capability, h, stored))


def test_options_keep_operations_apart_and_change_with_the_headers(fake):
    """No contraction; and a number made from the headers, which CuPy's cache does not look into."""
    cuda.Backend()
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


def test_in_place_steps_move_the_arrays_themselves(fake):
    """Two steps on device arrays equal two steps of the backend; states advance."""
    pytest.importorskip("truestep.fast._core", exc_type=ImportError)
    backend = cuda_on_cpu.Backend()
    for capability in OPTIMIZERS:
        given = groups(5, capability, (1, 300, 5000))[:1]
        [group] = given
        fields = list(group.slots[0].state)[1:]
        kind = np.uint16 if capability.format == "bfloat16" else np.float32
        columns = [
            [FakeArray(getattr(s, name).view(kind)) for s in group.slots]
            for name in ("param", "grad")
        ]
        columns += [
            [FakeArray(np.ascontiguousarray(s.state[f])) for s in group.slots] for f in fields
        ]
        plan = (cuda.AdamW8bit if capability.storage else cuda.AdamW)(*columns)
        slots = [type(s)(s.param, s.grad, {**s.state, "t": 6}) for s in group.slots]
        for t in (7, 8):
            plan.step(group.hyper, t)
            changed = type(group)(group.hyper, slots, group.storage)
            [stepped] = backend.optimizer_step(capability, [changed])
            slots = [type(s)(n.param, s.grad, n.state) for s, n in zip(slots, stepped, strict=True)]
        for i, s in enumerate(slots):
            assert bits(columns[0][i].content) == bits(s.param.view(kind))
            for column, field in zip(columns[2:], fields, strict=True):
                assert bits(column[i].content) == bits(s.state[field])


def test_in_place_arrays_are_checked(fake):
    """A wrong type is named with its place; 8-bit states cannot mix block sizes."""
    good = [FakeArray(np.ones(4, np.float32))]
    bad = [FakeArray(np.ones(4))]
    with pytest.raises(TypeError, match=r"grads\[0\] must be .*<f4, got <f8"):
        cuda.AdamW(good, bad, good, good)
    plan = cuda.AdamW(good, good, good, good)
    with pytest.raises(ValueError, match="decay must be 'before'"):
        plan.step(adamw.Hyper(), 1)
    with pytest.raises(ValueError, match="decay must be 'before'"):
        cuda.AdamW8bit(*[good] * 2, *[[FakeArray(np.ones(4, np.uint8))], good] * 2).step(
            adamw.Hyper(), 1
        )


def test_the_benchmark_prints_one_document(fake, monkeypatch, capsys):
    """Every rule on one large and on many small tensors, as shares of the copy's bandwidth."""
    pytest.importorskip("truestep.fast._core", exc_type=ImportError)
    monkeypatch.setattr(cuda_bench, "ELEMENTS", 5000)
    monkeypatch.setattr(cuda_bench, "MANY", (3, 100))
    monkeypatch.setattr(cuda_bench, "REPEATS", 1)
    monkeypatch.setattr(cuda_bench, "peers", lambda tensors, elements: {})
    assert cuda_bench.main() == 0
    document = json.loads(capsys.readouterr().out)
    assert document["device"] == "stand-in"
    assert [(row["what"], row["tensors"]) for row in document["rows"]] == [
        (name, tensors) for tensors in (1, 3) for name in cuda_bench.BYTES
    ]
    # The stand-in's clock always shows 2 ms, so the copy of 8 bytes per element is the unit.
    shares = [row["share_of_copy_bandwidth"] * 8 for row in document["rows"][:2]]
    assert shares == [28.0, 22.0]

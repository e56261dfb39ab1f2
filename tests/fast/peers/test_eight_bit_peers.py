"""bitsandbytes, torchao and the casts behind the protocol: layouts, tails, states, inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.fast import discovery
from truestep.fast.peers.parting import parted as in_parts
from truestep.fast.protocol import BackendUnavailable, Group, Slot
from truestep.properties.cases.hypers import held
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.step import lockstep
from truestep.properties.kinds.optimizer.storage import held_storage, parted, rule_of
from truestep.properties.kinds.quantizer.cases import fitting
from truestep.properties.kinds.quantizer.step import Subject, judged
from truestep.reference.declared import fields_of
from truestep.reference.optimizers import OPTIMIZERS, adamw
from truestep.reference.quantizers import QUANTIZERS, dynamic_8bit

SIZES = ((), (0,), (1,), (63,), (65,), (3, 100))


def _backend(name: str) -> Any:
    try:
        return discovery.load(name)
    except BackendUnavailable as error:
        pytest.skip(str(error))


def _hyper(capability: Any, **fields: Any) -> Any:
    tables = {"optimizer": OPTIMIZERS, "quantizer": QUANTIZERS}
    rule = tables[capability.kind][capability.rule]
    known = {k: v for k, v in fields.items() if k in rule.Hyper.__dataclass_fields__}
    return rule.Hyper(**{**known, **capability.dialect, **held(capability.fixed)})


@pytest.mark.parametrize("name", ["gfloat", "ml_dtypes", "torch", "torchao"])
def test_quantizers_agree_with_the_reference(name: str) -> None:
    """Codes and decoded values of every shape, of short blocks, and of a strided array."""
    backend = _backend(name)
    rng = np.random.default_rng(0)
    for capability in backend.capabilities():
        if capability.kind != "quantizer" or (name, capability.rule) == ("torchao", "nf4"):
            continue  # torchao's table of NF4 has four decimals
        subject = Subject(backend, capability)
        hyper = _hyper(capability, block_size=64)
        (columns,) = fitting((10,), capability.multiple)
        strided = rng.standard_normal((7, 3 * columns)).astype(np.float32)[:, ::3]
        shapes = [fitting(shape, capability.multiple) for shape in SIZES]
        arrays = [np.asarray(rng.standard_normal(shape), np.float32) for shape in shapes]
        elements, known = 0, 0
        for x in [*map(np.asarray, arrays), strided]:
            for what, judgement in judged(subject, hyper, subject.encode(hyper, x)):
                assert judgement.passed or not judgement.judged, (capability.rule, x.shape, what)
                elements, known = elements + judgement.elements, known + judgement.judged
        # A group of one number has no range of its own: where that is divided by, nothing is known.
        assert known > 0.9 * elements


@pytest.mark.parametrize("signed", [True, False])
def test_bitsandbytes_is_a_nearest_value_within_16_bits(signed: bool) -> None:
    """Away from the thresholds by more than its table's step, its codes are the reference's."""
    backend = _backend("bitsandbytes")
    capability = next(c for c in backend.capabilities() if c.kind == "quantizer")
    rule = QUANTIZERS["dynamic_8bit"]
    hyper = _hyper(capability, block_size=64, signed=signed)
    x = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    x = x if signed else np.abs(x)
    stored = backend.encode(capability, hyper, x)
    assert stored["absmax"].tobytes() == rule.block_absmax(hyper, x).tobytes()
    normal = x / rule.per_element(hyper, stored["absmax"].astype(np.float64), x.shape)
    gap = np.abs(normal[:, None] - rule.thresholds(hyper)).min(axis=1)
    clear = gap > 2 / 65535
    assert clear.mean() > 0.9
    assert np.array_equal(stored["code"][clear], rule.encode(hyper, x)[0][clear])


@pytest.mark.parametrize(
    ("name", "rule", "variant"),
    [
        ("adafactor8bit", "adamw", "d4"),
        ("adafactor8bit", "adamw", "d8"),
        ("bitsandbytes", "adagrad", "8bit"),
        ("bitsandbytes", "adam", "8bit"),
        ("bitsandbytes", "adamw", "8bit"),
        ("bitsandbytes", "ademamix", "8bit"),
        ("bitsandbytes", "ademamix", "scheduled_8bit"),
        ("bitsandbytes", "lamb", "8bit"),
        ("bitsandbytes", "lars", "8bit"),
        ("bitsandbytes", "lion", "8bit"),
        ("bitsandbytes", "rmsprop", "8bit"),
        ("bitsandbytes", "sgd", "8bit"),
        ("torchao", "adam", "4bit_eager"),
        ("torchao", "adam", "8bit_eager"),
        ("torchao", "adam", "fp8_eager"),
        ("torchao", "adamw", "8bit_eager"),
    ],
)
@pytest.mark.parametrize("t", [0, 3])
def test_a_step_keeps_shapes_formats_and_inputs(name: str, rule: str, variant: str, t: int) -> None:
    """Every shape: state of the reference's dtypes in and out, nothing written, t advanced."""
    backend = _backend(name)
    wanted = (rule, variant, "float32")
    [capability] = [c for c in backend.capabilities() if (c.rule, c.variant, c.format) == wanted]
    stored = rule_of(capability)
    fields = {"lr": 0.1, **capability.dialect, **capability.fixed, **held_storage(capability)}
    for how in fields["storage"].values():
        how["block_size"] = 256
    hyper, storage = parted(stored, stored.Hyper(**fields))
    rng = np.random.default_rng(2)
    for shape in SIZES:
        param = np.asarray(rng.standard_normal(shape), np.float32)
        grad = np.asarray(rng.standard_normal(shape), np.float32)
        start = fields_of(stored.init(stored.Hyper(**fields), param))
        state = {k: x if k.endswith("_code") else np.float32(x) for k, x in start.items()}
        state = {k: np.asarray(x) for k, x in state.items()} | {"t": t}
        before = _bytes(param, grad, state)
        group = Group(hyper, [Slot(param, grad, state)], storage)
        [[new]] = backend.optimizer_step(capability, [group])
        assert before == _bytes(param, grad, state)
        assert new.state["t"] == t + 1
        assert new.param.shape == shape
        for field, old in state.items():
            if field != "t":
                assert new.state[field].shape == np.shape(old)
                assert new.state[field].dtype == np.asarray(old).dtype


def _bytes(param: Any, grad: Any, state: Any) -> list[bytes]:
    return [np.asarray(x).tobytes() for x in (param, grad, *state.values())]


def test_bitsandbytes_keeps_squares_in_the_signed_map_where_they_are_alone() -> None:
    """As state1, of which every optimizer has one; what is state2 has the unsigned map."""
    signed = {
        c.rule: {name: how.hyper["signed"] for name, how in c.storage.items()}
        for c in _backend("bitsandbytes").capabilities()
        if c.kind == "optimizer" and c.storage
    }
    assert len(signed) == 9
    assert signed["adagrad"] == {"total": True}
    assert signed["ademamix"] == {"m1": True, "m2": True, "v": False}
    assert signed["rmsprop"] == {"v": True}


@pytest.mark.parametrize(("rule", "kept"), [("ademamix", ("m1", "m2", "v")), ("rmsprop", ("v",))])
def test_bitsandbytes_steps_alike_from_absmax_of_any_layout(rule: str, kept: Any) -> None:
    """The library reads it by address: what is strided is laid out first."""
    backend = _backend("bitsandbytes")
    [capability, *_] = [c for c in backend.capabilities() if c.rule == rule and c.storage]
    hyper = OPTIMIZERS[rule].Hyper(**capability.dialect, **capability.fixed)
    rng = np.random.default_rng(3)
    codes = {f"{name}_code": rng.integers(130, 250, 600, np.uint8) for name in kept}
    scales = {f"{name}_absmax": np.float32([1, 2, 3]) for name in kept}
    param, grad = rng.standard_normal((2, 600)).astype(np.float32)
    ends = []
    for stride in (1, 2):
        laid = {name: np.repeat(x, stride)[::stride] for name, x in scales.items()}
        laid |= codes if rule == "ademamix" else {**codes, "mean": param * 0, "b": param * 0}
        group = Group(hyper, [Slot(param, grad, {"t": 3, **laid})])
        [[new]] = backend.optimizer_step(capability, [group])
        ends.append(_bytes(new.param, grad, new.state))
    assert ends[0] == ends[1]


def test_torchao_on_plain_moments_agrees_with_the_reference() -> None:
    """Every rule and format, from the start and from a state: all is within the contract."""
    backend = _backend("torchao")
    chosen = [c for c in backend.capabilities() if c.kind == "optimizer" and not c.storage]
    assert len(chosen) == 12
    for capability in chosen:
        fields = {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-2, "beta2": 0.5}
        hyper = {**fields, **capability.dialect, **capability.fixed}
        for t in (0, 7):
            slot = SlotCase(TensorSpec((30,), seed=t), TensorSpec((30,), seed=9), t, min(t, 2))
            case = OptimizerCase((GroupCase(hyper, (slot,)),), steps=2)
            for _, step in lockstep(backend, capability, case):
                assert all(x.judgement.passed for x in step), (capability, t)


def test_parting_a_group_keeps_its_storage() -> None:
    """Each part has the hyperparameters and the storage of the group that it comes from."""
    x, storage = np.ones(1, np.float32), {"m": dynamic_8bit.Hyper()}
    stored = Group(adamw.Hyper(), [Slot(x, x, {"t": t}) for t in (3, 4, 3)], storage)
    plain = Group(adamw.Hyper(), [Slot(x, x, {"t": 3})])
    parts, _ = in_parts([stored, plain], lambda hyper, slot: slot.state["t"])
    assert [len(part.slots) for part in parts] == [2, 1, 1]
    assert [dict(part.storage) for part in parts] == [storage, storage, {}]

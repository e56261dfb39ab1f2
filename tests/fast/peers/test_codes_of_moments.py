"""flashoptim, gefen and turboadam behind the protocol: shapes, short blocks, a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.fast import discovery
from truestep.fast.protocol import BackendUnavailable, Group, Slot
from truestep.properties.cases.hypers import held
from truestep.properties.kinds.quantizer.step import Subject, judged
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.quantizers import QUANTIZERS

# A warning is an error here; the interpreter's NumPy overflows where a device's conversions do.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def _backend(name: str) -> Any:
    try:
        return discovery.load(name)
    except BackendUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", ["flashoptim", "gefen", "turboadam"])
def test_formats_are_the_references(name: str) -> None:
    """Codes and values of every shape; of columns too, which do not lie in line."""
    backend, rng = _backend(name), np.random.default_rng(0)
    for capability in backend.capabilities():
        if capability.kind != "quantizer":
            continue
        subject, rule = Subject(backend, capability), QUANTIZERS[capability.rule]
        hyper = rule.Hyper(**{**capability.dialect, **held(capability.fixed)})
        wide = rng.standard_normal((7, 60)).astype(np.float32)[:, ::3]
        for x in (*(rng.standard_normal(n).astype(np.float32) for n in (0, 1, 65, (3, 100))), wide):
            given = np.abs(x) if getattr(rule, "NONNEGATIVE", False) else x
            for what, judgement in judged(subject, hyper, subject.encode(hyper, given)):
                assert judgement.passed or not judgement.judged, (capability.rule, x.shape, what)


def test_a_step_of_flashoptim_leaves_codes_and_counts() -> None:
    """Of zeros nothing moves but the counter, whatever the decay multiplies."""
    backend = _backend("flashoptim")
    for capability in backend.capabilities():
        if capability.kind != "optimizer":
            continue
        hyper = OPTIMIZERS[capability.rule].Hyper(weight_decay=0.5, **capability.dialect)
        codes = {f"{name}_code": np.zeros((3, 11), np.uint8) for name in capability.storage}
        scales = {f"{name}_scale": np.zeros(2, np.float16) for name in capability.storage}
        zeros = np.zeros((3, 11), np.float32)
        slot = Slot(zeros, zeros, {"t": 4, **codes, **scales})
        ((after,),) = backend.optimizer_step(capability, [Group(hyper, [slot])])
        assert after.state["t"] == 5
        assert (after.param == 0).all()
        assert all((after.state[name] == 0).all() for name in (*codes, *scales))

"""A kind is its folder and a line in each of four tables: shown by adding one from a text."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from truestep.fast import discovery, protocol
from truestep.fast.protocol import Capability
from truestep.properties.kinds import table
from truestep.properties.run.plan import checks_of, replay_check, run_check
from truestep.reference import tables

# What the folder holds: the capability, a rule of the reference, the protocol's method, the kind.
KIND = '''
"""Norms: one number of a tensor."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import Capability
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.profiles import ORACLE, arithmetic_of
from truestep.properties.cases.restored import restored
from truestep.properties.cases.tensors import TensorSpec, array, specs
from truestep.properties.judge.calls import backend_call
from truestep.properties.judge.contracts import Judged, judge
from truestep.properties.judge.records import Place
from truestep.properties.kinds.kind import Kind
from truestep.properties.search.exploration import Drawn


@dataclass(frozen=True, slots=True)
class NormCapability(Capability):
    kind: str = "norm"
    rule: str = ""


class Euclidean:
    """The rule: sqrt(sum x^2)."""

    DIALECTS = {"root": {"of_sum": "the root of the sum", "of_mean": "the root of the mean"}}

    @dataclass(frozen=True)
    class Hyper:
        root: str = "of_sum"

    @staticmethod
    def value(h, x):
        return np.sqrt(np.sum(x * x) / (x.size if h.root == "of_mean" else 1))


@dataclass(frozen=True, slots=True)
class NormCase:
    tensor: TensorSpec

    def to_json(self):
        from dataclasses import asdict

        return asdict(self)


class NormKind(Kind):
    name = "norm"

    def names(self, capability):
        return ("values",)

    def cases(self, check, capability):
        tensors = specs(shapes=((3,), (17,), (4, 5)))
        return Drawn(tensors.map(NormCase), {"smoke": 3, "standard": 20, "deep": 100})

    def case(self, check, record):
        return restored(NormCase, record)

    def judged(self, backend, check, capability, case):
        yield from self._steps(backend, capability, case, Euclidean.Hyper(**capability.dialect))

    def read(self, backend, capability, case, reading):
        yield from self._steps(backend, capability, case, Euclidean.Hyper(**reading.changes))

    def _steps(self, backend, capability, case, hyper):
        x = array(case.tensor, format_named(capability.format))
        got = np.asarray(backend_call(backend.norm, capability, x))
        kernel, oracle = (
            Euclidean.value(hyper, Bounded.exact(x, arithmetic))
            for arithmetic in (arithmetic_of(capability.arithmetic), ORACLE)
        )
        yield x, [Judged(0, 0, 0, "norm", judge(got, kernel, oracle))]

    def place(self, check, tally):
        return Place("the norm")
'''


class _Backend:
    name = "norms"

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def capabilities(self) -> list[Capability]:
        return [Capability("norm", "euclidean")]

    def norm(self, capability: Capability, x: object) -> object:
        import numpy as np

        return np.sqrt(np.sum(x * x, dtype=np.float32) * np.float32(self.factor))  # type: ignore[operator]


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The kind, in its file and in the four tables."""
    (tmp_path / "norm_kind.py").write_text(KIND)
    monkeypatch.syspath_prepend(tmp_path)
    import norm_kind  # type: ignore[import-not-found]

    monkeypatch.setitem(protocol.CLASSES, "norm", norm_kind.NormCapability)  # type: ignore[arg-type]
    monkeypatch.setitem(discovery.METHODS, "norm", ("norm",))
    monkeypatch.setitem(tables.RULES, "norm", {"euclidean": norm_kind.Euclidean})
    monkeypatch.setitem(table.KINDS, "norm", norm_kind.NormKind())
    yield norm_kind
    sys.modules.pop("norm_kind", None)


def test_a_backend_of_the_new_kind_is_checked(added: ModuleType) -> None:
    """Its declaration is accepted, its check runs, and a correct backend passes."""
    backend = _Backend(1.0)
    discovery.check(backend, "norms")
    [check] = checks_of(backend)
    assert check.id == "norm/euclidean/float32/values"
    assert isinstance(check.capability, added.NormCapability)
    result = run_check(backend, check, level="standard", seed=0)
    assert result.verdict == "pass"
    assert result.examples == 20


def test_a_fault_is_found_replayed_and_told(added: ModuleType) -> None:
    """A wrong backend fails, its case fails again, and the message says what it computes."""
    backend = _Backend(1.01)
    [check] = checks_of(backend)
    result = run_check(backend, check, level="standard", seed=0)
    assert result.verdict == "fail"
    assert "this kernel computes: no other known dialect" in result.message
    assert result.worst is not None
    assert replay_check(backend, check, result.worst["case"]).verdict == "fail"  # type: ignore[arg-type]

"""The checks of training-loop pieces: what they cover, their messages, and their false alarms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import Capability
from truestep.fast.reference_backend import Backend
from truestep.properties.judge.records import named
from truestep.properties.judge.results import SLACK
from truestep.properties.kinds.table import KINDS
from truestep.properties.kinds.training.cases import NUMBERS, Ranges, TrainingCase, cases
from truestep.properties.kinds.training.step import lockstep
from truestep.properties.laws.claims import PREFIX
from truestep.properties.museum.plant import Kernel
from truestep.properties.run import replay
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.search import exploration
from truestep.properties.search.exploration import explore
from truestep.reference.training import TRAINING

ALL = pytest.mark.parametrize("rule", sorted(TRAINING))


@pytest.fixture(autouse=True)
def _little_shrinking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploration, "SIMPLER", 10)


def drawn(rule: str, examples: int, ranges: Ranges, **dialect: str) -> list[TrainingCase]:
    """Some cases of a piece."""
    found: list[TrainingCase] = []
    explore(
        cases(Capability("training", rule, dialect=dialect), ranges),
        lambda case, _: found.append(case),
        examples=examples,
        seed=9,
        started=lambda _: None,
    )
    return found


@ALL
def test_the_reference_passes_its_own_checks(rule: str) -> None:
    """Every family of cases and every law, in float64."""
    backend = Backend()
    (subject,) = [c for c in backend.capabilities() if (c.kind, c.rule) == ("training", rule)]
    for check in KINDS["training"].checks(subject):
        result = run_check(backend, check, level="smoke", seed=5)
        assert result.verdict == "pass", result.message


@ALL
def test_cases_are_restored_from_json(rule: str) -> None:
    """Bit for bit, several calls included."""
    for case in drawn(rule, 20, Ranges(calls=(1, 3), overflows=True)):
        assert TrainingCase.from_json(json.loads(json.dumps(case.to_json()))) == case


@ALL
def test_every_input_and_hyperparameter_is_drawn(rule: str) -> None:
    """Nothing stays at one value: each field and each number takes several."""
    found = drawn(rule, 150, Ranges())
    piece = TRAINING[rule]
    constant = {"greatest", "initial", "least"}
    for name in set(piece.Hyper.__dataclass_fields__) - set(piece.DIALECTS) - constant:
        assert len({case.hyper[name] for case in found}) > 1, name
    for name in piece.INPUTS:
        assert len({repr(case.calls[0][name]) for case in found}) > 1, name


def test_listed_numbers_exist() -> None:
    """An entry of no piece would be a typo."""
    inputs = {name for piece in TRAINING.values() for name in piece.INPUTS}
    assert set(NUMBERS) <= inputs
    assert "training" in KINDS


def test_thresholds_are_met_exactly_and_missed_on_both_sides() -> None:
    """Among the cases are norms equal to max_norm, one float32 below it, and one above."""
    seen = set()
    for case in drawn("clip_by_global_norm", 200, Ranges(exact=True)):
        elements = [x for spec in case.calls[0]["gradients"] for x in spec.elements]
        norm = float(np.sqrt(sum(x * x for x in elements)))
        limit = case.hyper["max_norm"]
        seen.add((np.float32(limit) > norm, np.float32(limit) < norm))
    assert seen == {(True, False), (False, True), (False, False)}


def test_a_sequence_is_judged_from_the_backends_own_state() -> None:
    """What a call gives under an input's name is what the next call is given."""
    (case,) = drawn("dynamic_loss_scaling", 1, Ranges(calls=(3, 3)))
    given: list[Mapping[str, Any]] = []
    backend = Kernel("dynamic_loss_scaling")
    for inputs, judged in lockstep(backend, backend.capabilities()[0], case):
        given.append(inputs)
        assert max(item.judgement.utilisation or 0.0 for item in judged) <= SLACK
    assert [inputs["t"] for inputs in given] == [case.calls[0]["t"] + k for k in range(3)]


class Spoilt(Kernel):
    """A clipping kernel whose result is changed by a function."""

    def __init__(self, change: Any) -> None:
        super().__init__("clip_by_value")
        self.change = change

    def training_piece(
        self, capability: Capability, hyper: Any, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        out = dict(super().training_piece(capability, hyper, inputs))
        changed: Mapping[str, Any] = self.change(inputs, out)
        return changed


def _written(inputs: Mapping[str, Any], out: dict[str, Any]) -> dict[str, Any]:
    for g in inputs["gradients"]:
        g[...] = 7
    return out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_written, "the backend wrote its input gradients"),
        (lambda _, out: {}, "output 'clipped' is missing; got nothing"),
        (lambda _, out: {"clipped": out["clipped"][:-1]}, "must be a list of"),
        (lambda _, out: {"clipped": [x.tolist() for x in out["clipped"]]}, "must be an ndarray"),
        (lambda _, out: {"clipped": [x[None] for x in out["clipped"]]}, "has shape"),
        (lambda _, out: {"clipped": [x.astype(np.float64) for x in out["clipped"]]}, "has dtype"),
        (lambda _, out: 3, "the result must be a mapping, got int"),
    ],
)
def test_a_broken_protocol_is_told(change: Any, told: str) -> None:
    """Inputs written, outputs missing, of another number, type, shape or format."""
    backend = Spoilt(change)
    (check,) = [c for c in checks_of(backend) if c.name == "values"]
    result = run_check(backend, check, level="smoke", seed=0)
    assert result.verdict == "fail"
    assert told in result.message


@pytest.mark.parametrize("wrong", [1, 1.0, None])
def test_a_flag_must_be_a_bool(wrong: Any) -> None:
    """An integer in the place of a flag breaks the protocol."""
    backend = Kernel("dynamic_loss_scaling")
    backend.training_piece = (  # type: ignore[method-assign]
        lambda capability, hyper, inputs: {
            **Kernel("dynamic_loss_scaling").training_piece(capability, hyper, inputs),
            "skipped": wrong,
        }
    )
    (check,) = [c for c in checks_of(backend) if c.name == "values"]
    result = run_check(backend, check, level="smoke", seed=0)
    assert f"skipped must be a bool, got {wrong!r}" in result.message


def test_the_message_of_a_failure_suffices(capsys: pytest.CaptureFixture[str]) -> None:
    """It names the output, numbers, inputs and dialect; its snippet fails again."""
    spec = "truestep.properties.museum.backends:data_parallel_weighed"
    result = replay_of(spec, "training/data_parallel/float32/values")
    assert result.verdict == "fail" and result.worst is not None
    for needed in (
        "data_parallel (float32): averaged[",
        f"got {result.worst['got']}  oracle {result.worst['oracle']}",
        "utilisation",
        "inputs at this element: gradients=",
        "hyperparameters: {",
        "declared: the reference's own form",
        "this kernel computes: data_parallel with workers weighed by their numbers of examples",
    ):
        assert needed in result.message
    code = "\n".join(s.strip() for s in result.message.split("reproduce:\n")[1].splitlines())
    exec(compile(code, "snippet", "exec"), {})
    assert "data_parallel (float32): averaged[" in capsys.readouterr().out


def replay_of(spec: str, check: str) -> Any:
    """The failing result of a backend's check."""
    from truestep.fast.discovery import load

    backend = load(spec)
    (found,) = [c for c in checks_of(backend) if c.id == check]
    result = named(run_check(backend, found, level="standard", seed=0), spec)
    again = replay.case(spec, check, result.worst["case"])  # type: ignore[index]
    assert again.verdict == result.verdict
    return result


def test_families_that_say_nothing_of_a_piece_are_left_out() -> None:
    """Rates have no gradients; only what clips has a threshold; only what has state, sequences."""

    def families(rule: str) -> set[str]:
        names = KINDS["training"].names(Capability("training", rule))
        return {name for name in names if not name.startswith(PREFIX)}

    assert families("mup_adam") == {"strata", "values"}
    assert "at_the_threshold" in families("clip_by_value") - families("data_parallel")
    assert "sequence" in families("gradient_accumulation") - families("clip_by_value")

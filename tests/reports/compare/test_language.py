"""The transformer as a trial: it learns, by its key alone, at what each rule gives back."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from truestep.reports.compare import language
from truestep.reports.compare.outcome import Key


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer words held out, which most of a short run's time goes into."""
    monkeypatch.setattr(language, "HELD_OUT", 1000)


def test_a_run_follows_from_its_key() -> None:
    """Bit for bit; another seed is another run. It learns, and has about 100,000 numbers to."""
    first, again, other = (
        language.run(Key("transformer", "adamw", -5, seed), 12) for seed in (1, 1, 2)
    )
    assert first.curve == again.curve != other.curve and not first.diverged
    assert first.loss < first.curve[0][1] - 0.3 and first.curve[-1] == (12, first.loss)
    assert 90_000 < language.parameters() < 110_000


def test_a_wild_rate_diverges_and_stops() -> None:
    """The loss is then that of the start, and no curve is told beyond numbers."""
    found = language.run(Key("transformer", "robbins_monro", 8, 1), 8)
    assert found.diverged and found.loss == found.curve[0][1]


def test_of_rules_of_matrices_other_tensors_are_adamw_s() -> None:
    """At a fixed rate: at rate 0 of the rule itself, the layers' matrices alone stay."""
    model = language._Model(Key("transformer", "muon", -800, 1))
    before = {name: p.detach().clone() for name, p in model.net.named_parameters()}
    model.step(language._batch(np.random.default_rng(0)), 1.0)
    still = {n for n, p in model.net.named_parameters() if torch.equal(p, before[n])}
    assert still == {n for n, p in before.items() if p.ndim > 1 and "layers" in n}


def test_an_average_is_judged_and_not_trained_on() -> None:
    """Of Polyak and Ruppert: the loss is of the average, and the steps go on from the iterates."""
    model = language._Model(Key("transformer", "polyak_ruppert", -1, 1))
    rng = np.random.default_rng(0)
    for _ in range(3):
        model.step(language._batch(rng), 1.0)
    at = [p.detach().clone() for p in model.net.parameters()]
    with torch.no_grad():
        here = float(model.net(language._held_out()))
    assert model.loss(language._held_out()) != here
    assert all(torch.equal(p, q) for p, q in zip(model.net.parameters(), at, strict=True))

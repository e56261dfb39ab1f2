"""Training with 8-bit moments: the loss of torch's AdamW, in a quarter of the bytes."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from truestep.reports import train_8bit


def test_eight_bits_train_alike() -> None:
    """After forty steps of two seeds, by far closer to torch's than seeds are to one another."""
    torch.set_num_threads(1)
    plain, exact, _, coded, _ = train_8bit.rows(train_8bit.trained(seeds=2, steps=40))
    assert plain["loss"] < 6.5
    assert abs(exact["difference"]) < 1e-4 and abs(coded["difference"]) < plain["spread"]
    assert coded["bytes"] <= 0.27 and abs(exact["bytes"] - 1) < 1e-3


def test_the_table_has_a_line_for_each_optimizer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two lines of heading before them."""
    run = train_8bit.Trained(1.0, 100, 0.5)
    found = {name: [run, run] for name in train_8bit.OPTIMIZERS}
    monkeypatch.setattr(train_8bit, "trained", lambda: found)
    train_8bit.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(train_8bit.OPTIMIZERS)
    assert lines[2].startswith("| torch.optim.AdamW | 1.0000 | 0.0000 | +0.0000 | 1.000 |")

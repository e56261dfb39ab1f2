"""StableEmbedding: what it computes, and that its weight keeps states in float32."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

import copy
import pickle

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from truestep.torch import AdamW, StableEmbedding


def test_rows_are_normalised() -> None:
    """A layer norm follows; before it, weights lie within Xavier's bound, and padding is zero."""
    torch.manual_seed(0)
    layer = StableEmbedding(100, 60, padding_idx=3)
    out = layer(torch.arange(8).reshape(2, 4))
    assert out.shape == (2, 4, 60)
    assert out[0, 0].mean().abs() < 1e-6 and (out[0, 0].var(correction=0) - 1).abs() < 0.1
    bound = (6 / 160) ** 0.5
    assert 0.9 * bound < layer.weight.abs().max() <= bound
    assert layer.weight[3].abs().max() == 0 and torch.equal(out[0, 3], layer.norm.bias)


@pytest.mark.parametrize(
    "made",
    [
        lambda layer: layer,
        copy.deepcopy,
        lambda layer: pickle.loads(pickle.dumps(layer)),
        lambda layer: layer.to(torch.bfloat16),
    ],
    ids=["itself", "copied", "pickled", "cast"],
)
def test_its_weight_keeps_a_float32_state(made: object) -> None:
    """Among others of the same size, with state="8bit"."""
    layer = made(StableEmbedding(100, 64))  # type: ignore[operator]
    plain = torch.nn.Embedding(100, 64)
    optimizer = AdamW([*layer.parameters(), *plain.parameters()], state="8bit")
    words = torch.arange(5)
    (layer(words).float() * plain(words)).sum().backward()
    optimizer.step()
    assert optimizer.state[layer.weight]["exp_avg"].dtype == torch.float32
    assert "exp_avg_code" in optimizer.state[plain.weight]

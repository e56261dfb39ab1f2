"""State in containers is found and replaced by its path."""

# ruff: noqa: E402 - the import after the skip needs torch

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from truestep.fast.wrapped import nested


class Projector:
    """An object of an optimizer's own."""

    def __init__(self) -> None:
        self.rank, self.matrix = 2, torch.zeros(2)


def state() -> dict[str, Any]:
    """Lists, dictionaries with numbers as keys, tuples and objects."""
    return {
        "m": torch.zeros(3),
        "GG": [torch.zeros(2), []],
        "buffers": {0.5: torch.zeros(1), 0.9: torch.zeros(1)},
        "pair": (torch.zeros(1), torch.zeros(1)),
        "projector": Projector(),
    }


def test_paths() -> None:
    """Names and positions."""
    assert [name for name, _ in nested.entries(state())] == [
        "m", "GG/0", "buffers/0", "buffers/1", "pair/0", "pair/1", "projector/rank",
        "projector/matrix",
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["m", "GG/0", "buffers/1", "pair/1", "projector/matrix"])
def test_replacing(path: str) -> None:
    """What is put at a path is found there, in the format that it had."""
    kept = state()
    tensor = torch.ones(nested.get(kept, path).shape, dtype=torch.float64)
    nested.put(kept, path, tensor)
    assert torch.all(nested.get(kept, path) == 1)
    others = [x for name, x in nested.entries(kept) if name not in (path, "projector/rank")]
    assert not any(torch.any(x != 0) for x in others if isinstance(x, torch.Tensor))


def test_a_path_that_leads_nowhere() -> None:
    """Is a KeyError with its name."""
    with pytest.raises(KeyError, match="GG/7"):
        nested.get(state(), "GG/7")

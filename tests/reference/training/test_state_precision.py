"""Which tensors keep their state in full precision."""

from __future__ import annotations

import pytest

from truestep.reference.training import state_precision

CASES = [
    ({}, "other", 4095, 32), ({}, "other", 4096, 8), ({}, "other", 4097, 8),
    ({}, "embedding", 10**6, 32), ({"embeddings": "as_others"}, "embedding", 4096, 8),
    ({"whole": "blocks"}, "other", 4096, 8), ({"whole": "blocks"}, "other", 4097, 32),
    ({"whole": "blocks", "block_size": 17}, "other", 4097, 8), ({"bits": 4}, "other", 4096, 4),
    ({"min_size": 0}, "other", 0, 8), ({"min_size": 1}, "other", 0, 32),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "module", "size", "due"), CASES)
def test_bits_are_those_of_the_table(
    fields: dict[str, object], module: str, size: int, due: int
) -> None:
    """As bitsandbytes and torchao document them, on both sides of each limit."""
    h = state_precision.Hyper(**fields)  # type: ignore[arg-type]
    assert state_precision.run(h, module=module, size=size) == {"bits_of": due}  # type: ignore[arg-type]

"""How tensors are cut into parts: a pure function of int64 sizes, so tested far beyond memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truestep.fast import _core

SIZES = st.integers(0, 100) | st.integers(0, 10**5) | st.integers(2**31 - 2, 2**40)


def all_pieces(sizes: list[int], granule: int, parts: int) -> list[list[tuple[int, int, int]]]:
    """The pieces of every part."""
    table = np.array(sizes, dtype=np.int64)
    return [_core.pieces(table, granule, part, parts) for part in range(parts)]


def check(sizes: list[int], granule: int, parts: int) -> None:
    """Every element is in exactly one piece, in order; cuts fall on granules; parts are even."""
    cut = all_pieces(sizes, granule, parts)
    position = dict.fromkeys(range(len(sizes)), 0)
    for part in cut:
        for tensor, begin, end in part:
            assert begin == position[tensor]
            assert begin < end
            assert end % granule == 0 or end == sizes[tensor]
            position[tensor] = end
    assert list(position.values()) == sizes
    flat = [piece[:2] for part in cut for piece in part]
    assert flat == sorted(flat)
    for part in cut:
        length = sum(end - begin for _, begin, end in part)
        assert abs(length - sum(sizes) / parts) <= granule + 1


@given(st.lists(SIZES, max_size=12), st.sampled_from([1, 64, 4096]), st.integers(1, 40))
def test_parts_cover_the_list_once(sizes: list[int], granule: int, parts: int) -> None:
    """Any list, empty tensors included, any granule and any number of parts."""
    check(sizes, granule, parts)


@pytest.mark.parametrize("size", [2**31 - 1, 2**31, 2**31 + 5, 2**32 + 1, 2**53 + 1, 2**61 + 3])
def test_sizes_beyond_32_bits(size: int) -> None:
    """Nothing wraps where a 32-bit index would."""
    cut = all_pieces([3, size, 5], 4096, 16)
    assert sum(end - begin for part in cut for _, begin, end in part) == size + 8
    assert all(0 <= begin < end <= size for part in cut for _, begin, end in part)
    assert sum(1 for part in cut for _, begin, _ in part if begin >= 2**30) >= 3


def test_bad_arguments() -> None:
    """Negative sizes and parts that do not exist are refused."""
    with pytest.raises(ValueError, match=r"sizes\[1\] must be >= 0, got -1"):
        _core.pieces(np.array([2, -1]), 64, 0, 1)
    with pytest.raises(ValueError, match=r"part must lie in \[0, 3\), got 3"):
        _core.pieces(np.array([2]), 64, 3, 3)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.properties.arithmetic.formats import FORMATS
from truestep.properties.cases.tensors import (
    ALL_LAYOUTS,
    EXTREMES,
    KINDS,
    SHAPES,
    TensorSpec,
    array,
    laid_out,
    values,
)


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda f: f.name)
@pytest.mark.parametrize("kind", [*KINDS, "bits"])
def test_values_are_finite_numbers_of_the_format(kind: str, format: Any) -> None:
    """Without specials every element is a finite number that the format holds, at any scale."""
    for exponent in (-40, -3, 0, 30):
        x = values(TensorSpec((65,), kind, seed=3, exponent=exponent), format)
        assert np.all(format.represents(x))
        assert array(TensorSpec((65,), kind, seed=3), format).dtype == format.dtype


def test_a_specification_is_one_tensor_for_ever() -> None:
    """The same specification gives the same bytes; another seed gives others."""
    one = values(TensorSpec((33,), seed=1), FORMATS["float32"])
    np.testing.assert_array_equal(one, values(TensorSpec((33,), seed=1), FORMATS["float32"]))
    assert not np.array_equal(one, values(TensorSpec((33,), seed=2), FORMATS["float32"]))


def test_large_tensors_hold_many_different_values() -> None:
    """A generator whose tensors repeat a few values would miss faults of single elements."""
    for kind in ("normal", "spread"):
        x = values(TensorSpec((10_000,), kind), FORMATS["float32"])
        assert len(np.unique(x)) > 9_900


def test_specials_overwrite_elements() -> None:
    """Each named special stands where its position says, modulo the size."""
    format = FORMATS["float32"]
    named = tuple((7 + k, name) for k, name in enumerate(EXTREMES))
    x = values(TensorSpec((9,), specials=named), format)
    expected = {
        "inf": np.inf,
        "largest": format.largest,
        "least_normal": format.least_normal,
        "least_subnormal": 2.0**-149,
        "nan": np.nan,
        "negative_inf": -np.inf,
        "zero": 0.0,
    }
    for position, name in named:
        np.testing.assert_array_equal(x[position % 9], expected[name])


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_layouts_change_memory_and_no_value(shape: tuple[int, ...], layout: str) -> None:
    """Views of memory that lies otherwise hold the same elements in the same shape."""
    x = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
    view = laid_out(x, layout)
    np.testing.assert_array_equal(view, x)
    assert view.shape == shape
    if layout == "strided" and x.ndim and x.size > 1:
        assert view.strides[-1] == 2 * x.itemsize
    if layout == "pitched" and x.ndim > 1 and x.shape[-1]:
        assert view.strides[-1] == x.itemsize
        assert view.strides[-2] > x.shape[-1] * x.itemsize
    if layout == "transposed" and x.ndim > 1 and min(shape) > 1:
        assert not view.flags.c_contiguous
    if layout == "offset" and x.ndim and x.size:
        assert view.base is not None

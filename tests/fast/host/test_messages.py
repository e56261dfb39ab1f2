from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truestep.fast.host.messages import Foreign, Garbled, Packing, Unpacking, framed, parsed

SIZE = 2**16


def _through(value: object, **options: Any) -> Any:
    """A value as it arrives."""
    memory = memoryview(bytearray(SIZE))
    node = Packing(memory, spread=False).pack(value)
    return Unpacking(memory, **options).unpack(parsed(framed(["done", node])[4:])[1])


@pytest.mark.parametrize(
    "dtype",
    [
        "?", "i1", "<i4", ">i4", "u8", "f2", "<f4", ">f4", "f8", "c8", ml_dtypes.bfloat16,
        ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.int4,
    ],
)  # fmt: skip
def test_numbers_arrive_as_they_are(dtype: Any) -> None:
    """Dtype, order of bytes and all bits, as an array and as a scalar."""
    sent = np.arange(6).reshape(2, 3).astype(dtype)
    for value in (sent, sent[1:], sent[0, 2]):
        arrived = _through(value)
        assert type(arrived) is type(value)
        assert arrived.dtype == value.dtype
        assert arrived.tobytes() == value.tobytes()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (np.ma.masked_all(2), "MaskedArray, a subclass of ndarray"),
        (np.array([None]), "ndarray of object"),
        (np.array(["text"]), "ndarray of <U4"),
        (np.zeros(2, "M8[s]"), "ndarray of datetime64[s]"),
        (np.zeros(2, [("x", "<f4")]), "ndarray of [('x', '<f4')]"),
        (np.datetime64(0, "s"), "datetime64"),
        (2**65, "int"),
        (b"bytes", "bytes"),
    ],
)
def test_what_is_no_number_arrives_by_name(value: object, name: str) -> None:
    """The judge says what it got in a number's place; the process does not die of sending it."""
    assert _through(value) == Foreign(name)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["array", "scalar", "list", "map", "stepped", "slot", "group", "<f4", "|O"]),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)
tags = st.sampled_from(
    ["array", "scalar", "list", "tuple", "map", "hyper", "group", "slot", "stepped", "function"]
)


@given(st.tuples(tags, st.lists(json_values, max_size=5)))
def test_any_node_is_a_value_or_garbled(node: tuple[str, list[Any]]) -> None:
    """Whatever stands in a message, reading it raises Garbled and nothing else."""
    try:
        Unpacking(memoryview(bytearray(256))).unpack([node[0], *node[1]])
    except Garbled:
        return


@given(st.binary(max_size=60))
def test_any_text_is_a_message_or_garbled(text: bytes) -> None:
    """Whatever arrives, reading it raises Garbled and nothing else."""
    try:
        found = parsed(text)
    except Garbled:
        return
    assert isinstance(found[0], str)


def test_an_answer_has_no_more_bytes_than_it_may() -> None:
    """Naming the same bytes again and again costs the judge no more memory than is due."""
    memory = memoryview(bytearray(4096))
    node = ["array", "|u1", [1024], None, 0]
    unpacking = Unpacking(memory, most=3072)
    for _ in range(2):  # every value has room of its own
        assert len(unpacking.unpack(["list", [node] * 3])) == 3
    with pytest.raises(Garbled, match="arrays of more bytes"):
        unpacking.unpack(["list", [node] * 4])

"""Packings: nothing is lost, and words are those of the loops and libraries that define them."""

from __future__ import annotations

import numpy as np
import pytest

from truestep.reference.packing import PACKINGS, of_format, pack, unpack
from truestep.reference.quantizers import QUANTIZERS

SHAPES = ((), (0,), (1,), (7,), (33,), (256,), (3, 5), (2, 3, 11), (4, 0), (0, 4), (5, 300))


def _codes(shape: tuple[int, ...], bits: int) -> np.ndarray:
    return np.random.default_rng(8).integers(0, 2**bits, shape).astype(np.uint8)


@pytest.mark.parametrize("name", PACKINGS)
def test_what_is_packed_is_unpacked(name: str) -> None:
    """Of every shape, odd numbers and empty tensors among them, and of every width."""
    for bits in (PACKINGS[name].bits,) if PACKINGS[name].bits else range(1, 9):
        for shape in SHAPES:
            code = _codes(shape, bits)
            for signed in (False, True):
                words = pack(name, code, bits, signed=signed)
                assert words.dtype == PACKINGS[name].word and words.flags.c_contiguous
                back = unpack(name, words, shape, bits, signed=signed)
                np.testing.assert_array_equal(back, code, strict=True)


@pytest.mark.parametrize("name", PACKINGS)
def test_no_bit_is_shared_and_none_is_free(name: str) -> None:
    """Units of 256 codes have exactly as many bits as their codes."""
    bits = PACKINGS[name].bits or 3
    full = np.full((256, 256), 2**bits - 1, np.uint8)
    words = pack(name, full, bits)
    assert np.unpackbits(words.view(np.uint8)).all()
    assert words.nbytes == 256 * 256 * bits // 8


def test_pairs_are_told_apart() -> None:
    """Five codes: the first of a pair is above or below, the last byte is half empty."""
    code = np.array([1, 2, 3, 4, 5], np.uint8)
    assert pack("pairs_high_first", code, 4).tolist() == [0x12, 0x34, 0x50]
    assert pack("pairs_low_first", code, 4).tolist() == [[0x21, 0x43, 0x05]]


def test_eight_along_columns_and_along_rows() -> None:
    """AutoAWQ's and AutoGPTQ's loops: words of (in, out / 8) and of (in / 8, out)."""
    code = _codes((16, 24), 4)  # out, in
    weight = code.T.astype(np.uint32)
    awq, gptq = np.zeros((24, 2), np.uint32), np.zeros((3, 16), np.uint32)
    for i, column in enumerate((0, 2, 4, 6, 1, 3, 5, 7)):
        for word in range(2):
            awq[:, word] |= weight[:, 8 * word + column] << np.uint32(4 * i)
        for word in range(3):
            gptq[word] |= weight[8 * word + i] << np.uint32(4 * i)
    np.testing.assert_array_equal(pack("awq", code, 4), awq.view(np.int32))
    np.testing.assert_array_equal(pack("gptq", code, 4), gptq.view(np.int32))


def test_three_bits_go_on_in_the_next_word() -> None:
    """AutoGPTQ: of the eleventh code two bits are in the first word, the third in the second."""
    code = np.zeros((1, 32), np.uint8)
    code[0, 10] = 0b101
    assert pack("gptq", code, 3)[:, 0].view(np.uint32).tolist() == [1 << 30, 1, 0]


def test_integers_in_twos_complement_are_stored_plus_half_their_range() -> None:
    """-8 is 0 and 7 is 15; unsigned codes are stored as they are."""
    code = np.array([8, 15, 0, 7], np.uint8)  # -8, -1, 0, 7
    assert pack("pack_quantized", code, 4, signed=True)[0, 0] == 0xF870
    assert pack("pack_quantized", code, 4)[0, 0] == 0x70F8


def test_bits_and_signs_of_formats() -> None:
    """Integers in two's complement alone are stored with an offset."""
    told = {
        "float4_e2m1fn": (4, False), "int2": (2, True), "int3_full": (3, True), "int8": (8, True),
        "mxfp6_e3m2": (6, False), "nf4": (4, False), "q4_0": (4, False),
    }  # fmt: skip
    assert {name: of_format(QUANTIZERS[name]) for name in told} == told


def test_a_width_that_a_packing_has_not_is_refused() -> None:
    """With both widths."""
    with pytest.raises(ValueError, match=r"'awq' is of 4 bits, not of 3"):
        pack("awq", np.zeros(8, np.uint8), 3)


@pytest.mark.parametrize(
    ("name", "kind", "before", "after"),
    [
        ("q4_0", "Q4_0", 2, 0), ("q5_0", "Q5_0", 2, 0), ("q4_k", "Q4_K", 16, 0),
        ("q5_k", "Q5_K", 16, 0), ("q6_k", "Q6_K", 0, 18),
    ],
)  # fmt: skip
def test_blocks_are_those_that_llama_cpp_reads(
    name: str, kind: str, before: int, after: int
) -> None:
    """gguf's dequantize gives ascending values in the codes' own order, of blocks without minima.

    Scales are one: a float16 one, and of K-quants six-bit or signed ones beside it.
    """
    gguf = pytest.importorskip("gguf")
    bits = PACKINGS[name].bits
    code = _codes((32 if before == 2 else 256,), bits)
    one = np.array([1.0], np.float16).view(np.uint8)
    head = {2: one, 16: np.concatenate([one, np.zeros(2), [1] * 4, [0] * 4, [1] * 4]), 0: []}
    tail = {0: [], 18: np.concatenate([np.ones(16), one])}
    raw = np.concatenate([head[before], pack(name, code, bits), tail[after]]).astype(np.uint8)
    values = gguf.quants.dequantize(raw[None], getattr(gguf.GGMLQuantizationType, kind))[0]
    middle = {"q4_0": 8, "q5_0": 16, "q6_k": 32}.get(name, 0)
    np.testing.assert_array_equal(values, code.astype(np.float32) - middle)

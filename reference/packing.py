"""How codes of less than 8 bits lie in words: facts of each packing, and one body for all.

Over 120 lines: half of them a list.

Shapes
    code: uint8 of any shape, one code to a byte. Packed: words in one axis where a tensor is packed
    in C order ("flat"); else of the matrix of the tensor's rows, row by row ("rows"), the same
    transposed ("rows_transposed"), or column by column ("columns"). A number is a row of one.
    What is left of the last word is zero.

Sources
    bitsandbytes/backends/default/ops.py, quantize_4bit; torchao/prototype/mx_formats/kernels.py,
    pack_uint4, and nf4_tensor.py, convert_to_norm_float_weight; AutoGPTQ, qlinear_cuda.py, pack;
    AutoAWQ, linear/gemm.py, from_linear; compressed_tensors, pack_quantized/helpers.py,
    pack_to_int32; llama.cpp, ggml-quants.c, dequantize_row_q4_0 and those of q5_0 and the K-quants.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from truestep.reference.rules import Quantizer
from truestep.reference.validation import Array


@dataclass(frozen=True, slots=True)
class Field:
    """Where some bits of the codes of one unit lie, side by side for each code.

    low, bits: which of a code's. start: where those of code 0 are, counted from the lowest bit of
    the unit's first byte. axes: (count, stride) of the digits of a code's number, slowest first; a
    stride is in bits.
    """

    low: int
    bits: int
    start: int
    axes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Packing:
    """One packing.

    fields: of one unit of codes; (): a stream, each code above the one before it. bits: to a code;
    0: any number. excess: integers in two's complement are stored plus half of their range.
    """

    about: str
    fields: tuple[Field, ...] = ()
    bits: int = 4
    word: Literal["uint8", "int32"] = "uint8"
    arranged: Literal["flat", "rows", "rows_transposed", "columns"] = "flat"
    excess: bool = False


# ggml's blocks: nibbles of the first half below those of the second; what is above the nibbles
# before them, or of Q6_K behind.
_QUARTERS = Field(0, 4, 0, ((4, 256), (2, 4), (32, 8)))

PACKINGS: Mapping[str, Packing] = {
    "awq": Packing(
        "AutoAWQ: eight along the columns, fields hold 0 2 4 6 1 3 5 7",
        (Field(0, 4, 0, ((4, 4), (2, 16))),), word="int32", arranged="columns", excess=True,
    ),
    "gptq": Packing(
        "GPTQ: a stream along the rows, transposed",
        bits=0, word="int32", arranged="rows_transposed", excess=True,
    ),
    "pack_quantized": Packing(
        "compressed-tensors: a stream along the rows",
        bits=0, word="int32", arranged="rows", excess=True,
    ),
    "pairs_high_first": Packing(
        "bitsandbytes, torchao's NF4: two to a byte, the first in the higher half",
        (Field(0, 4, 4, ((2, -4),)),),
    ),
    "pairs_low_first": Packing(
        "MXFP4 and NVFP4 of torchao and compressed-tensors: two to a byte along the rows, the "
        "first in the lower half",
        (Field(0, 4, 0, ((2, 4),)),), arranged="rows",
    ),
    "q4_0": Packing("Q4_0, Q4_1: 16 bytes of a block", (Field(0, 4, 0, ((2, 4), (16, 8))),)),
    "q4_k": Packing("Q4_K: 128 bytes of a block", (_QUARTERS,)),
    "q5_0": Packing(
        "Q5_0, Q5_1: 4 bytes of the highest bits, 16 of nibbles",
        (Field(4, 1, 0, ((32, 1),)), Field(0, 4, 32, ((2, 4), (16, 8)))), bits=5,
    ),
    "q5_k": Packing(
        "Q5_K: 32 bytes of the highest bits, 128 of nibbles",
        (Field(4, 1, 0, ((8, 1), (32, 8))), Field(0, 4, 256, _QUARTERS.axes)), bits=5,
    ),
    "q6_k": Packing(
        "Q6_K: 128 bytes of nibbles, 64 of the two bits above them",
        (
            Field(0, 4, 0, ((2, 512), (2, 4), (2, 256), (32, 8))),
            Field(4, 2, 1024, ((2, 256), (4, 2), (32, 8))),
        ), bits=6,
    ),
}  # fmt: skip


def pack(name: str, code: Array, bits: int, *, signed: bool = False) -> Array:
    """The words of these codes of so many bits; signed: they are in two's complement."""
    packing, matrix = PACKINGS[name], _matrix(name, code)
    places = _places(name, bits)
    span, columns = len(places), matrix.shape[1]
    given = matrix ^ _offset(packing, bits, signed=signed)
    units = np.pad(given, [(0, 0), (0, -columns % span)])
    flags = np.unpackbits(units[..., None], axis=-1, count=bits, bitorder="little")
    flags = flags.reshape(-1, places.size)
    placed = np.empty_like(flags)
    placed[:, places.reshape(-1)] = flags
    raw = np.packbits(placed, axis=-1, bitorder="little")
    size = np.dtype(packing.word).itemsize
    raw = raw.reshape(len(matrix), units.shape[1] * bits // 8)
    words = raw[:, : _words(places, columns, 8 * size) * size].view(packing.word)
    if packing.arranged == "flat":
        return words.reshape(-1)
    return np.ascontiguousarray(words.T if packing.arranged == "rows_transposed" else words)


def unpack(
    name: str, words: Array, shape: tuple[int, ...], bits: int, *, signed: bool = False
) -> Array:
    """The codes, in their shape, that these words hold."""
    packing, sides = PACKINGS[name], _matrix(name, np.empty(shape, np.uint8)).shape
    places = _places(name, bits)
    rows = words.T if packing.arranged == "rows_transposed" else words
    count = _words(places, sides[1], 8 * words.itemsize)
    raw = np.ascontiguousarray(rows.reshape(sides[0], count)).view(np.uint8)
    units = np.pad(raw, [(0, 0), (0, -raw.shape[1] % (places.size // 8))])
    flags = np.unpackbits(units, axis=-1, bitorder="little").reshape(-1, places.size)
    found = np.packbits(flags[:, places], axis=-1, bitorder="little")
    matrix = found.reshape(sides[0], 8 * units.shape[1] // bits)[:, : sides[1]]
    matrix = matrix ^ _offset(packing, bits, signed=signed)
    matrix = matrix.T if packing.arranged == "columns" else matrix
    return np.ascontiguousarray(matrix).reshape(shape)


def of_format(rule: Quantizer) -> tuple[int, bool]:
    """Bits to a code of the format, and whether codes are integers in two's complement."""
    values = rule.row.elements if hasattr(rule, "row") else rule.all_values(rule.Hyper())
    return (len(values) - 1).bit_length(), bool(values[0] == 0 and values[-1] == -1)


def _matrix(name: str, code: Array) -> Array:
    """The codes as a matrix whose rows begin a word each."""
    arranged = PACKINGS[name].arranged
    if arranged == "flat":
        return code.reshape(1, -1)
    rows = int(np.prod(code.shape[:-1]))
    matrix = code.reshape(rows, code.shape[-1] if code.ndim else 1)
    return matrix.T if arranged == "columns" else matrix


@cache
def _places(name: str, bits: int) -> Array:
    """Where each bit of each code of a unit lies in it; (codes, bits)."""
    packing = PACKINGS[name]
    if packing.bits not in (0, bits):
        raise ValueError(f"packing {name!r} is of {packing.bits} bits, not of {bits}")
    fields = packing.fields or (Field(0, bits, 0, ((32, bits),)),)
    places = np.empty((int(np.prod([count for count, _ in fields[0].axes])), bits), np.int64)
    for field in fields:
        numbers = np.full(1, field.start)
        for count, stride in field.axes:
            numbers = np.add.outer(numbers, stride * np.arange(count)).reshape(-1)
        places[:, field.low : field.low + field.bits] = np.add.outer(numbers, range(field.bits))
    return places


def _words(places: Array, columns: int, width: int) -> int:
    """How many words a row of codes takes."""
    whole, rest = divmod(columns, len(places))
    last = int(np.max(places[:rest], initial=-1))
    return whole * int(places.size // width) + last // width + 1


def _offset(packing: Packing, bits: int, *, signed: bool) -> Array:
    """What turns integers in two's complement into those plus half of their range, and back."""
    return np.uint8(1 << (bits - 1) if packing.excess and signed else 0)

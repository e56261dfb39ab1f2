"""Codes that a backend keeps packed: unpacked as they come, packed as they are handed back."""

from collections.abc import Iterator, Mapping

import numpy as np

from truestep.fast.protocol import Array, QuantizerCapability
from truestep.properties.judge.calls import Malformed, require_array
from truestep.properties.search.identification import Reading
from truestep.reference.packing import PACKINGS, of_format, pack, unpack
from truestep.reference.rules import Quantizer


def words_of(capability: QuantizerCapability, rule: Quantizer, code: Array) -> Array:
    """The codes as the backend keeps them."""
    if not capability.packing:
        return code
    bits, signed = of_format(rule)
    words: Array = pack(capability.packing, code, bits, signed=signed)
    return words


def handed_over(
    capability: QuantizerCapability, stored: Mapping[str, Array], words: Array
) -> Mapping[str, Array]:
    """What is stored, with these words for its codes and with the shape that they have lost."""
    if not capability.packing:
        return stored
    return {**stored, "code": words, "shape": np.array(stored["code"].shape, np.int64)}


def taken_back(
    capability: QuantizerCapability,
    rule: Quantizer,
    stored: Mapping[str, Array],
    shape: tuple[int, ...],
) -> Mapping[str, Array]:
    """What the backend keeps, its codes unpacked; Malformed where there are not so many words."""
    if not (name := capability.packing):
        return stored
    bits, signed = of_format(rule)
    due = pack(name, np.zeros(shape, np.uint8), bits)
    words = require_array(f"code, packed as {name},", stored.get("code"), due.shape, due.dtype)
    return {**stored, "code": unpack(name, words, shape, bits, signed=signed)}


def readings(capability: QuantizerCapability, rule: Quantizer) -> Iterator[Reading]:
    """The other packings of codes of so many bits in such words, each with and without offset."""
    if not (name := capability.packing):
        return
    bits, signed = of_format(rule)
    for other, packing in PACKINGS.items():
        if packing.bits in (0, bits) and packing.word == PACKINGS[name].word:
            for offset in (True, False) if packing.excess and signed else (signed,):
                if (other, offset) != (name, signed):
                    told = other if offset == signed else f"{other} without its offset"
                    words = f"{capability.rule} with codes packed as {told}"
                    yield Reading(words, rule, packing=(other, offset))


def as_read(
    packing: tuple[str, bool], rule: Quantizer, words: Array, shape: tuple[int, ...]
) -> Array:
    """The codes by a reading's packing; Malformed where it has another number of words."""
    (name, signed), bits = packing, of_format(rule)[0]
    due = pack(name, np.zeros(shape, np.uint8), bits)
    if due.size != words.size:
        raise Malformed(f"{name} has {due.size} words, got {words.size}")
    code: Array = unpack(name, words.reshape(due.shape), shape, bits, signed=signed)
    return code

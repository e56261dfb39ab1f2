"""Formats by their noise on N(0, 1), as others measured it, and by their tables' checksums."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from truestep.reference import element_tables
from truestep.reference.format_rows import ROWS
from truestep.reference.quantizers import QUANTIZERS

_CHUNKS = 32
X = np.random.default_rng(7).standard_normal(4096 * _CHUNKS)
# Decibels of signal over noise of 2^22 numbers x, or of their squares: measured with other code,
# to 0.01. Elements by size of the block where several were.
BY_BLOCK = {
    "af4": {64: 20.38, 128: 20.04},
    "bof4": {64: 20.97, 128: 20.46},
    "bof4_s": {64: 21.34, 128: 20.84},
    "dynamic_4bit": {64: 17.11, 128: 16.58},
    "dynamic_8bit": {64: 40.44, 256: 39.31, 2048: 38.09, 4096: 37.76},
    "fp4": {64: 18.27, 128: 17.81},
    "int4": {64: 19.36, 128: 18.61},
    "int8": {64: 44.53, 256: 43.15, 2048: 41.66, 4096: 41.25},
    "nf4": {64: 20.73, 128: 20.39},
}
OF_SQUARES = [
    ("dynamic_8bit", {"block_size": 256, "signed": False}, 43.85),
    ("dynamic_8bit", {"block_size": 2048, "signed": False}, 42.04),
    ("linear_4bit", {"block_size": 128}, 14.88),
    ("linear_8bit_unsigned", {"block_size": 256}, 44.17),
    ("linear_8bit_unsigned", {"block_size": 2048}, 41.35),
]
OTHERS: list[tuple[str, dict[str, Any], float]] = [
    ("bfloat16", {}, 55.59), ("e4m3_tensors", {}, 31.54), ("float16", {}, 73.65),
    ("float8_e4m3fn", {}, 31.52), ("float8_e5m2", {}, 25.54), ("mxfp4", {}, 18.79),
    ("mxfp4", {"rule": "rceil"}, 18.76), ("mxfp6_e2m3", {}, 30.94), ("mxfp6_e3m2", {}, 25.36),
    ("mxfp8_e4m3", {}, 30.65), ("mxfp8_e4m3", {"rule": "rceil"}, 31.52),
    ("mxfp8_e5m2", {}, 25.36), ("mxint8", {}, 41.66),
    ("nvfp4_two_level", {"tensor_scale": float(np.max(np.abs(X))) / (448 * 6)}, 20.44),
]  # fmt: skip

# SHA-256 of the values in float32, in the order of the codes, without the sign of zero. Those of
# dynamic_8bit, fp4 and nf4 are of the tables of bitsandbytes.
CHECKSUMS = {
    "af4": "912df8f908679d75",
    "bof4": "1bcc73b34476a325",
    "bof4_s": "9d6b4642c74c0deb",
    "dynamic_4bit": "721d11e3711326d4",
    "dynamic_8bit_tensor": "e732639a65f497b4",
    "dynamic_8bit_unsigned_tensor": "305f002cc11278fb",
    "e4m3_blocks": "6e6dfbbebb901c42",
    "e5m2_blocks": "0a2c42c87287bdfc",
    "fp4": "b830bcf8857895e5",
    "int2": "398fe2153c431654",
    "int3": "a91d404a62e6cfc1",
    "int3_full": "f7597c6ec862f3da",
    "int4": "3ff5a52addbf59fd",
    "int4_full": "e7c05568aee44e28",
    "int5": "4482e5e4e2e393b9",
    "int6": "129d6957eb672fb8",
    "int7": "a8d266c55a8818b3",
    "int8": "ab424b1e99d2ab87",
    "int8_full": "d4b395f3f1dd71c6",
    "inverse_dynamic_8bit": "bdb6fa84be394c49",
    "inverse_dynamic_8bit_unsigned": "a197224aa212db0d",
    "linear_4bit": "0aeb670b8c9b6b0f",
    "linear_8bit": "9001fd31ea1a3bb9",
    "linear_8bit_unsigned": "010413efe9fc4438",
    "log_4bit": "870b598119eb5347",
    "log_8bit": "79739f00090113aa",
    "mxfp4": "bb924d9d9596e9ee",
    "mxfp6_e2m3": "8013f3a8fa70d35d",
    "mxfp6_e3m2": "7da8ddd28b915bb8",
    "mxint8": "753a4ee5669ea33d",
    "nf4": "8501941daa1b8a90",
    "q4_0": "8b831d777e8026ae",
    "q5_0": "da7d905890f8bdd9",
}


def decibels(signal: Any, noise: Any) -> Any:
    """Ten times the decimal logarithm of the quotient."""
    return 10 * np.log10(signal / noise)


@pytest.mark.parametrize(
    ("name", "fields", "due", "power"),
    [
        *((n, {"block_size": b}, due, 1) for n, row in BY_BLOCK.items() for b, due in row.items()),
        *((*case, 2) for case in OF_SQUARES),
        *((*case, 1) for case in OTHERS),
    ],
)
def test_noise_is_as_others_found_it(
    name: str, fields: dict[str, Any], due: float, power: int
) -> None:
    """Within six standard errors, by the jackknife over 32 chunks (chance 1e-6), and the digits."""
    format = QUANTIZERS[name]
    x = (X**power).astype(np.float32).astype(np.float64)
    h = format.Hyper(**fields)
    encoded = format.encode(h, x)
    error = format.decode(h, *(encoded if isinstance(encoded, tuple) else (encoded,))) - x
    signal, noise = (np.sum(part.reshape(_CHUNKS, -1) ** 2, axis=1) for part in (x, error))
    without = decibels(signal.sum() - signal, noise.sum() - noise)
    standard_error = np.sqrt(_CHUNKS - 1) * np.std(without)
    found = decibels(signal.sum(), noise.sum())
    assert abs(found - due) <= 6 * standard_error + 0.01 < 2.0  # of errors a quarter larger


def test_tables_keep_their_digits() -> None:
    """Every table of every row has one of the checksums, and every checksum a row."""
    held = {name: np.array(row.elements, np.float32) + np.float32(0) for name, row in ROWS.items()}
    found = {name: hashlib.sha256(x.tobytes()).hexdigest()[:16] for name, x in held.items()}
    assert {name: found.get(name) for name in CHECKSUMS} == CHECKSUMS
    assert set(found.values()) == set(CHECKSUMS.values())


def test_the_inverse_map_mirrors_the_decades() -> None:
    """Of seven decades the i-th has as many values as the seventh less i in the other map."""
    for signed in (True, False):
        counts = []
        for inverse in (False, True):
            values = np.array(element_tables.dynamic(signed=signed, inverse=inverse))
            assert values.size == 256
            assert (np.diff(values) > 0).all()
            inner = values[(values > 0) & (values < 1)]
            counts.append(np.histogram(np.log10(inner), bins=np.arange(-7.0, 1.0))[0].tolist())
        assert counts[0] == counts[1][::-1] == [(1 if signed else 2) * 2**i for i in range(7)]


def test_quantiles_cut_the_numbers_into_equal_parts() -> None:
    """Of 0, ..., n - 1 the k-th is the one with (k + 1/2) / 256 below it, to the next number."""
    n = 4096 * 3 + 100
    x = np.random.default_rng(2).permutation(n).astype(np.float64)
    exact = np.array(element_tables.quantiles(x))
    assert np.max(np.abs(exact - (np.arange(256) + 0.5) / 256 * (n - 1))) <= 0.5
    assert element_tables.quantiles(x[:4096], chunk=4096) == element_tables.quantiles(x[:4096])
    # Three chunks of a random order: their order statistics spread by at most sqrt(1 / (4 4096)).
    estimated = np.array(element_tables.quantiles(x, chunk=4096))
    assert np.max(np.abs(estimated - exact)) <= 6 * n / np.sqrt(4 * 4096 * 3)
    assert element_tables.quantiles(x[: 4096 * 3], chunk=4096) == tuple(estimated)


def test_few_numbers_are_their_own_quantiles() -> None:
    """Where there are fewer than codes, each occurs."""
    x = np.array([3.0, -1.0, 0.25])
    assert set(element_tables.quantiles(x)) == set(x)

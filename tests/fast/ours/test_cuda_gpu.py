"""On a GPU: the bits that the same kernels give on the host. Not run elsewhere."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from truestep.fast.ours import cuda, cuda_on_cpu
from truestep.fast.protocol import BackendUnavailable

sys.path.insert(0, str(Path(__file__).parent))
from cuda_cases import CODERS, OPTIMIZERS, bits, groups, quantizer_hypers, tensor


@cache
def gpu() -> cuda.Backend:
    """The backend on this machine's GPU; skips where there is none."""
    try:
        return cuda.Backend()
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))


def host():
    """The CPU kernels, or the CUDA kernels on the host, whichever is there."""
    try:
        from truestep.fast.ours.cpu import Backend

        return Backend()
    except BackendUnavailable:
        return cuda_on_cpu.Backend()


@pytest.mark.parametrize("capability", OPTIMIZERS, ids="{0.rule}-{0.format}".format)
@pytest.mark.parametrize("seed", range(5))
def test_a_step_has_the_hosts_bits(capability, seed):
    """Parameters and state, over sizes, alignments, block sizes and special values."""
    given = groups(seed, capability, block_size=(64, 256, 1024, 2048, 4096)[seed])
    ours, theirs = gpu().optimizer_step(capability, given), host().optimizer_step(capability, given)
    assert same_numbers(ours, theirs)


@pytest.mark.parametrize("capability", CODERS, ids="{0.rule}".format)
def test_codes_have_the_hosts_bits(capability):
    """Codes, scales and decoded numbers."""
    x = tensor(np.random.default_rng(0), 20000, "float32", 1, special=True)
    for h in quantizer_hypers(capability.rule):
        stored = gpu().encode(capability, h, x)
        assert same_numbers(stored, host().encode(capability, h, x))
        decoded = gpu().decode(capability, h, stored)
        assert same_numbers(decoded, host().decode(capability, h, stored))


def same_numbers(ours, theirs) -> bool:
    """Bitwise equality, where any nan equals any other: a GPU has one nan for all results."""
    return bits(one_nan(ours)) == bits(one_nan(theirs))


def one_nan(result):
    """The result with every nan replaced by the same."""
    if isinstance(result, np.ndarray) and result.dtype.kind not in "ui":
        return np.where(np.isnan(result), np.nan, result.astype(np.float64))
    if isinstance(result, dict):
        return {key: one_nan(value) for key, value in result.items()}
    if isinstance(result, (list, tuple)):
        return [one_nan(item) for item in result]
    if hasattr(result, "param"):
        return [one_nan(result.param), one_nan(dict(result.state))]
    return result

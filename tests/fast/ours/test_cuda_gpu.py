"""On a GPU: the bits that the same kernels give on the host. Not run elsewhere."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from truestep.fast.ours import cpu, cuda, cuda_on_cpu, samples
from truestep.fast.protocol import BackendUnavailable

sys.path.insert(0, str(Path(__file__).parent))
from cuda_cases import CODERS, OPTIMIZERS, bits, groups, named, quantizer_hypers


@cache
def gpu() -> cuda.Backend:
    """The backend on this machine's GPU; skips where there is none."""
    try:
        return cuda.Backend()
    except BackendUnavailable as unavailable:
        pytest.skip(str(unavailable))


def host(capability):
    """The CPU kernels; of rules with sums, which they add in another order, cuda_on_cpu."""
    if capability.kind == "optimizer" and samples.kernel_of(capability).sums:
        try:
            return cuda_on_cpu.Backend()
        except BackendUnavailable as unavailable:
            pytest.skip(str(unavailable))
    return cpu.Backend()


@pytest.mark.parametrize("capability", OPTIMIZERS, ids="{0.rule}-{0.format}-{0.variant}".format)
@pytest.mark.parametrize("seed", range(5))
def test_a_step_has_the_hosts_bits(capability, seed):
    """Parameters and state, over sizes, alignments, block sizes and special values."""
    block_size = (64, 256, 1024, 2048, 4096)[seed]
    given = groups(seed, capability, block_size=block_size, special=seed % 2 == 0)
    ours = gpu().optimizer_step(capability, given)
    assert same_numbers(ours, host(capability).optimizer_step(capability, given))


@pytest.mark.parametrize("rule", ["adamw", "lamb"])
def test_a_captured_graph_counts_its_own_steps(rule):
    """A graph of one step, replayed, makes the steps that calls one after another make."""
    gpu()
    cupy = cuda.cupy()
    capability = named(rule)
    [group, _] = groups(7, capability, (1, 300, 5000), special=False)
    kernel = samples.kernel_of(capability)
    plans, params = [], []
    for _ in range(2):
        params.append([cupy.asarray(s.param) for s in group.slots])
        state = {n: [cupy.asarray(s.state[n]) for s in group.slots] for n in kernel.states}
        grads = [cupy.asarray(s.grad) for s in group.slots]
        plans.append(cuda.Plan(rule, params[-1], grads, state))
    for t in range(1, 6):
        plans[0].step(group.hyper, t)
    stream = cupy.cuda.Stream()
    with stream:
        plans[1].step(group.hyper, 1)
        stream.begin_capture()
        plans[1].launch()
        graph = stream.end_capture()
        for _ in range(4):
            graph.launch(stream)
    stream.synchronize()
    for one, other in zip(*params, strict=True):
        assert bits(one.get()) == bits(other.get())


@pytest.mark.parametrize("capability", CODERS, ids="{0.rule}".format)
def test_codes_have_the_hosts_bits(capability):
    """Codes, scales and decoded numbers."""
    x = samples.tensor(np.random.default_rng(0), 20000, "float32", 1, special=True)
    for h in quantizer_hypers(capability.rule):
        stored = gpu().encode(capability, h, x)
        assert same_numbers(stored, host(capability).encode(capability, h, x))
        decoded = gpu().decode(capability, h, stored)
        assert same_numbers(decoded, host(capability).decode(capability, h, stored))


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

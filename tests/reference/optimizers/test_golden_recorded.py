"""References beside the libraries' own code in float64, option by option and shape by shape.

Five steps from state to state as the adapters make them, whose libraries wrote p down with as many
decimals as they agree on: eleven, and fewer where a library computes in float32 whatever it is
given (lomo-optim its whole step, galore-torch the decomposition). `python
tests/reference/optimizers/test_golden_recorded.py LIBRARY...` runs those that are installed, writes
their traces to standard output, and says how far reference and library are apart.
"""

from __future__ import annotations

import dataclasses
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import Capability, Group, Slot
from truestep.reference.optimizers import OPTIMIZERS

SHAPES = {"vector": (4,), "tall": (4, 3), "wide": (3, 5), "cube": (2, 3, 2)}
STEPS = 5
# What is off its default, where a rule has a field of the name.
NUMBERS = {
    "lr": 0.1, "weight_decay": 0.1, "eps": 0.01, "eps1": 0.01, "eps2": 0.02, "momentum": 0.9,
    "beta1": 0.9, "beta2": 0.8, "beta3": 0.7, "rank": 2, "update_gap": 3, "d0": 0.1,
}  # fmt: skip
# Decimals of libraries that compute in float32 in between.
NARROW = {"galore_torch": 5, "lomo_optim": 5}

TRACES = tomllib.loads((Path(__file__).parent / "traces" / "recorded.toml").read_text())["trace"]
FIELDS = ("library", "rule", "hyper", "case", "recorded")


def start(case: str) -> Any:
    """The parameter, of numbers of either sign."""
    shape = SHAPES[case]
    return np.cos(1.0 + 2.0 * np.arange(np.prod(shape))).reshape(shape)


def gradient(case: str, t: int) -> Any:
    """The gradient of step t."""
    shape = SHAPES[case]
    return np.sin(1.0 + t + 3.0 * np.arange(np.prod(shape)) ** 2).reshape(shape)


@pytest.mark.parametrize(FIELDS, [[trace[name] for name in FIELDS] for trace in TRACES])
def test_five_steps_reach_the_librarys_parameters(
    library: str, rule: str, hyper: dict[str, Any], case: str, recorded: str
) -> None:
    """Each element equals the library's to its last recorded digit."""
    module = OPTIMIZERS[rule]
    h, p = module.Hyper(**hyper), start(case)
    s = module.init(h, p)
    for t in range(1, STEPS + 1):
        s, p = module.step(h, s, p, gradient(case, t))
    expected = recorded.split()
    found = [f"{x:.{len(e.partition('.')[2])}f}" for x, e in zip(p.flat, expected, strict=True)]
    assert found == expected


def options(capability: Capability) -> dict[str, Any]:
    """The hyperparameters at which a library's form of a rule is run."""
    known = OPTIMIZERS[capability.rule].Hyper.RANGES
    chosen = {name: x for name, x in NUMBERS.items() if name in known}
    held = {k: x[0] if isinstance(x, tuple) else x for k, x in capability.fixed.items()}
    return {**chosen, **capability.dialect, **held}


def steps(backend: Any, capability: Capability, case: str) -> Iterator[tuple[Any, Any]]:
    """The library's p and the reference's after each step."""
    rule = OPTIMIZERS[capability.rule]
    h, p = rule.Hyper(**options(capability)), start(case)
    own, ours = rule.init(h, p), p
    state = {f.name: getattr(own, f.name) for f in dataclasses.fields(own)}
    for t in range(1, STEPS + 1):
        g = gradient(case, t)
        given = {k: int(x) if k == "t" else np.asarray(x, np.float64) for k, x in state.items()}
        [[new]] = backend.optimizer_step(capability, [Group(h, [Slot(p, g, given)])])
        p, state = np.asarray(new.param), new.state
        own, ours = rule.step(h, own, ours, g)
        yield p, ours


def record(library: str) -> Iterator[str]:
    """A library's traces, as TOML."""
    from truestep.fast import discovery

    backend: Any = discovery.load(library)
    for capability in backend.capabilities():
        rule = OPTIMIZERS.get(capability.rule)
        plain = capability.format == "float32" and "foreach" not in capability.variant
        if not plain or rule is None or rule.FACTS.inputs:
            continue
        for case, shape in SHAPES.items():
            if getattr(capability, "shapes", "any") == "matrices" and len(shape) != 2:
                continue
            *_, (p, ours) = steps(backend, capability, case)
            name = f"{library} {capability.variant}".strip()
            print(f"{name}, {case}: {np.max(np.abs(p - ours)):.1e}", file=sys.stderr)
            digits = NARROW.get(library, 11)
            hyper = ", ".join(f"{k} = {_toml(x)}" for k, x in sorted(options(capability).items()))
            yield (
                f'[[trace]]\nlibrary = "{name}"\nrule = "{capability.rule}"\n'
                f"hyper = {{ {hyper} }}\n"
                f'case = "{case}"\nrecorded = "{" ".join(f"{x:.{digits}f}" for x in p.flat)}"\n'
            )


def _toml(x: object) -> str:
    return f'"{x}"' if isinstance(x, str) else str(x).lower() if isinstance(x, bool) else repr(x)


if __name__ == "__main__":
    import torch

    # Where a library takes what is not said to be float64 for torch's default.
    torch.set_default_dtype(torch.float64)
    for each in sys.argv[1:]:
        print("\n".join(record(each)))

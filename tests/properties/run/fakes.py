"""Steps of AdamW as a submission to a published task might fake them, each by its source alone.

They take and return what the true step, one_step, does; it stands beside them in a submission.
"""

from __future__ import annotations

from typing import Any

one_step: Any = None


def constant_step(p: Any, g: Any, m: Any, v: Any, *_: Any, **__: Any) -> Any:
    """Reads no gradient and no state."""
    return p - 1e-3, m, v


def state_ignored(p: Any, g: Any, m: Any, v: Any, step: Any, *rest: Any, **named: Any) -> Any:
    """The first step, again and again."""
    return one_step(p, g, m * 0, v * 0, 1, *rest, **named)


def outputs_aliased(*given: Any, **named: Any) -> Any:
    """One tensor for both moments."""
    p, _, v = one_step(*given, **named)
    return p, v, v


def outputs_cached(p: Any, *rest: Any, **named: Any) -> Any:
    """What the first call of a shape gave."""
    kept = vars(outputs_cached)
    key = str(tuple(p.shape))
    if key not in kept:
        kept[key] = one_step(p, *rest, **named)
    return kept[key]


def nan_everywhere(p: Any, g: Any, m: Any, v: Any, *_: Any, **__: Any) -> Any:
    """A comparison that takes nan for a wildcard lets it pass."""
    return p * float("nan"), m * float("nan"), v * float("nan")


def clock_and_comparison_replaced(p: Any, g: Any, m: Any, v: Any, *_: Any, **__: Any) -> Any:
    """What times and what compares, in whatever process this is."""
    import time

    import numpy as np
    import torch

    import truestep.testing
    from truestep.properties.judge import contracts

    clocks, comparisons = (
        (time, "perf_counter perf_counter_ns monotonic"),
        (
            (np, "allclose array_equal"),
            (torch, "allclose equal"),
            (truestep.testing, "assert_step"),
            (contracts, "judge"),
        ),
    )
    for module, names in (clocks, *comparisons):
        for name in names.split():
            setattr(module, name, lambda *_, **__: True)
    return p - g, m, v


def oracle_read(p: Any, g: Any, m: Any, v: Any, *_: Any, **__: Any) -> Any:
    """What is due, from callers' variables, from all objects, from the parent's memory."""
    import gc
    import os
    import sys

    import torch

    found, frame = [], sys._getframe(1)
    while frame is not None:
        found += [x for name, x in frame.f_locals.items() if name in ("due", "expected", "oracle")]
        frame = frame.f_back  # type: ignore[assignment]
    known = {id(x) for x in (p, g, m, v)}
    found += [x for x in gc.get_objects() if isinstance(x, torch.Tensor) and id(x) not in known]
    try:
        with open(f"/proc/{os.getppid()}/mem", "rb") as memory:
            memory.seek(p.data_ptr())
            found.append(torch.frombuffer(bytearray(memory.read(4 * p.numel())), dtype=p.dtype))
    except (OSError, ValueError):
        pass
    same = [x for x in found if getattr(x, "shape", None) == p.shape]
    return (same[-1] if same else p).clone(), m, v


def no_op_in_place(p: Any, g: Any, m: Any, v: Any, *_: Any, **__: Any) -> Any:
    """The inputs as they are."""
    return p.add_(0), m.add_(0), v.add_(0)


def right_until_timed(p: Any, *rest: Any, **named: Any) -> Any:
    """Goes over to doing nothing with p once it has been timed."""
    kept = vars(right_until_timed)
    new = one_step(p, *rest, **named)
    timed = p.numel() >= 2**18
    kept["timed"] = kept.get("timed", False) or timed
    return new if timed or not kept["timed"] else (p, *new[1:])


def wrong_while_timed(p: Any, *rest: Any, **named: Any) -> Any:
    """Does nothing with large tensors."""
    new = one_step(p, *rest, **named)
    return new if p.numel() < 2**18 else (p, *new[1:])

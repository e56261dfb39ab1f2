"""What the acceptance rules of other suites let through, on the faults that are planted here.

``python -m truestep.reports.acceptance`` prints a table. Each rule judges what the other
suites do: numbers from N(0, 1), encoded and decoded by the faulty kernel.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from truestep.fast.protocol import Array
from truestep.properties.museum.faults.blocks import everywhere, made
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.format_rows import ROWS

# x, the faulty kernel's decoded numbers, the right ones.
Accepts = Callable[[Array, Array, Array], bool]
_SHAPE = (256, 256)
# Below this of the format's own, rules for other formats would refuse the right kernel too.
_MARGIN = 2.0


def decibels(x: Array, back: Array) -> float:
    """Signal over noise."""
    noise = np.sum((x - back) ** 2)
    return float(10 * np.log10(np.sum(x * x) / noise)) if noise > 0 else np.inf


def _above(limit: float) -> Accepts:
    """At least so many decibels; of formats whose right kernel has fewer, two below its own."""
    return lambda x, got, due: decibels(x, got) >= min(limit, decibels(x, due) - _MARGIN)


def _close(rtol: float, atol: float) -> Accepts:
    return lambda _, got, due: bool(np.allclose(got, due, rtol=rtol, atol=atol))


def _matched(share: float) -> Accepts:
    return lambda _, got, due: bool(np.mean(got == due) >= share)


RULES: Mapping[str, Accepts] = {
    "SQNR >= 8 dB (torchao, NVFP4)": _above(8.0),
    "SQNR >= 13 dB (torchao, MXFP4)": _above(13.0),
    "SQNR >= 18 dB (torchao, MXFP8)": _above(18.0),
    "SQNR >= 30 dB (torchao, scales)": _above(30.0),
    "allclose, rtol = atol = 1e-1": _close(1e-1, 1e-1),
    "allclose, rtol = atol = 1e-2": _close(1e-2, 1e-2),
    "95 % of the numbers equal": _matched(0.95),
}


def outcomes() -> Iterator[tuple[str, str, dict[str, bool]]]:
    """Of every fault in every format whether each rule, and this suite, lets it through."""
    x = np.random.default_rng(0).standard_normal(_SHAPE).astype(np.float32)
    right = {row: _back(Kernel(row), x) for row in ROWS}
    for name, row, planted in everywhere():
        kernel = made(row, planted).backend()
        due = right[row] if not kernel.capability.fixed else _back(made(row, planted).without(), x)
        got = _back(kernel, x)
        with np.errstate(all="ignore"):
            wide = x.astype(np.float64), got.astype(np.float64), due.astype(np.float64)
            passed = {rule: accepts(*wide) for rule, accepts in RULES.items()}
        yield name, row, {**passed, "TrueStep, standard": not _caught(kernel, planted.check)}


def _back(kernel: Kernel, x: Array) -> Array:
    h = kernel.module.Hyper(**kernel.capability.fixed)
    back: Array = kernel.decode(kernel.capability, h, kernel.encode(kernel.capability, h, x))
    return back


def _caught(kernel: Kernel, first: str) -> bool:
    checks = sorted(checks_of(kernel), key=lambda check: check.name != first)
    found = (run_check(kernel, check, level="standard", seed=0).verdict for check in checks)
    return any(verdict in ("fail", "crashed") for verdict in found)


def main() -> None:
    """Print how many faults each rule lets through."""
    found = [passed for _, _, passed in outcomes()]
    print(f"| acceptance rule | of {len(found)} faults let through |\n|---|---|")
    for rule in found[0]:
        through = sum(passed[rule] for passed in found)
        print(f"| {rule} | {through} ({through / len(found):.0%}) |")


if __name__ == "__main__":
    main()

"""What 8 bits for Adam's moments cost the update, as Dettmers et al. 2022 measure it.

``python -m truestep.reports.adam_states`` prints a table. A language model of two layers learns in
float64; at times its moments go through 8 bits and back, which the training does not see. The
update is m / (sqrt(v) + eps), as in bitsandbytes' AnalysisAdam. Source: arXiv:2110.02861, appendix.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from truestep.fast.protocol import Array
from truestep.reference import element_tables as tables
from truestep.reference.block_formats import BlockFormat
from truestep.reference.format_rows import Codebook, Row, WholeCodebook
from truestep.reference.optimizers import adamw

_WORDS, _CONTEXT, _WIDTH, _HIDDEN, _BATCH = 1024, 4, 32, 128, 128
_STEPS, _EVERY, _EPS = 200, 100, 1e-8
BLOCK_SIZE = 2048

# From a normalised tensor, and whether it is the first moment, to the value of every code.
TABLES: Mapping[str, Callable[[Array, bool], tuple[float, ...]]] = {
    "linear": lambda _, first: tables.LINEAR_8BIT if first else tables.LINEAR_8BIT_UNSIGNED,
    "quantile": lambda y, _: tables.quantiles(y),
    "SRAM-Quantiles": lambda y, _: tables.quantiles(y, chunk=4096),
    # Made for small second moments, which make large updates.
    "inverse dynamic": lambda _, first: tables.dynamic(signed=first, inverse=not first),
    "dynamic": lambda _, first: tables.dynamic(signed=first),
}


def text(rng: np.random.Generator, length: int) -> Array:
    """Words by number, with Zipf's frequencies; every second one follows from the one before."""
    frequency = 1 / np.arange(1, _WORDS + 1)
    frequency /= frequency.sum()
    words = rng.choice(_WORDS, length, p=frequency)
    followers = rng.choice(_WORDS, (_WORDS, 4), p=frequency)
    which = rng.integers(0, 8, length)
    for k in np.flatnonzero(which < 4)[1:]:
        words[k] = followers[words[k - 1], which[k]]
    return words


def gradients(p: Mapping[str, Array], x: Array, y: Array) -> tuple[float, dict[str, Array]]:
    """The mean cross-entropy of y (examples) after x (examples, context), and its derivatives."""
    every = np.arange(len(x))
    embedded = p["embedding"][x].reshape(len(x), -1)
    hidden = np.tanh(embedded @ p["hidden"])
    score = hidden @ p["output"]
    chance = np.exp(score - score.max(axis=1, keepdims=True))
    chance /= chance.sum(axis=1, keepdims=True)
    loss = -float(np.log(chance[every, y]).mean())
    chance[every, y] -= 1
    chance /= len(x)
    below = (chance @ p["output"].T) * (1 - hidden * hidden)
    embedding = np.zeros_like(p["embedding"])
    np.add.at(embedding, x, (below @ p["hidden"].T).reshape(*x.shape, -1))
    return loss, {
        "embedding": embedding, "hidden": embedded.T @ below, "output": hidden.T @ chance,
    }  # fmt: skip


def training(seed: int = 0) -> Iterator[tuple[float, list[tuple[Array, Array]]]]:
    """At every hundredth step the loss, and of every tensor both moments, as float32 holds them."""
    rng = np.random.default_rng(seed)
    words = text(rng, 40_000)
    p = {
        "embedding": rng.standard_normal((_WORDS, _WIDTH)),
        "hidden": rng.standard_normal((_CONTEXT * _WIDTH, _HIDDEN)) / np.sqrt(_CONTEXT * _WIDTH),
        "output": rng.standard_normal((_HIDDEN, _WORDS)) / np.sqrt(_HIDDEN),
    }
    h = adamw.Hyper(eps=_EPS, weight_decay=0.0)
    state = {name: adamw.init(h, tensor) for name, tensor in p.items()}
    for step in range(1, _STEPS + 1):
        at = rng.integers(_CONTEXT, words.size, _BATCH)
        loss, g = gradients(p, words[at[:, None] - np.arange(_CONTEXT, 0, -1)], words[at])
        for name in p:
            state[name], p[name] = adamw.step(h, state[name], p[name], g[name])
        if step % _EVERY == 0:
            yield loss, [(_float32(s.m), _float32(s.v)) for s in state.values()]


def _float32(x: Array) -> Array:
    return x.astype(np.float32).astype(np.float64)


def through(table: str, x: Array, *, blocks: bool, first: bool) -> Array:
    """x encoded and decoded, with an absmax for every block or for the tensor."""
    h = Codebook(block_size=BLOCK_SIZE) if blocks else WholeCodebook()
    row = Row(table, (), "absmax", type(h), "block" if blocks else "tensor")
    groups = BlockFormat(table, row)
    absmax = groups.per_element(h, groups.extremes(h, x), x.shape)
    values = TABLES[table](np.divide(x, absmax, out=np.zeros_like(x), where=absmax > 0), first)
    format = BlockFormat(table, replace(row, elements=tables.float32(values)))
    back: Array = format.decode(h, *format.encode(h, x))
    return back


def update(m: Array, v: Array) -> Array:
    """What Adam multiplies by the rate, without bias correction."""
    return m / (np.sqrt(v) + _EPS)


def errors(seed: int = 0) -> dict[tuple[str, bool], tuple[Array, Array]]:
    """By table, and whether by blocks: |u8 - u32| of all elements, and that over |u32| if not 0."""
    moments = [pair for _, pairs in training(seed) for pair in pairs]
    due = np.concatenate([update(m, v).reshape(-1) for m, v in moments])
    found = {}
    for blocks in (False, True):
        for table in TABLES:
            got = [
                update(
                    through(table, m, blocks=blocks, first=True),
                    through(table, v, blocks=blocks, first=False),
                ).reshape(-1)
                for m, v in moments
            ]
            absolute = np.abs(np.concatenate(got) - due)
            found[table, blocks] = absolute, absolute[due != 0] / np.abs(due[due != 0])
    return found


def main() -> None:
    """Print the errors of every table, by the tensor and by blocks."""
    print("| 8-bit moments | mean \\|u8 - u32\\| | mean relative | median relative |")
    print("|---|---|---|---|")
    for (table, blocks), (absolute, relative) in errors().items():
        name = f"block-wise {table}" if blocks else table
        print(f"| {name} | {absolute.mean():.2g} | {relative.mean():.2g} "
              f"| {np.median(relative):.2g} |")  # fmt: skip


if __name__ == "__main__":
    main()

"""What coarser moments do to training: a small transformer, with torch's AdamW and with ours.

``python -m truestep.reports.train_8bit`` prints a table. Every optimizer trains the same model from
the same weights on the same batches, for each of several seeds; the loss is of words that were held
out. Needs torch; about two minutes on two cores.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from truestep.reports import adam_states
from truestep.torch import AdamW

_WIDTH, _HEADS, _HIDDEN, _LAYERS = 32, 4, 128, 2
CONTEXT, BATCH = 32, 16
WORDS, HELD_OUT, _RATE = 1024, 8_000, 3e-3
SEEDS, STEPS = 5, 300

# From parameters and arguments to the optimizer.
OPTIMIZERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "torch.optim.AdamW": torch.optim.AdamW,
    "AdamW": AdamW,
    'AdamW, state="bfloat16"': lambda *of, **how: AdamW(*of, state="bfloat16", **how),
    # The model's matrices have from 1024 elements on.
    'AdamW, state="8bit"': lambda *of, **how: AdamW(*of, state="8bit", min_8bit_size=1024, **how),
    'AdamW, state="4bit"': lambda *of, **how: AdamW(*of, state="4bit", min_8bit_size=1024, **how),
}


class Transformer(torch.nn.Module):  # type: ignore[misc]
    """A language model of two layers, without dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(WORDS, _WIDTH)
        self.places = torch.nn.Embedding(CONTEXT, _WIDTH)
        layer = torch.nn.TransformerEncoderLayer(
            _WIDTH, _HEADS, _HIDDEN, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = torch.nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False)
        self.norm = torch.nn.LayerNorm(_WIDTH)
        self.scores = torch.nn.Linear(_WIDTH, WORDS, bias=False)
        mask = torch.nn.Transformer.generate_square_subsequent_mask(CONTEXT)
        self.register_buffer("mask", mask)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """The mean cross-entropy of each word after those before it, of (texts, words + 1)."""
        before, due = words[:, :-1], words[:, 1:]
        embedded = self.words(before) + self.places.weight
        out = self.scores(self.norm(self.layers(embedded, mask=self.mask, is_causal=True)))
        return functional.cross_entropy(out.flatten(0, 1), due.flatten())


@dataclass(frozen=True, slots=True)
class Trained:
    """loss: of words held out. bytes: of the optimizer's state. seconds: of all its steps."""

    loss: float
    bytes: int
    seconds: float


def train(
    made: Callable[..., torch.optim.Optimizer], words: torch.Tensor, seed: int, steps: int
) -> Trained:
    """One run on words, of which the last are held out."""
    torch.manual_seed(seed)
    model = Transformer()
    optimizer = made(model.parameters(), lr=_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    rng = np.random.default_rng(seed)
    seconds = 0.0
    for _ in range(steps):
        at = rng.integers(0, len(words) - HELD_OUT - CONTEXT, BATCH)
        optimizer.zero_grad()
        model(words[torch.from_numpy(at[:, None] + np.arange(CONTEXT + 1))]).backward()
        start = time.thread_time()
        optimizer.step()
        seconds += time.thread_time() - start
        schedule.step()
    held_out = words[-HELD_OUT:].unfold(0, CONTEXT + 1, CONTEXT)
    with torch.no_grad():
        loss = float(model(held_out))
    return Trained(loss, _bytes(optimizer), seconds)


def _bytes(optimizer: torch.optim.Optimizer) -> int:
    tensors = (x for state in optimizer.state.values() for x in state.values())
    return sum(x.nbytes for x in tensors if isinstance(x, torch.Tensor))


def trained(seeds: int = SEEDS, steps: int = STEPS) -> dict[str, list[Trained]]:
    """By optimizer a run for each seed: of the weights at first, and of the batches."""
    words = torch.from_numpy(adam_states.text(np.random.default_rng(0), 60_000))
    return {
        name: [train(made, words, seed, steps) for seed in range(seeds)]
        for name, made in OPTIMIZERS.items()
    }


def rows(found: Mapping[str, list[Trained]]) -> list[dict[str, Any]]:
    """By optimizer: its mean loss and, over the seeds, how far that is from torch's."""
    due, *_ = found.values()
    return [
        {
            "optimizer": name,
            "loss": statistics.mean(run.loss for run in runs),
            "difference": statistics.mean(a.loss - b.loss for a, b in zip(runs, due, strict=True)),
            "spread": statistics.stdev(run.loss for run in runs),
            "bytes": runs[0].bytes / due[0].bytes,
            "seconds": statistics.mean(run.seconds for run in runs),
        }
        for name, runs in found.items()
    ]


def main() -> None:
    """Print the table."""
    print(
        "| optimizer | loss | spread of seeds | loss - torch's | state's bytes | step's CPU time |"
    )
    print("|---|---|---|---|---|---|")
    for row in rows(trained()):
        each = 1e3 * row["seconds"] / STEPS
        print(
            f"| {row['optimizer']} | {row['loss']:.4f} | {row['spread']:.4f} "
            f"| {row['difference']:+.4f} | {row['bytes']:.3f} | {each:.2f} ms |"
        )


if __name__ == "__main__":
    main()

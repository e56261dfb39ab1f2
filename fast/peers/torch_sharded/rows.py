"""Which of torch's optimizers run in parts, and over how many ranks.

With the arguments that most users give: none that choose a path.
"""

from collections.abc import Iterator
from dataclasses import replace

from truestep.fast.peers.torch.rows import ROWS as WHOLE
from truestep.fast.peers.torch_like import IN_FLOAT32, Row

# The ways, see ways.py and checkpoints.py, and the numbers of ranks of each; rules that are run in
# all of them.
WAYS = {"checkpoint": (2,), "dtensor": (2,), "fully_shard": (2, 4), "zero": (2,)}
EVERYWHERE = ("adamw", "sgd")
UNDER_FSDP2 = ("checkpoint", "fully_shard")
# Of three others FSDP2 takes no step, see the findings; a tensor of one step is no optimizer.
WITHOUT = ("adafactor", "lms", "muon", "perceptron", "polyak_ruppert", "rprop")


def _rows() -> Iterator[Row]:
    for row in WHOLE:
        if "single" not in row.paths or row.rule in WITHOUT:
            continue
        for way, sizes in WAYS.items():
            if way == "fully_shard" or row.rule in EVERYWHERE:
                yield replace(
                    row,
                    paths={f"{way}_{n}": {} for n in sizes if n == 2 or row.rule in EVERYWHERE},
                    arithmetic=IN_FLOAT32,
                    # FSDP2 takes no numbers, and not all tensors without elements.
                    given="vectors",
                    shapes="nonempty" if way in UNDER_FSDP2 else row.shapes,
                    level="smoke" if row.rule in EVERYWHERE else "standard",
                )


ROWS: tuple[Row, ...] = tuple(_rows())


def parted(variant: str) -> tuple[str, int]:
    """The way and the number of ranks that a variant names."""
    name, _, size = variant.rpartition("_")
    return next(way for way in WAYS if name.endswith(way)), int(size)

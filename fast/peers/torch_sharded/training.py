"""torch's pieces of the training loop over ranks, as rows: means of gradients, and their clipping.

clip_grad_norm_ takes the norm of the norms of all parts, one rank's after another's. By the largest
element it does not clip where a rank has no part: see the findings.
"""

from collections.abc import Callable

from truestep.fast.peers.torch.other_rows import WIDE
from truestep.fast.peers.torch_like import ELEMENTS, SEQUENTIAL
from truestep.fast.peers.torch_sharded import averaging
from truestep.fast.peers.torch_sharded.ranks import ranks
from truestep.fast.peers.torch_sharded.replicas import same
from truestep.fast.peers.training_row import Call, Row
from truestep.fast.protocol import Array, Inputs, Outputs
from truestep.reference.declared import Hyper

# As many ranks as a mean is asked of: one process for each worker.
MOST = 4


def _mean(function: Callable[..., Array], *arguments: object) -> Call:
    def call(h: Hyper, inputs: Inputs) -> Outputs:
        gradients = inputs["gradients"]
        return {"averaged": ranks(len(gradients)).call(function, gradients, *arguments)}

    return call


def _clip(size: int) -> Call:
    def call(h: Hyper, inputs: Inputs) -> Outputs:
        found = ranks(size).call(averaging.clipped, inputs["gradients"], h.max_norm)
        gradients, total = same(found)
        return {"clipped": gradients, "norm": total}

    return call


ROWS: tuple[Row, ...] = (
    *(
        Row(
            "clip_by_global_norm",
            f"fully_shard_{size}",
            _clip(size),
            {"form": "shrunk"},
            {"eps": 1e-6},
            SEQUENTIAL,
            "nonempty",
        )
        for size in (2, 4)
    ),
    *(
        Row(
            "data_parallel",
            f"ddp_{sent}_hook",
            _mean(averaging.by_ddp, False, sent),
            {"form": "shares"},
            arithmetic={sent: sent},
            workers=MOST,
        )
        for sent in averaging.HOOKS
    ),
    *(
        Row(
            "data_parallel",
            f"ddp{suffix}",
            _mean(averaging.by_ddp, bool(suffix), ""),
            {"form": "shares"},
            arithmetic=ELEMENTS,
            workers=MOST,
        )
        for suffix in ("", "_no_sync")
    ),
    *(
        Row(
            "data_parallel",
            f"fully_shard{suffix}",
            _mean(averaging.by_fully_shard, bool(suffix)),
            {"form": "sum"},
            {},
            WIDE,
            "nonempty",
            MOST,
        )
        for suffix in ("", "_no_sync")
    ),
)

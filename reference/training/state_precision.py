"""Which tensors of a low-bit optimizer keep their state in full precision: small ones, embeddings.

Rule
    bits_of = 32 where size < min_size, or the tensor is an embedding's
    bits_of = bits elsewhere

Shapes
    size: how many elements a parameter has; module: "embedding" where it is an embedding's weight,
    "other" elsewhere. run: these two, to bits_of, how many bits an element of its state has, as an
    integer.

Domain
    size >= 0 and min_size >= 0 integers; bits 8 or 4.

Choices
    embeddings: kept in 32 bits, as the paper has them and a stable embedding layer sees to, or as
    all other tensors, as where nobody has told the optimizer.
    whole: codes of any tensor large enough, or only of one that consists of whole blocks, as in
    torchao, which knows no short block.

Special cases
    min_size = 0 leaves codes to every tensor, an empty one among them. The least size itself has
    codes.

Judged
    Exactly.

Sources
    T. Dettmers, M. Lewis, S. Shleifer, L. Zettlemoyer, "8-bit Optimizers via Block-wise
    Quantization" (arXiv:2110.02861), section 2.3; bitsandbytes, optim/optimizer.py, min_8bit_size,
    and nn/modules.py, StableEmbedding; torchao, optim/adam.py, _new_buffer.
"""

from typing import Annotated, Literal

from truestep.reference import declared
from truestep.reference.declared import Count
from truestep.reference.validation import Array

DIALECTS = {
    "embeddings": {
        "full": "embeddings keep their state in 32 bits",
        "as_others": "embeddings keep their state as other tensors do",
    },
    "whole": {
        "any": "a tensor may end within a block",
        "blocks": "a tensor that ends within a block keeps its state in 32 bits",
    },
}
INPUTS = {"module": "choice", "size": "count"}
OPTIONAL = ()
FULL = 32

Module = Literal["embedding", "other"]


class Hyper(declared.Hyper):
    """bitsandbytes' least size, and the bits of codes; block_size counts where blocks are whole."""

    bits: Annotated[int, Count(1, (8, 4))] = 8
    block_size: Annotated[int, Count(1, (256, 64, 128, 2048))] = 256
    min_size: Annotated[int, Count(0, (4096, 0, 1, 1000, 4097))] = 4096
    embeddings: Literal["full", "as_others"] = "full"
    whole: Literal["any", "blocks"] = "any"


def run(h: Hyper, *, module: Module, size: Array) -> dict[str, int]:
    """The bits of an element of a tensor's state."""
    full = int(size) < h.min_size
    full |= module == "embedding" and h.embeddings == "full"
    full |= h.whole == "blocks" and int(size) % h.block_size != 0
    return {"bits_of": FULL if full else h.bits}

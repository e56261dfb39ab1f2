"""The embedding that trains well with coarse optimizer states.

Source: Dettmers et al. 2022, arXiv:2110.02861, section 2.3.
"""

from typing import Any

import torch

from truestep.torch.base import PARAMETER_STATE
from truestep.torch.stored import Held


class StableEmbedding(torch.nn.Embedding):  # type: ignore[misc]
    """torch.nn.Embedding, Xavier-uniform at first, with a layer norm after it.

    Optimizers of this package keep the states of its weight in float32: the gradients of rare words
    are of another size than those of frequent ones, which share their blocks.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, **kwargs)
        like = self.weight
        self.norm = torch.nn.LayerNorm(embedding_dim, device=like.device, dtype=like.dtype)
        setattr(self.weight, PARAMETER_STATE, "float32")

    def __setstate__(self, state: Held) -> None:
        super().__setstate__(state)
        # A copied parameter has lost its attributes.
        setattr(self.weight, PARAMETER_STATE, "float32")

    def reset_parameters(self) -> None:
        """Xavier-uniform, and zeros for the padding."""
        torch.nn.init.xavier_uniform_(self.weight)
        self._fill_padding_idx_with_zero()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(..., embedding_dim) of indices (...)."""
        return self.norm(super().forward(input))

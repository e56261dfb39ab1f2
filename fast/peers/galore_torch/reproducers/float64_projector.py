"""Whether the projector of a float64 gradient is orthonormal to float64's precision."""

import torch
from galore_torch.galore_projector import GaLoreProjector

g = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]], dtype=torch.float64)
projector = GaLoreProjector(rank=2)
projector.project(g, 0)
q = projector.ortho_matrix
print((q.T @ q - torch.eye(2)).abs().max().item() < 1e-12)

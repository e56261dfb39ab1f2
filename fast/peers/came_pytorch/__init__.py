"""came-pytorch, the authors' CAME."""

REQUIRES = ("torch", "came_pytorch")

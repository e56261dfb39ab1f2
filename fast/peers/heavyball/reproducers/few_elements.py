"""Three steps of SOAP on a tensor of each shape: the parameter moves, or the step raises."""

import heavyball
import torch

heavyball.utils.compile_mode = None


def told(shape: tuple[int, ...], *, merge_dims: bool) -> str:
    """What three steps come to."""
    p = torch.ones(shape)
    optimizer = heavyball.SOAP([p], merge_dims=merge_dims)
    try:
        for _ in range(3):
            p.grad = torch.ones(shape)
            optimizer.step()
    except (IndexError, ValueError) as error:
        return type(error).__name__
    return "steps"


for shape, merge_dims in (((2, 2), False), ((1, 1), False), ((0, 3), True), ((), True)):
    print(shape, told(shape, merge_dims=merge_dims))

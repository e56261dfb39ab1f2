"""Arrays of PyTorch, JAX, CuPy and whatever speaks DLPack, as NumPy's."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def array(x: Any) -> Array:
    """The array of another library as NumPy's; bfloat16 and the small floats by ml_dtypes.

    By DLPack, which shares memory and knows no bfloat16; what lies on a device is copied.
    """
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "detach"):
        return _of_torch(x.detach().cpu())
    if hasattr(x, "get") and hasattr(x, "__cuda_array_interface__"):
        x = x.get()  # CuPy's
    if hasattr(x, "__dlpack__"):
        try:
            return np.asarray(np.from_dlpack(x))
        except (BufferError, RuntimeError, TypeError, ValueError):
            pass  # a type that DLPack or NumPy has not, or another device
    return np.asarray(x)


def _of_torch(x: Any) -> Array:
    """A tensor of torch on the CPU: its small floats by their bits."""
    import torch

    name = str(x.dtype).removeprefix("torch.")
    x = x.resolve_conj().resolve_neg()
    if name == "bfloat16" or name.startswith("float8"):
        import ml_dtypes

        bits = x.view(torch.int16 if name == "bfloat16" else torch.uint8)
        return np.asarray(np.from_dlpack(bits)).view(getattr(ml_dtypes, name))
    return np.asarray(np.from_dlpack(x))

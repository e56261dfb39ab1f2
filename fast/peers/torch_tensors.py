"""NumPy arrays to torch tensors and back, keeping strides and alignment, for every torch peer."""

import functools

import ml_dtypes
import numpy as np
import torch

from truestep.fast.protocol import Array, DType

# Workers are processes, one per core: with torch's default each would start a thread per core.
torch.set_num_threads(1)

# torch's allocator returns 64-byte boundaries; an array's offset from one is reproduced.
_ALIGNMENT = 64


def to_tensor(array: Array) -> torch.Tensor:
    """A new tensor with the array's values, strides and offset; gaps hold nan or 85.

    What torch cannot represent (negative strides) or update in place (elements that share memory)
    becomes contiguous.
    """
    dtype = array.dtype
    carrier = _carrier(dtype)
    source = array if carrier is dtype else array.view(carrier)
    tensor_dtype = _tensor_dtype(dtype)
    if array.base is None and array.flags.c_contiguous:
        copy = torch.from_numpy(source.copy())
        return copy if carrier is dtype else copy.view(tensor_dtype)
    if not _representable(array):
        return to_tensor(array.copy())
    strides = tuple(step // dtype.itemsize for step in array.strides)
    first = array.__array_interface__["data"][0] % _ALIGNMENT
    return _embedded(source, tensor_dtype, strides, first // dtype.itemsize)


def from_tensor(tensor: torch.Tensor) -> Array:
    """The tensor's values as an array of the same shape and strides; memory is shared."""
    carrier, dtype = _array_dtype(tensor.dtype)
    tensor = tensor.detach()
    if carrier is not tensor.dtype:
        tensor = tensor.view(carrier)
    array: Array = tensor.numpy()
    return array if array.dtype == dtype else array.view(dtype)


@functools.cache
def _carrier(dtype: DType) -> DType:
    # torch does not know the types of ml_dtypes: their bits cross.
    if dtype.name in ("float16", "float32", "float64", "uint8", "int8", "int32", "int64"):
        return dtype
    return np.dtype(f"int{8 * dtype.itemsize}")


@functools.cache
def _tensor_dtype(dtype: DType) -> torch.dtype:
    return getattr(torch, dtype.name)


@functools.cache
def _array_dtype(dtype: torch.dtype) -> tuple[torch.dtype, DType]:
    name = str(dtype).removeprefix("torch.")
    array = np.dtype(getattr(ml_dtypes, name, name))
    return getattr(torch, _carrier(array).name), array


def _representable(array: Array) -> bool:
    # Whole elements apart, none negative, and each stepping over all that the smaller ones reach.
    reach = array.itemsize
    for stride, length in sorted(zip(array.strides, array.shape, strict=True)):
        if stride < 0 or stride % array.itemsize or (length > 1 and stride < reach):
            return False
        reach = max(reach, stride * length)
    return True


def _embedded(
    source: Array, dtype: torch.dtype, strides: tuple[int, ...], offset: int
) -> torch.Tensor:
    last = (
        sum((n - 1) * s for n, s in zip(source.shape, strides, strict=True)) if source.size else 0
    )
    # Something that shows where a kernel reads it.
    gap = torch.nan if dtype.is_floating_point else 85
    storage = torch.full((offset + last + 1,), gap, dtype=dtype)
    tensor = torch.as_strided(storage, source.shape, strides, offset)
    carrier = _array_dtype(dtype)[0]
    target = tensor if carrier is dtype else tensor.view(carrier)
    target.numpy()[...] = source
    return tensor

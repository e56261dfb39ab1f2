"""In-place steps of the C++ kernels over a fixed list of NumPy tensors.

A plan checks its tensors once and keeps them with a table of their addresses, so that a step over a
thousand small ones is one call. Refill the gradients between steps.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from truestep.fast.ours.offered import DIALECT, require_offered
from truestep.fast.protocol import Array, BackendUnavailable, DType, numpy_dtype
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import adamw
from truestep.reference.quantizers import dynamic_8bit

try:
    from truestep.fast import _core
except ImportError as error:
    raise BackendUnavailable(f"truestep.fast._core is not built: {error}") from error


FLOAT32 = numpy_dtype("float32")
UINT8 = np.dtype(np.uint8)


def checked(name: str, tensors: Sequence[Array], dtype: DType, sizes: Sequence[int]) -> list[Array]:
    """The tensors as a list, once each is a C-contiguous, aligned array of that dtype and size."""
    if len(tensors) != len(sizes):
        raise ValueError(f"{name} must hold {len(sizes)} tensors, got {len(tensors)}")
    for i, (tensor, size) in enumerate(zip(tensors, sizes, strict=True)):
        if not isinstance(tensor, np.ndarray):
            raise TypeError(f"{name}[{i}] must be a NumPy array, got {type(tensor).__name__}")
        if tensor.dtype != dtype:
            raise TypeError(f"{name}[{i}] must be {dtype}, got {tensor.dtype}")
        if not (tensor.flags.c_contiguous and tensor.flags.aligned):
            raise ValueError(
                f"{name}[{i}] must be C-contiguous and aligned, got strides {tensor.strides}"
            )
        if tensor.size != size:
            raise ValueError(f"{name}[{i}] must have {size} elements, got {tensor.size}")
        if name != "grads" and not tensor.flags.writeable:
            raise ValueError(f"{name}[{i}] must be writable, got a read-only array")
    return list(tensors)


def require_disjoint(tensors: Mapping[str, Sequence[Array]]) -> None:
    """Raise if the memory of two tensors overlaps: the kernels assume that it does not."""
    spans = sorted(
        (address_of(tensor), address_of(tensor) + tensor.nbytes, f"{name}[{i}]")
        for name, group in tensors.items()
        for i, tensor in enumerate(group)
        if tensor.size
    )
    for (_, end, name), (start, _, other) in pairwise(spans):
        if start < end:
            raise ValueError(f"{other} must not overlap {name}, got {end - start} shared bytes")


def address_of(tensor: Array) -> int:
    """The address of the first element."""
    return int(tensor.__array_interface__["data"][0])


def address_tables(tensors: Mapping[str, Sequence[Array]]) -> dict[str, NDArray[np.int64]]:
    """The addresses of the first elements, by name; the caller keeps the tensors alive."""
    require_disjoint(tensors)
    return {
        name: np.array([address_of(tensor) for tensor in group], dtype=np.int64)
        for name, group in tensors.items()
    }


def constants(h: Hyper, t: int) -> list[float]:
    """The float32 constants of step t >= 1, formed in double."""
    require_offered(h, DIALECT, "cpu")
    return _core.adamw_constants(
        h.lr, h.beta1, h.beta2, h.eps, h.weight_decay, h.maximize, float(t)
    )


def constant_table(
    count: int, hyper: Hyper | Sequence[Hyper], t: int | Sequence[int]
) -> dict[str, Array]:
    """The distinct rows of constants that count tensors need, and the row of each tensor."""
    if not isinstance(hyper, Sequence) and isinstance(t, int):
        row = np.array([constants(hyper, t)], dtype=np.float32)
        return {"constants": row, "constant_index": np.zeros(count, dtype=np.int32)}
    hypers = list(hyper) if isinstance(hyper, Sequence) else [hyper] * count
    steps = [t] * count if isinstance(t, int) else list(t)
    if len(hypers) != count or len(steps) != count:
        raise ValueError(
            f"hyper and t must have {count} entries, got {len(hypers)} and {len(steps)}"
        )
    rows: dict[tuple[Hyper, int], int] = {}
    index = [rows.setdefault(key, len(rows)) for key in zip(hypers, steps, strict=True)]
    table = np.array([constants(h, number) for h, number in rows], dtype=np.float32)
    return {"constants": table.reshape(-1, 9), "constant_index": np.array(index, dtype=np.int32)}


@cache
def dynamic_map(signed: bool, kind: str = "fused") -> _core.DynamicMap:
    """The reference's map of that kind, prepared for the kernels."""
    h = dynamic_8bit.Hyper(signed=signed, map=kind)  # type: ignore[arg-type]
    return _core.DynamicMap(dynamic_8bit.all_values(h).astype(np.float32))


class _InPlace:
    """Checked tensors that a kernel steps in place, and one that has only its memory traffic."""

    __slots__ = ("_addresses", "_kernel", "_sizes", "_stream", "_tensors")

    def __init__(
        self,
        kernel: Callable[..., None],
        stream: Callable[..., None] | None,
        tensors: Mapping[str, Sequence[Array]],
    ) -> None:
        self._kernel, self._stream, self._tensors = kernel, stream, tensors
        self._addresses = address_tables(tensors)
        self._sizes = np.array([p.size for p in tensors["p"]], dtype=np.int64)

    def step(
        self, hyper: Hyper | Sequence[Hyper], t: int | Sequence[int], threads: int = 0
    ) -> None:
        """Step number t (the first is 1) on every tensor; both arguments may be one per tensor.

        threads: zero leaves the choice to OpenMP. The result does not depend on it.
        """
        table = constant_table(len(self._sizes), hyper, t)
        self._kernel(**self._addresses, sizes=self._sizes, **table, threads=threads)

    def stream(self, threads: int = 0) -> None:
        """The memory traffic of a step, next to no arithmetic: it spoils the tensors."""
        if self._stream is None:
            raise TypeError(f"stream needs float32, got {self._tensors['p'][0].dtype}")
        table = constant_table(len(self._sizes), adamw.Hyper(decay="before"), 1)
        self._stream(**self._addresses, sizes=self._sizes, **table, threads=threads)


class AdamW(_InPlace):
    """AdamW in place, decay before the step.

    params and grads: float32, or all of them bfloat16; m and v: float32, of the same sizes, zero
    before the first step. Every tensor is C-contiguous and overlaps no other.
    """

    __slots__ = ()

    def __init__(
        self,
        params: Sequence[Array],
        grads: Sequence[Array],
        m: Sequence[Array],
        v: Sequence[Array],
    ) -> None:
        kernels = {FLOAT32: _core.adamw_float32, numpy_dtype("bfloat16"): _core.adamw_bfloat16}
        dtype = params[0].dtype if params else FLOAT32
        if dtype not in kernels:
            raise TypeError(f"params must be {' or '.join(map(str, kernels))}, got {dtype}")
        sizes = [p.size for p in params]
        tensors = {
            "p": checked("params", params, dtype, sizes),
            "g": checked("grads", grads, dtype, sizes),
            "m": checked("m", m, FLOAT32, sizes),
            "v": checked("v", v, FLOAT32, sizes),
        }
        stream = _core.stream_float32 if dtype == FLOAT32 else None
        super().__init__(kernels[dtype], stream, tensors)


class AdamW8bit(_InPlace):
    """AdamW in place on moments kept as block-wise dynamic 8-bit codes, decay before the step.

    params and grads: float32; m_code and v_code: uint8, of the same sizes; m_absmax and v_absmax:
    float32, one number per block_size elements, zero before the first step. Every tensor is
    C-contiguous and overlaps no other. block_size: 64, 128, ..., 4096. kind: the map's, "fused" or
    "separate".
    """

    __slots__ = ()

    def __init__(
        self,
        params: Sequence[Array],
        grads: Sequence[Array],
        m_code: Sequence[Array],
        m_absmax: Sequence[Array],
        v_code: Sequence[Array],
        v_absmax: Sequence[Array],
        block_size: int = 256,
        kind: str = "fused",
    ) -> None:
        if block_size not in dynamic_8bit.BLOCK_SIZES:
            raise ValueError(
                f"block_size must be one of {dynamic_8bit.BLOCK_SIZES}, got {block_size!r}"
            )
        sizes = [p.size for p in params]
        blocks = [-(-size // block_size) for size in sizes]
        tensors = {
            "p": checked("params", params, FLOAT32, sizes),
            "g": checked("grads", grads, FLOAT32, sizes),
            "m_code": checked("m_code", m_code, UINT8, sizes),
            "m_absmax": checked("m_absmax", m_absmax, FLOAT32, blocks),
            "v_code": checked("v_code", v_code, UINT8, sizes),
            "v_absmax": checked("v_absmax", v_absmax, FLOAT32, blocks),
        }
        m_map, v_map = dynamic_map(True, kind), dynamic_map(False, kind)
        step, stream = (
            partial(kernel, m_map=m_map, v_map=v_map, block_size=block_size)
            for kernel in (_core.adamw_8bit, _core.stream_8bit)
        )
        super().__init__(step, stream, tensors)


def quantize(
    x: Array, signed: bool, block_size: int, kind: str = "fused", threads: int = 0
) -> tuple[Array, Array]:
    """Codes shaped like the float32 x, read in C order, and the absmax of every block."""
    if x.dtype != FLOAT32:
        raise TypeError(f"x must be float32, got {x.dtype}")
    flat = np.ascontiguousarray(x).reshape(-1)
    code = np.empty(flat.size, dtype=np.uint8)
    absmax = np.empty(-(-flat.size // block_size), dtype=np.float32)
    _core.quantize(dynamic_map(signed, kind), flat, code, absmax, block_size, threads)
    return code.reshape(x.shape), absmax


def dequantize(
    code: Array, absmax: Array, signed: bool, block_size: int, kind: str = "fused", threads: int = 0
) -> Array:
    """The float32 numbers behind codes and absmax, shaped like code."""
    if code.dtype != UINT8 or absmax.dtype != FLOAT32:
        raise TypeError(f"code must be uint8 and absmax float32, got {code.dtype}, {absmax.dtype}")
    flat = np.ascontiguousarray(code).reshape(-1)
    x = np.empty(flat.size, dtype=np.float32)
    scale = np.ascontiguousarray(absmax).reshape(-1)
    _core.dequantize(dynamic_map(signed, kind), flat, scale, x, block_size, threads)
    return x.reshape(code.shape)

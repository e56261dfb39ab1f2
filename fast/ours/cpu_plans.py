"""In-place steps of the C++ kernels over a fixed list of NumPy tensors.

A plan checks its tensors once and keeps them with a table of their addresses, so that a step over a
thousand small ones is one call. Refill the gradients between steps.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from truestep.fast import _core
from truestep.fast.ours.hyper_rows import hyper_rows
from truestep.fast.ours.rule_kernels import RuleKernel, kernel_for
from truestep.fast.ours.storages import NUMBERS, Kept
from truestep.fast.protocol import Array, DType, numpy_dtype
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from truestep.fast._core import _Step

FLOAT32 = numpy_dtype("float32")
# The fields of a plan that are no state.
PARAMS, GRADS = "params", "grads"


def checked(name: str, tensors: Sequence[Array], dtype: DType, sizes: Sequence[int]) -> None:
    """Raise unless each is a C-contiguous, aligned array of that dtype and size."""
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
        if name != GRADS and not tensor.flags.writeable:
            raise ValueError(f"{name}[{i}] must be writable, got a read-only array")


def require_disjoint(tensors: Mapping[str, Sequence[Array]]) -> None:
    """Raise if the memory of two tensors overlaps: the kernels assume that it does not."""
    require_apart(
        (address_of(tensor), address_of(tensor) + tensor.nbytes, f"{name}[{i}]")
        for name, group in tensors.items()
        for i, tensor in enumerate(group)
        if tensor.size
    )


def require_apart(spans: Iterable[tuple[int, int, str]]) -> None:
    """Raise if two of the named runs of addresses, first and past the last, overlap."""
    for (_, end, name), (start, _, other) in pairwise(sorted(spans)):
        if start < end:
            raise ValueError(f"{other} must not overlap {name}, got {end - start} shared bytes")


def address_of(tensor: Array) -> int:
    """The address of the first element."""
    return int(tensor.__array_interface__["data"][0])


class Plan:
    """A fixed list of tensors that the kernels of one rule step in place.

    rule: the reference's name. params, grads: all in one of the formats of NUMBERS. state: by name
    the tensors of the rule's state, in float32, and of its inputs, in the parameters' format; of
    one that kept names, its codes and scales ("m_code", "m_absmax"). kept may say of "params" how
    they are rounded, or that they are the high parts beside "params_rest". numbers: the 0-d numbers
    of the state and of the inputs, by name one a tensor. All tensors are C-contiguous, of the
    parameters' sizes, and overlap no other. seed: of what storages draw, for each step and tensor
    anew; None: another one for every plan.
    """

    __slots__ = ("_addresses", "_draws", "_kept", "_numbers", "_rule", "_sizes", "_tensors")

    def __init__(
        self,
        rule: str,
        params: Sequence[Array],
        grads: Sequence[Array],
        state: Mapping[str, Sequence[Array]],
        *,
        kept: Mapping[str, Kept] = {},
        numbers: Mapping[str, Sequence[float]] = {},
        seed: int | None = None,
    ) -> None:
        format = params[0].dtype.name if params else "float32"
        if format not in NUMBERS:
            raise TypeError(f"params must be {', '.join(NUMBERS)}, got {format}")
        sizes = [p.size for p in params]
        tensors = {PARAMS: params, GRADS: grads, **state}
        checked(PARAMS, params, numpy_dtype(format), sizes)
        checked(GRADS, grads, numpy_dtype(format), sizes)
        of_codes: dict[str, tuple[DType, list[int]]] = {}
        for name, how in kept.items():
            of_codes[f"{name}_code"] = how.code, [how.codes(n) for n in sizes]
            if how.scale:
                of_codes[f"{name}_{how.scale}"] = how.scales, [how.blocks(n) for n in sizes]
        inputs = OPTIMIZERS[rule].FACTS.inputs
        for name, group in state.items():
            dtype = numpy_dtype(format) if name in inputs else FLOAT32
            checked(name, group, *of_codes.get(name, (dtype, sizes)))
        require_disjoint(tensors)
        self._rule, self._tensors = rule, {name: list(group) for name, group in tensors.items()}
        self._kept = dict.fromkeys((PARAMS, GRADS, *inputs), NUMBERS[format]) | dict(kept)
        self._draws = np.random.default_rng(seed)
        self._sizes = np.array(sizes, dtype=np.int64)
        self._numbers = {name: np.array(of, dtype=np.float64) for name, of in numbers.items()}
        self._addresses = {
            name: np.array([address_of(tensor) for tensor in group], dtype=np.int64)
            for name, group in tensors.items()
        }

    @classmethod
    def of_addresses(
        cls,
        rule: str,
        format: str,
        sizes: NDArray[np.int64],
        addresses: Mapping[str, NDArray[np.int64]],
        *,
        kept: Mapping[str, Kept] = {},
    ) -> "Plan":
        """A plan for tensors that the caller keeps, and has checked: nothing is looked at here.

        addresses: those of a plan's tensors by name, params and grads in that format. Making one is
        a small part of a step, so tensors that move get a new plan. A tensor of size 0 is left as
        it is.
        """
        plan = cls.__new__(cls)
        plan._rule, plan._tensors, plan._numbers = rule, {}, {}
        plan._kept = {PARAMS: NUMBERS[format], GRADS: NUMBERS[format], **kept}
        plan._sizes, plan._addresses = sizes, dict(addresses)
        return plan

    @property
    def numbers(self) -> Mapping[str, NDArray[np.float64]]:
        """The 0-d numbers of the state, by name one a tensor, as the last step left them."""
        return self._numbers

    def step(
        self, hyper: Hyper | Sequence[Hyper], t: int | Sequence[int], threads: int = 0
    ) -> None:
        """Step number t (the first is 1) on every tensor; both arguments may be one per tensor.

        All hypers must be served by one kernel. threads: zero leaves the choice to OpenMP. The
        result does not depend on it.
        """
        self._run(_core.step, hyper, t, threads)

    def stream(self, hyper: Hyper, threads: int = 0) -> None:
        """The memory traffic of a step, next to no arithmetic: it spoils the tensors."""
        self._run(_core.stream, hyper, 1, threads)

    def _run(
        self, call: "_Step", hyper: Hyper | Sequence[Hyper], t: int | Sequence[int], threads: int
    ) -> None:
        count = len(self._sizes)
        pairs, rows = hyper_rows(hyper, t, count)
        if not count:
            return
        kernel = kernel_for(self._rule, pairs[0][0])
        if any(not kernel.serves(h) for h, _ in pairs[1:]):
            raise ValueError("all hypers must be served by one kernel; part them by kernel_for")
        storages, addresses = self._operands(kernel)
        numbers = np.zeros((count, len(kernel.numbers)))
        for k, name in enumerate(kernel.numbers):
            numbers[:, k] = self._numbers[name]
        call(
            kernel.place,
            storages,
            addresses,
            self._sizes,
            rows,
            np.array([kernel.row(h) for h, _ in pairs], dtype=np.float64),
            np.array([step for _, step in pairs], dtype=np.float64),
            numbers,
            threads,
        )
        for k, name in enumerate(kernel.numbers):
            self._numbers[name][:] = numbers[:, k]

    def _operands(self, kernel: RuleKernel) -> tuple[list[_core.Storage], NDArray[np.int64]]:
        """How each operand is kept, and two rows of addresses: its codes' and its scales'."""
        storages, rows = [], []
        for name in (PARAMS, GRADS, *kernel.inputs, *kernel.states):
            how = self._kept.get(name, NUMBERS["float32"])
            storages.append(how.seeded(lambda: int(self._draws.integers(2**64, dtype=np.uint64))))
            coded = name not in self._addresses
            rows.append(self._addresses[f"{name}_code" if coded else name])
            scales = self._addresses.get(f"{name}_{how.scale}") if how.scale else None
            rows.append(np.zeros_like(rows[-1]) if scales is None else scales)
        return storages, np.ascontiguousarray(np.stack(rows))

"""Adapters whose results are not what they seem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from tempfile import TemporaryFile
from typing import Any, ClassVar

import numpy as np
from hostile import Attack, Attacks, Hostile, Results, changed, counts, params, wrong

from truestep.fast.protocol import Group, Stepped


class Agrees(np.ndarray):  # type: ignore[type-arg]
    """Equal to everything."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        kwargs.pop("out", None)
        raw = [np.asarray(x) for x in inputs]
        if ufunc is np.equal:
            return np.ones(np.broadcast(*raw).shape, bool)
        return getattr(ufunc, method)(*raw, **kwargs)


class EvilInt(int):
    """Equal to every number."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True

    def __repr__(self) -> str:
        raise RuntimeError("not to be shown")


class EvilFloat(float):
    """Never unequal."""

    __hash__ = None  # type: ignore[assignment]

    def __ne__(self, other: object) -> bool:
        return False


class EvilText(str):
    """A key that is called otherwise every time."""

    __slots__ = ()
    asked = 0

    def __str__(self) -> str:
        EvilText.asked += 1
        return f"key {EvilText.asked}"


class Shifting(dict):  # type: ignore[type-arg]
    """Holds other numbers whenever it is looked at again."""

    looks = 0

    def items(self) -> Any:
        self.looks += 1
        return {k: x if k == "t" else x + self.looks for k, x in super().items()}.items()


class Last(dict):  # type: ignore[type-arg]
    """A state that changes its parameter as soon as both have been sent."""

    def __init__(self, new: Stepped) -> None:
        super().__init__(new.state)
        self.param, self.looks = new.param, 0

    def items(self) -> Any:
        yield from super().items()
        self.looks += 1
        if self.looks == 2:  # the first is for memory that results share
            self.param[...] = 7


class Raises(dict):  # type: ignore[type-arg]
    """Cannot be looked at."""

    def items(self) -> Any:
        raise OSError("this state is not to be looked at")


def _memmap(x: Any) -> Any:
    with TemporaryFile() as file:
        found = np.memmap(file, x.dtype, "w+", shape=x.shape or (1,))
    found[...] = x
    return found


def _readonly(x: Any) -> Any:
    return np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape)


def _cached(_: Sequence[Group], results: Results, kept: list[Results] = []) -> Results:  # noqa: B006
    kept.append(wrong(results) if not kept else results)
    return kept[0]


def _aliased(_: Sequence[Group], results: Results, kept: dict[Any, Any] = {}) -> Results:  # noqa: B006
    def buffer(x: Any) -> Any:
        held = kept.setdefault(x.shape, np.empty_like(x))
        held[...] = x
        return held

    # Alone of its shape in the call, so that no two results of one call share it.
    first = results[0][0]
    results[0][0] = changed([[first]], param=lambda new: buffer(new.param))[0][0]
    return results


def _changed_later(_: Sequence[Group], results: Results) -> Results:
    return [[replace(new, state=Last(new)) for new in row] for row in results]


def _endless(results: Results) -> Any:
    found: list[Any] = []
    found.append(found)
    return found


class Backend(Hostile):
    name = "lying"
    attacks: ClassVar[Attacks] = {
        "agrees": Attack(params(lambda x: x.view(Agrees)), "fail", "got Agrees, a subclass of"),
        "aliases_earlier": Attack(_aliased, "pass", leaves="an earlier result's memory"),
        "big_endian": Attack(params(lambda x: x.astype(">f4")), "fail", "param has dtype >f4"),
        "broadcast": Attack(params(lambda x: np.broadcast_to(x, x.shape)), "pass"),
        "bytes": Attack(params(lambda x: x.tobytes()), "fail", "ndarray, got bytes"),
        "cached": Attack(_cached, "fail"),
        "changes_later": Attack(_changed_later, "pass", leaves="a result, after the call"),
        "complex": Attack(params(lambda x: x + 0j), "fail", "param has dtype complex64"),
        "counts_bool": Attack(counts(lambda t: True), "fail", "t must be an integer, got"),
        "counts_evil": Attack(counts(EvilInt), "fail", "t must be an integer, got"),
        "counts_evil_float": Attack(counts(EvilFloat), "fail", "t must be an integer, got"),
        "counts_float": Attack(counts(float), "fail", "t must be an integer, got"),
        "counts_huge": Attack(counts(lambda t: 10**5000), "fail", "t must be an integer, got"),
        "counts_inf": Attack(counts(lambda t: np.inf), "fail", "t must be an integer, got"),
        "counts_nan": Attack(counts(lambda t: np.nan), "fail", "t must be an integer, got"),
        "counts_none": Attack(counts(lambda t: None), "fail", "t must be an integer, got"),
        "counts_twice": Attack(counts(lambda t: t + 1), "fail", "t is 1677721"),
        "dates": Attack(params(lambda x: x.astype("i8").view("M8[ns]")), "fail", "datetime64"),
        "endless": Attack(lambda _, r: _endless(r), "crashed", "RecursionError"),
        "flipped": Attack(params(lambda x: np.flip(np.flip(x).copy())), "pass"),
        "fortran": Attack(params(np.asfortranarray), "pass"),
        "generator": Attack(lambda _, r: (row for row in r), "fail", "sequence, got generator"),
        "keys": Attack(
            lambda _, r: changed(r, state=lambda n: {EvilText(k): x for k, x in n.state.items()}),
            "fail", "is missing",
        ),
        "masked": Attack(params(np.ma.masked_invalid), "fail", "got MaskedArray, a subclass"),
        "matrix": Attack(params(np.asmatrix), "fail", "got matrix, a subclass"),
        "memmap": Attack(params(_memmap), "fail", "got memmap, a subclass"),
        "nothing": Attack(lambda *_: None, "fail", "must be a sequence, got NoneType"),
        "objects": Attack(params(lambda x: x.astype(object)), "fail", "got ndarray of object"),
        "raises_inside": Attack(
            lambda _, r: changed(r, state=lambda n: Raises(n.state)), "crashed", "not to be looked",
        ),
        "readonly": Attack(params(_readonly), "pass"),
        "shifting": Attack(lambda _, r: changed(r, state=lambda n: Shifting(n.state)), "fail"),
        "strided": Attack(params(lambda x: np.repeat(x[..., None], 3, -1)[..., 1]), "pass"),
        "structured": Attack(params(lambda x: x.view([("x", "<f4")])), "fail", "[('x', '<f4')]"),
        "texts": Attack(params(lambda x: x.astype("U8")), "fail", "<U8"),
        "zero_strides": Attack(params(lambda x: np.broadcast_to(np.float32(7), x.shape)), "fail"),
    }  # fmt: skip

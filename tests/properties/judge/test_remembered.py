"""Evaluations are kept by all that they depend on, and no more of them than there is room for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from truestep.fast.protocol import Slot
from truestep.properties.judge import remembered as module
from truestep.properties.judge.remembered import remembered

SLOT = Slot(np.zeros(4), np.ones(4), {"t": 1, "m": np.full(4, 2.0)}, {"loss": np.full(4, 3.0)})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., bool]]:
    """Whether what is asked for has to be made; what others left is put back."""
    kept, size = dict(module._KEPT), module._size
    module._KEPT.clear()
    monkeypatch.setattr(module, "_size", 0)

    def ask(key: Hashable, slot: Slot = SLOT, weight: int = 1) -> bool:
        made: list[Hashable] = []
        assert remembered(key, slot, lambda: made.append(key) or key, weight) == key
        return bool(made)

    yield ask
    module._KEPT.clear()
    module._KEPT.update(kept)
    module._size = size


def test_it_is_made_again_for_another_number_anywhere(asked: Callable[..., bool]) -> None:
    """Of the parameter, gradient, state or inputs, by value, format and shape, and of the key."""
    others = [
        replace(SLOT, param=np.full(4, -0.0)),
        replace(SLOT, param=np.zeros((2, 2))),
        replace(SLOT, grad=np.full(4, 2.0)),
        replace(SLOT, grad=np.ones(4).view(np.int64)),
        replace(SLOT, state={"t": 2, "m": np.full(4, 2.0)}),
        replace(SLOT, state={"t": 1, "v": np.full(4, 2.0)}),
        replace(SLOT, inputs={"loss": np.full(4, 4.0)}),
    ]
    assert asked("one") and asked("other")
    assert [asked("one", other) for other in others] == [True] * len(others)
    assert not any(asked("one", other) for other in (SLOT, *others))
    assert not asked("one", replace(SLOT, param=np.zeros(4)))


def test_what_was_not_asked_for_longest_goes_first(
    asked: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are too many, and where they are too large together; the room is not exceeded."""
    monkeypatch.setattr(module, "_MOST", 2)
    assert asked("a") and asked("b") and not asked("a") and asked("c")
    assert list(module._KEPT) == [("a", module._digest(SLOT)), ("c", module._digest(SLOT))]
    monkeypatch.setattr(module, "_MOST", 9)
    monkeypatch.setattr(module, "_ROOM", 20)
    assert module._size == 8
    assert asked("d", weight=3)
    assert (module._size, [key for key, _ in module._KEPT]) == (20, ["a", "c", "d"])
    assert asked("e")
    assert (module._size, [key for key, _ in module._KEPT]) == (20, ["c", "d", "e"])
    assert asked("f", weight=6)
    assert (module._size, len(module._KEPT)) == (0, 0)

"""A backend's answers, kept while other readings of its rule are tried on the same cases."""

import pickle
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from truestep.fast.protocol import Backend, Capability

B = TypeVar("B")
T = TypeVar("T")


def kept(store: WeakKeyDictionary[B, T], backend: B, make: Callable[[], T]) -> T:
    """What a store has of a backend, made where there is none, for as long as the backend is.

    Of one that cannot be referred to weakly, or is unhashable, nothing is kept.
    """
    try:
        return store.setdefault(backend, make())
    except TypeError:
        return make()


class Recalled:
    """Stands for a backend; a call like an earlier one gets the earlier answer or exception.

    Every call is one of this capability, whatever it is read as. It is known by its method and by
    what follows the capability; what cannot be pickled, such as an objective function, is called
    again.
    """

    def __init__(self, backend: Backend, capability: Capability) -> None:
        self._backend, self._capability = backend, capability
        self._answers: dict[tuple[str, bytes], tuple[object, Exception | None]] = {}

    def __getattr__(self, name: str) -> object:
        method = getattr(self._backend, name)
        return self._recalling(name, method) if callable(method) else method

    def _recalling(self, name: str, method: Callable[..., object]) -> Callable[..., object]:
        def asked(_: object, *given: object) -> object:
            try:
                key = name, pickle.dumps(given)
            except (pickle.PicklingError, AttributeError, TypeError):
                return method(self._capability, *given)
            if key not in self._answers:
                try:
                    self._answers[key] = method(self._capability, *given), None
                except Exception as error:
                    self._answers[key] = None, error
            answer, raised = self._answers[key]
            if raised is not None:
                raise raised
            return answer

        return asked

"""A backend's answers, kept while other readings of its rule are tried on the same cases."""

import pickle
from collections.abc import Callable

from truestep.fast.protocol import Backend


class Recalled:
    """Stands for a backend; a call like an earlier one gets the earlier answer or exception.

    A call is known by its method and by what follows the capability; what cannot be pickled, such
    as an objective function, is called again.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._answers: dict[tuple[str, bytes], tuple[object, Exception | None]] = {}

    def __getattr__(self, name: str) -> object:
        method = getattr(self._backend, name)
        return self._recalling(name, method) if callable(method) else method

    def _recalling(self, name: str, method: Callable[..., object]) -> Callable[..., object]:
        def asked(capability: object, *given: object) -> object:
            try:
                key = name, pickle.dumps(given)
            except (pickle.PicklingError, AttributeError, TypeError):
                return method(capability, *given)
            if key not in self._answers:
                try:
                    self._answers[key] = method(capability, *given), None
                except Exception as error:
                    self._answers[key] = None, error
            answer, raised = self._answers[key]
            if raised is not None:
                raise raised
            return answer

        return asked

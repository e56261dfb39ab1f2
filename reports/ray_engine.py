"""Ray as an executor: a task of its own for each unit, retried where its worker is lost."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import cache
from types import ModuleType
from typing import ParamSpec, TypeVar, cast

from click import ClickException

from truestep.reports.recording import Engine
from truestep.reports.spread import Need, Resources

P = ParamSpec("P")
T = TypeVar("T")

# Units of a backend for each processor: enough to share the work evenly, and to lose little.
_UNITS = 8
# Names of Ray's own among resources, and what its tasks call them.
_OWN = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory"}


class RayExecutor(Executor):
    """Tasks on the Ray cluster that RAY_ADDRESS names, or on one of this machine's own.

    resources: what each task asks for. retries: how often a task is run again whose worker died.
    """

    def __init__(self, resources: Resources, retries: int) -> None:
        self._ray = started()
        asked = {"CPU": 1.0, **resources}
        own = {_OWN[name]: amount for name, amount in asked.items() if name in _OWN}
        others = {name: amount for name, amount in asked.items() if name not in _OWN}
        self._options = {**own, "resources": others, "max_retries": retries}

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The future of fn's result on the cluster."""
        task = self._ray.remote(fn).options(**self._options)
        return cast(Future[T], task.remote(*args, **kwargs).future())


@cache
def started() -> ModuleType:
    """Ray, connected to a cluster; raises ClickException where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        told = f"--engine ray: {error}; pip install 'truestep[ray]' installs it"
        raise ClickException(told) from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    return cast(ModuleType, ray)


def engine(needs: tuple[str, ...], retries: int) -> Engine:
    """The engine of a campaign, with a few units of each backend for every processor there is."""
    asked = _needs(needs)
    width = max(1, int(started().cluster_resources().get("CPU", 1)))
    return Engine(lambda resources: RayExecutor(resources, retries), asked, _UNITS * width)


def _needs(texts: tuple[str, ...]) -> list[Need]:
    """Of "GLOB NAME=AMOUNT ...", what checks ask for; raises ClickException with the text."""
    found = []
    for text in texts:
        glob, *asked = text.split() or [""]
        try:
            pairs = [each.rsplit("=", 1) for each in asked]
            resources = {name: float(amount) for name, amount in pairs}
        except ValueError:
            resources = {}
        if not resources or any(amount < 0 for amount in resources.values()):
            raise ClickException(f"--needs: {text!r} is not of the form 'GLOB NAME=AMOUNT'")
        found.append(Need(glob, resources))
    return found

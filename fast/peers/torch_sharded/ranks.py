"""Ranks: processes that outlive a call, connected by gloo over the loopback interface.

They are forked from this process, which has imported what they need, and end with it. What they
are asked for is a function of a module and its arguments; every rank computes it, and answers.
"""

import atexit
import datetime as dt
import importlib
import multiprocessing
import os
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TypeVar, cast

import torch
from torch import distributed

from truestep.fast.host.confinement import die_with_parent

T = TypeVar("T")
# What a rank waits for the others.
PATIENCE = dt.timedelta(seconds=60)
# Of a rank's traceback.
_LINES = 3
# The interface by which gloo's processes of one machine find each other, where nobody says which.
_LOOPBACK = ("GLOO_SOCKET_IFNAME", "lo")


class RankFailed(RuntimeError):
    """A rank raised, or died: in words."""


class Ranks:
    """So many processes in one group."""

    def __init__(self, size: int) -> None:
        # DTensors import it at their first operation: here, or every rank would on its own.
        importlib.import_module("torch._dynamo")
        context = multiprocessing.get_context("fork")
        self._links: list[Connection] = []
        self._processes: list[BaseProcess] = []
        port = 0
        for rank in range(size):
            ours, theirs = context.Pipe()
            open_here = [*self._links, ours]
            process = context.Process(
                target=_serve, args=(theirs, open_here, os.getpid(), port, rank, size), daemon=True
            )
            process.start()
            theirs.close()
            self._links.append(ours)
            self._processes.append(process)
            # The first rank keeps the table by which all find each other.
            port = port or ours.recv()

    def call(self, function: Callable[..., T], *arguments: object) -> list[T]:
        """What function(*arguments) returns on each rank, in their order.

        Raises RankFailed where one of them raises or dies; the processes are ended then.
        """
        for link in self._links:
            link.send((function, arguments))
        answers: dict[int, T] = {}
        while len(answers) < len(self._links):
            waiting = [link for rank, link in enumerate(self._links) if rank not in answers]
            for ready in wait(waiting):
                rank = self._links.index(cast("Connection", ready))
                try:
                    told, answers[rank] = self._links[rank].recv()
                except EOFError:
                    told = "died"
                if told:
                    self.end()
                    raise RankFailed(f"rank {rank} of {len(self._links)}: {told}")
        return [answers[rank] for rank in range(len(self._links))]

    def end(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
        for link in self._links:
            link.close()
        if _KEPT.get(len(self._processes)) is self:
            del _KEPT[len(self._processes)]


_KEPT: dict[int, Ranks] = {}


def available() -> bool:
    """Whether this torch was built with gloo, and the system forks."""
    built = bool(distributed.is_available() and distributed.is_gloo_available())
    return built and "fork" in multiprocessing.get_all_start_methods()


def ranks(size: int) -> Ranks:
    """The processes of a group of this size, started where there are none."""
    if size not in _KEPT:
        _KEPT[size] = Ranks(size)
    return _KEPT[size]


@atexit.register
def _end_all() -> None:
    for kept in list(_KEPT.values()):
        kept.end()


def _serve(
    link: Connection, others: list[Connection], parent: int, port: int, rank: int, size: int
) -> None:
    """A rank: join the group, and answer until nobody asks."""
    die_with_parent(parent)
    for other in others:
        other.close()
    _KEPT.clear()
    torch.set_num_threads(1)
    os.environ.setdefault(*_LOOPBACK)
    store = distributed.TCPStore(
        "127.0.0.1", port, is_master=rank == 0, timeout=PATIENCE, wait_for_workers=False
    )
    if rank == 0:
        link.send(store.port)
    distributed.init_process_group(
        "gloo", store=store, rank=rank, world_size=size, timeout=PATIENCE
    )
    while True:
        try:
            function, arguments = link.recv()
        except EOFError:
            return
        try:
            answer = "", function(*arguments)
        except Exception as error:
            answer = "".join(traceback.format_exception(error)[-_LINES:]).strip(), None
        link.send(answer)

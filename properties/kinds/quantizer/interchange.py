"""What one implementation of a format has stored, read by another: an N x N matrix by format."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from truestep.fast.protocol import Array, QuantizerBackend, QuantizerCapability
from truestep.properties.cases.hypers import held
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.judge.calls import BackendFault, BackendLost, BackendRaised
from truestep.properties.kinds.quantizer.cases import QuantizerCase, fitting, values
from truestep.properties.kinds.quantizer.step import Encoded, Subject
from truestep.reference.declared import Hyper

# Some whole groups of every format, and orders of magnitude from 2^-20 to 2^20.
_SHAPE = (256, 256)


@dataclass(frozen=True, slots=True)
class Read:
    """What became of a tensor on its way from one implementation to the other.

    differ: how many of its elements the reader gives other numbers than the format says, -1 where
    it does not read them at all; told: why not, or the first of these, with its code.
    """

    rule: str
    writer: str
    reader: str
    elements: int
    differ: int
    told: str = ""


Offer = tuple[str, QuantizerBackend, QuantizerCapability]


def offers(backends: Mapping[str, QuantizerBackend]) -> Iterator[Offer]:
    """The formats of these backends, by the backend's name and the variant's."""
    for name, backend in backends.items():
        for capability in backend.capabilities():
            if isinstance(capability, QuantizerCapability):
                told = " ".join(filter(None, (name, capability.variant)))
                yield told, backend, capability


def matrix(backends: Mapping[str, QuantizerBackend]) -> Iterator[Read]:
    """Every implementation of a format's tensors read by every other one of the same format."""
    by_rule: dict[str, list[Offer]] = {}
    for offer in offers(backends):
        by_rule.setdefault(offer[2].rule, []).append(offer)
    for rule, found in sorted(by_rule.items()):
        if len({id(backend) for _, backend, _ in found}) > 1:
            for writer in found:
                if writer[2].encodes:
                    yield from _read_by_all(rule, writer, found)


def _read_by_all(rule: str, writer: Offer, readers: Sequence[Offer]) -> Iterator[Read]:
    name, backend, capability = writer
    subject = Subject(backend, capability)
    hyper = _hyper(subject)
    x = _numbers(subject, hyper)
    try:
        out = subject.encode(hyper, x)
    except (BackendFault, BackendRaised, BackendLost) as error:
        told = str(error).partition("\n")[0]
        yield from (Read(rule, name, reader, x.size, -1, told) for reader, *_ in readers)
        return
    scales = [np.asarray(out.stored[k]) for k in out.stored if k != "code"]
    wide = [s.astype(np.float64) if s.dtype.kind == "f" else s for s in scales]
    due = subject.rule.decode(hyper, out.code, *wide).astype(np.float32)
    for reader, other, as_read in readers:
        yield _read(Read(rule, name, reader, x.size, -1), Subject(other, as_read), hyper, out, due)


def _read(read: Read, subject: Subject, hyper: Hyper, out: Encoded, due: Array) -> Read:
    try:
        back = subject.decode(hyper, out.stored)
    except (BackendFault, BackendRaised, BackendLost) as error:
        return dataclasses.replace(read, told=str(error).partition("\n")[0])
    other = ~((back == due) | (np.isnan(back) & np.isnan(due)))
    if not other.any():
        return dataclasses.replace(read, differ=0)
    at = tuple(int(i) for i in np.argwhere(other)[0])
    told = (
        f"element {list(at)}, code {int(out.code[at])}, is {float(back[at])!r}, "
        f"stored was {float(due[at])!r}"
    )
    return dataclasses.replace(read, differ=int(other.sum()), told=told)


def _hyper(subject: Subject) -> Hyper:
    """The first of what the writer offers."""
    capability = subject.capability
    return subject.rule.Hyper(**{**capability.dialect, **held(capability.fixed)})


def _numbers(subject: Subject, hyper: Hyper) -> Array:
    tensor = TensorSpec(fitting(_SHAPE, subject.capability.multiple), "spread", seed=1)
    return values(QuantizerCase({}, tensor), subject.rule, hyper)

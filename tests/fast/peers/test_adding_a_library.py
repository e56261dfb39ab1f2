"""A library is added by its folder under fast/peers, and by nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from truestep.fast import discovery, peers
from truestep.fast.protocol import BackendUnavailable

INIT = '''\
"""A library of casts."""

REQUIRES = ({modules})
'''
BACKEND = '''\
"""Casts by NumPy, as an adapter of a library would make them."""

{imports}
import numpy as np

from truestep.fast.protocol import QuantizerCapability


class Backend:
    name = "acme_casts"

    def capabilities(self):
        return [QuantizerCapability(rule="float16")]

    def encode(self, capability, hyper, x):
        return {{"code": x.astype(np.float16).view(np.uint16)}}

    def decode(self, capability, hyper, stored):
        return stored["code"].view(np.float16).astype(np.float32)
'''


def add(
    folder: Path, monkeypatch: pytest.MonkeyPatch, modules: str = '"numpy",', imports: str = ""
) -> None:
    """Put the folder of a library acme_casts beside those of fast/peers, until the test ends."""
    library = folder / "acme_casts"
    library.mkdir()
    (library / "__init__.py").write_text(INIT.format(modules=modules))
    (library / "backend.py").write_text(BACKEND.format(imports=imports))
    monkeypatch.setattr(peers, "__path__", [*peers.__path__, str(folder)])


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Modules of the added library are dropped again."""
    yield
    for module in ("acme_casts", "acme_casts.backend"):
        sys.modules.pop(f"{peers.__name__}.{module}", None)
    vars(peers).pop("acme_casts", None)


def test_a_folder_is_a_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is listed as one that can be run, and it loads by that name alone."""
    before = set(discovery.available())
    assert "acme_casts" not in before
    add(tmp_path, monkeypatch)
    assert discovery.available()["acme_casts"] == ""
    assert set(discovery.available()) == before | {"acme_casts"}
    assert discovery.load("acme_casts").name == "acme_casts"


def test_what_it_requires_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of REQUIRES that is absent is the reason why it is not run; nothing is imported."""
    add(tmp_path, monkeypatch, modules='"numpy", "acme_that_is_absent"')
    assert discovery.available()["acme_casts"] == "acme_that_is_absent is not installed"
    assert f"{peers.__name__}.acme_casts.backend" not in sys.modules


@pytest.mark.parametrize(
    ("imports", "reason"),
    [
        ("import acme_that_is_absent", "^acme_that_is_absent is not installed$"),
        ("from numpy import no_such_name", "cannot import name 'no_such_name'"),
    ],
)
def test_an_adapter_imports_its_library_at_the_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imports: str, reason: str
) -> None:
    """A library that is absent, or that lacks a name, makes the backend unavailable, not broken."""
    add(tmp_path, monkeypatch, imports=imports)
    with pytest.raises(BackendUnavailable, match=reason):
        discovery.load("acme_casts")


@pytest.mark.parametrize(
    "imports", ["from truestep.fast.peers import absent", "import truestep.fast.absent"]
)
def test_a_wrong_import_of_ours_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imports: str
) -> None:
    """That an adapter names what TrueStep does not have is never taken for a missing library."""
    add(tmp_path, monkeypatch, imports=imports)
    with pytest.raises(discovery.BrokenBackend, match="absent"):
        discovery.load("acme_casts")


def test_every_library_here_declares_what_it_requires() -> None:
    """Of every folder: REQUIRES, with names of modules."""
    for name in discovery.builtin().keys() - discovery.OURS.keys():
        __import__(f"{peers.__name__}.{name}")
        requires = sys.modules[f"{peers.__name__}.{name}"].REQUIRES
        assert requires, name
        assert all(isinstance(module, str) for module in requires)

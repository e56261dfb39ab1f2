"""File names of a run, so that no run overwrites what another found.

A run replaces its own earlier certificate: complete, of the same backend, selection, level, seed
and version of the suite. Beside anything else it goes to a name that carries what differs.
"""

import hashlib
from pathlib import Path

from truestep.reports import certificate, prose
from truestep.reports.certificate import Record


def free_stem(folder: Path, stem: str, header: Record) -> tuple[str, str]:
    """The stem that a run may write in folder, and in words why it is not the given one, or "".

    header: of the run, as in its certificate.
    """
    difference, why = _occupied(folder / f"{stem}.json", header)
    if not why:
        return stem, ""
    found = f"{stem}{difference}"
    if _occupied(folder / f"{found}.json", header)[1]:
        found = f"{stem}{_short(header)}"
    return found, f"{folder / f'{stem}.json'} is kept: {why}"


def _occupied(path: Path, header: Record) -> tuple[str, str]:
    """How a run differs from the certificate at path, as the end of a name and in words."""
    if not path.exists():
        return "", ""
    try:
        other = certificate.read(path)
    except (OSError, certificate.BadCertificate):
        return _short(header), "it is no certificate that this version reads"
    if other["backend"]["spec"] != header["backend"]["spec"]:
        return _short(header), f"it is of {other['backend']['spec']!r}"
    if other["only"] != header["only"]:
        return _short(header), f"it is of --only {other['only']!r}"
    if other["level"] != header["level"]:
        return f"-{header['level']}", f"its level is {other['level']!r}"
    if other["seed"] != header["seed"]:
        return f"-seed{header['seed']}", f"its seed is {other['seed']}"
    if (one := prose.shard(other)) != prose.shard(header):
        return _short(header), f"it is of {one or 'a whole run'}"
    version = header["suite"]["version"]
    if other["suite"]["version"] != version:
        return f"-{version}", f"version {other['suite']['version']} of the suite made it"
    return ("", "") if other["complete"] else (_short(header), "it is of an unfinished run")


def _short(header: Record) -> str:
    names = (header["backend"]["spec"], header["only"], header["level"], header["seed"])
    names += tuple(filter(None, [prose.shard(header)]))
    return "-" + hashlib.sha256(repr((*names, header["suite"]["version"])).encode()).hexdigest()[:6]

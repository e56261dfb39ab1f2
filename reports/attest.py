"""Signing and verifying from the command line."""

from __future__ import annotations

from pathlib import Path

from click import ClickException

from truestep.reports import certificate, expiry, prose, signature, terminal
from truestep.reports.certificate import BadCertificate, Certificate
from truestep.reports.signature import BadSignature


def sign(path: Path, document: Certificate, key: Path) -> int:
    """Sign a certificate and print the path of its signature."""
    if not document["complete"]:
        raise ClickException(f"{path}: of an unfinished run; only a complete certificate is signed")
    try:
        terminal.show_path(signature.sign(path, document["sha256"], key))
    except BadSignature as error:
        raise ClickException(str(error)) from error
    return 0


def known(key: Path) -> None:
    """Refuse a public key that cannot be read, whatever would be verified by it."""
    try:
        signature.public_key(key)
    except BadSignature as error:
        raise ClickException(f"--key {error}") from error


def verify(path: Path, key: Path | None, *, current: bool = False) -> int:
    """Print what holds of a certificate in one line: 0 if all does, 1 if not, 2 if unreadable.

    current: whether one that has expired does not hold.
    """
    try:
        document = certificate.read(path)
        by = signature.verify(path, document["sha256"], key)
    except (BadCertificate, BadSignature) as error:
        terminal.show_attested(str(error), whole=False)
        return 1
    except OSError as error:
        terminal.warn(f"{error.filename or path}: {error.strerror or error}")
        return 2
    made = document["suite"]
    commit = f", commit {made['commit'][:12]}" if made["commit"] else ""
    end = "whole" if document["complete"] else "of an unfinished run, what it holds is whole"
    if part := prose.shard(document):
        end += f" ({part} of a run)"
    told = f"{path}: {end}; suite {made['version']}{commit}; verdict {document['verdict']}"
    signed = f"signed by key {by}" if by else "unsigned"
    if by and key is None:
        signed += " (--key FILE tells whether you know it)"
    changed = expiry.expired(document, expiry.here())
    old = f"; expired: {'; '.join(changed)}" if changed else ""
    terminal.show_attested(f"{told}; {signed}{old}", whole=not (current and changed))
    return int(current and bool(changed))

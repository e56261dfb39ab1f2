"""Signatures: who stands for a certificate, by Ed25519.

A signature is a file beside the certificate, NAME.json.sig, rather than a member of it: the
certificate stays as the run wrote it, so that its SHA-256 and every copy remain the same document,
and who signs needs not be who ran. It covers the SHA-256 of the canonical content, so that white
space may change. ``cryptography`` is loaded for keys alone; whether a certificate is whole is told
without it.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truestep.reports import certificate, files, strict

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as Private
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as Public

SCHEMA = "truestep-signature/1"
_MEMBERS = {"schema", "sha256", "public_key", "signature"}


class BadSignature(ValueError):
    """A key or signature cannot be used, or does not fit; the message says which and why."""


def beside(path: Path) -> Path:
    """Where a certificate's signature is."""
    return path.with_name(f"{path.name}.sig")


def sign(path: Path, sha256: str, key: Path) -> Path:
    """Sign the certificate at path with a private key; the file written. Raises OSError."""
    private = _private(key)
    document = {
        "schema": SCHEMA,
        "sha256": sha256,
        "public_key": base64.b64encode(private.public_key().public_bytes_raw()).decode(),
        "signature": base64.b64encode(private.sign(_message(sha256))).decode(),
    }
    files.write_atomically(beside(path), certificate.dumps(document))
    return beside(path)


def verify(path: Path, sha256: str, key: Path | None) -> str:
    """The fingerprint of the key that signed the certificate at path, "" where none has.

    key: of the one who must have signed; None takes the signature's own. Raises BadSignature.
    """
    file = beside(path)
    if not file.exists():
        if key is not None:
            raise BadSignature(f"unsigned: there is no {file}")
        return ""
    document = _read(file)
    if document["sha256"] != sha256:
        raise BadSignature(f"{file}: signs another content, {document['sha256'][:16]}...")
    made = _ed25519().Ed25519PublicKey.from_public_bytes
    from cryptography.exceptions import InvalidSignature

    try:
        signed, own = (base64.b64decode(document[m]) for m in ("signature", "public_key"))
        public: Public = made(own) if key is None else public_key(key)
        public.verify(signed, _message(sha256))
    except InvalidSignature:
        told = "its own key" if key is None else f"the key {key}"
        raise BadSignature(f"{file}: not made by {told}") from None
    except ValueError as error:
        raise BadSignature(f"{file}: {error}") from None
    return fingerprint(public)


def fingerprint(public: Public) -> str:
    """A short name of a key: the beginning of its SHA-256."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]


def _message(sha256: str) -> bytes:
    # The schema's name, so that no signature under another kind of document fits.
    return f"{SCHEMA}\n{sha256}\n".encode("ascii")


def _read(file: Path) -> dict[str, str]:
    try:
        document = strict.parsed(strict.content(file))
    except ValueError as error:
        raise BadSignature(f"{file}: {error}") from None
    texts = isinstance(document, dict) and all(isinstance(x, str) for x in document.values())
    if not texts or set(document) != _MEMBERS or document["schema"] != SCHEMA:
        raise BadSignature(f"{file}: not a signature of this version ({SCHEMA!r})")
    return {str(name): str(value) for name, value in document.items()}


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        told = "signatures need the package cryptography: pip install 'truestep[sign]'"
        raise BadSignature(told) from None
    return ed25519


def _private(path: Path) -> Private:
    """The key in a file, PEM or OpenSSH. Raises OSError and BadSignature."""
    kind: type[Private] = _ed25519().Ed25519PrivateKey
    from cryptography.hazmat.primitives import serialization as forms

    read = {True: forms.load_ssh_private_key, False: forms.load_pem_private_key}
    raw = path.read_bytes()
    try:
        key = read[b"OPENSSH" in raw[:64]](raw, None)
    except (TypeError, ValueError) as error:
        raise BadSignature(f"{path}: no private key without password: {error}") from None
    if not isinstance(key, kind):
        raise BadSignature(f"{path}: an Ed25519 key is needed, this is {type(key).__name__}")
    return key


def public_key(path: Path) -> Public:
    """The same of a public key."""
    kind: type[Public] = _ed25519().Ed25519PublicKey
    from cryptography.hazmat.primitives import serialization as forms

    raw = path.read_bytes()
    ssh = raw.startswith(b"ssh-")
    try:
        key = forms.load_ssh_public_key(raw) if ssh else forms.load_pem_public_key(raw)
    except ValueError as error:
        raise BadSignature(f"{path}: no public key: {error}") from None
    if not isinstance(key, kind):
        raise BadSignature(f"{path}: an Ed25519 key is needed, this is {type(key).__name__}")
    return key

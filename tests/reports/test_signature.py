from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from truestep.reports import certificate

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    """Key files: ours in PEM and OpenSSH, another's public key, and one that is no Ed25519 key."""
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    ours, other = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    curve = ec.generate_private_key(ec.SECP256R1())
    plain, pem = forms.NoEncryption(), forms.Encoding.PEM
    private = forms.PrivateFormat.PKCS8
    written = {
        "private": ours.private_bytes(pem, private, plain),
        "ssh": ours.private_bytes(pem, forms.PrivateFormat.OpenSSH, plain),
        "curve": curve.private_bytes(pem, private, plain),
        "locked": ours.private_bytes(pem, private, forms.BestAvailableEncryption(b"secret")),
    }
    info = forms.PublicFormat.SubjectPublicKeyInfo
    written["public"] = ours.public_key().public_bytes(pem, info)
    written["other"] = other.public_key().public_bytes(pem, info)
    ssh = forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH
    written["public_ssh"] = ours.public_key().public_bytes(*ssh)
    for name, raw in written.items():
        (tmp_path / name).write_bytes(raw)
    return {name: tmp_path / name for name in written}


@pytest.mark.parametrize("private", ["private", "ssh"])
@pytest.mark.parametrize("public", ["public", "public_ssh"])
def test_a_signature_is_verified_by_its_key_alone(
    truestep: Call, save: Callable[..., Path], keys: dict[str, Path], private: str, public: str
) -> None:
    """0 with the signer's key and without any, 1 with another's; layout may change."""
    path = save()
    status, out, _ = truestep("sign", path, "--key", keys[private])
    assert status == 0 and out == f"{path}.sig\n"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=5))
    status, out, _ = truestep("verify", path, "--key", keys[public])
    assert status == 0 and "whole" in out and "signed by key" in out and "verdict fail" in out
    status, out, _ = truestep("verify", path)
    assert status == 0 and "--key FILE tells whether you know it" in out
    status, out, _ = truestep("verify", path, "--key", keys["other"])
    assert status == 1 and f"not made by the key {keys['other']}" in out


def test_a_certificate_without_signature_is_whole_and_unsigned(
    truestep: Call, save: Callable[..., Path], keys: dict[str, Path]
) -> None:
    """It says which suite made it; a key that must have signed makes it a failure."""
    path = save()
    version = certificate.read(path)["suite"]["version"]
    status, out, _ = truestep("verify", path)
    assert status == 0 and f"whole; suite {version}" in out and out.endswith("unsigned\n")
    status, out, _ = truestep("verify", path, "--key", keys["public"])
    assert status == 1 and "unsigned: there is no" in out


def test_a_key_that_cannot_be_read_is_told_first(
    truestep: Call, save: Callable[..., Path], keys: dict[str, Path]
) -> None:
    """2 and a line, also of what is unsigned: nothing was verified."""
    path = save()
    for key, told in (
        ("absent", "absent: No such file"),
        (path, f"--key {path}: no public key"),
        (keys["private"], "no public key"),
    ):
        status, out, err = truestep("verify", path, "--key", key)
        assert status == 2 and told in err and len(err.splitlines()) == 1 and not out, err


def test_what_was_changed_is_not_verified(
    truestep: Call, save: Callable[..., Path], keys: dict[str, Path]
) -> None:
    """1 for a changed certificate, a signature of another, a changed signature; 2 if absent."""
    path, other = save("a.json"), save("b.json", seed=1)
    for each in (path, other):
        truestep("sign", each, "--key", keys["private"])
    signature = Path(f"{path}.sig")
    whole = signature.read_text()
    signature.write_text(Path(f"{other}.sig").read_text())
    status, out, _ = truestep("verify", path)
    assert status == 1 and "signs another content" in out
    document = json.loads(whole)
    for changed, told in (
        ({"signature": json.loads(signature.read_text())["signature"]}, "not made by its own key"),
        ({"signature": "%"}, "a.json.sig: "),
        ({"public_key": "AAAA"}, "a.json.sig: "),
        ({"schema": "truestep-signature/9"}, "not a signature of this version"),
        ({"more": ""}, "not a signature of this version"),
    ):
        signature.write_text(json.dumps({**document, **changed}))
        status, out, _ = truestep("verify", path)
        assert status == 1 and told in out, out
    signature.write_text(whole)
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    status, out, _ = truestep("verify", other, path)
    assert status == 1 and "✓" in out and "content was changed" in out
    assert truestep("verify", "absent.json")[0] == 2


def test_keys_that_cannot_sign_are_refused_in_one_line(
    truestep: Call, save: Callable[..., Path], keys: dict[str, Path]
) -> None:
    """Another algorithm, a password, a public key, no key, no file."""
    path = save()
    for key, told in (
        (keys["curve"], "an Ed25519 key is needed"),
        (keys["locked"], "no private key without password"),
        (keys["public"], "no private key"),
        (path, "no private key"),
        ("absent", "absent: No such file"),
    ):
        status, _, err = truestep("sign", path, "--key", key)
        assert status == 2 and told in err and len(err.splitlines()) == 1, err
    assert not Path(f"{path}.sig").exists()
    unfinished = save("u.json", complete=False)
    status, _, err = truestep("sign", unfinished, "--key", keys["private"])
    assert status == 2 and "of an unfinished run" in err


def test_without_cryptography_the_refusal_says_what_to_install(
    truestep: Call, save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whether a certificate is whole is told all the same."""
    path = save()
    absent = "cryptography.hazmat.primitives.asymmetric"
    for name in ("cryptography", absent, f"{absent}.ed25519"):
        monkeypatch.setitem(sys.modules, name, None)
    status, _, err = truestep("sign", path, "--key", path)
    assert status == 2 and "pip install 'truestep[sign]'" in err
    assert truestep("verify", path)[0] == 0

"""The home's own certificate authority and the server's certificate. It trusts nobody by itself."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

CA_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=397)  # the longest that browsers accept
RENEW_BEFORE = timedelta(days=30)  # left of its life
_CLOCK_SKEW = timedelta(days=1)
_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, FreeBSD
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Where everything is."""

    ca: Path
    certificate: Path
    key: Path  # of the server; mode 0600
    bundle: Path  # our CA and the system's roots, for REQUESTS_CA_BUNDLE


class _State(msgspec.Struct, frozen=True):
    """What was issued, kept beside it so that a start need not parse certificates."""

    names: list[str]
    ca_until: datetime
    server_until: datetime


def tls_files(folder: Path) -> TlsFiles:
    """Return where the files of a home are; they need not exist."""
    return TlsFiles(
        ca=folder / "ca.pem",
        certificate=folder / "server.pem",
        key=folder / "server.key",
        bundle=folder / "bundle.pem",
    )


def ensure_tls(folder: Path, now: datetime) -> TlsFiles:
    """Make the CA and the server's certificate, or renew what will soon expire.

    Args:
        folder: `tls` of the home, made with mode 0700.
        now: timezone-aware.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files, names = tls_files(folder), _host_names()
    state = _read_state(folder, files)
    if state and set(names) <= set(state.names) and now < state.server_until - RENEW_BEFORE:
        return files
    keep_ca = state is not None and now < state.ca_until - SERVER_LIFE
    ca_until = _issue(folder, files, names, now, keep_ca=keep_ca)
    fresh = _State(names, ca_until, now + SERVER_LIFE)
    _write(folder / "state.json", msgspec.json.encode(fresh), 0o600)
    return files


def _host_names() -> list[str]:
    return sorted({"localhost", "127.0.0.1", "::1", socket.gethostname()})


def _read_state(folder: Path, files: TlsFiles) -> _State | None:
    needed = (files.ca, files.certificate, files.key, files.bundle, folder / "ca.key")
    if not all(file.exists() for file in needed):
        return None
    try:
        return msgspec.json.decode((folder / "state.json").read_bytes(), type=_State)
    except (OSError, msgspec.DecodeError):
        return None


def _issue(
    folder: Path, files: TlsFiles, names: list[str], now: datetime, *, keep_ca: bool
) -> datetime:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

    if keep_ca:
        ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
        ca_key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
        if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
            return _issue(folder, files, names, now, keep_ca=False)
    else:
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca = _ca_certificate(ca_key, now)
        _write(folder / "ca.key", _private(ca_key), 0o600)
        _write(files.ca, ca.public_bytes(Encoding.PEM), 0o644)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _server_certificate(key, ca, ca_key, names, now)
    _write(files.key, _private(key), 0o600)
    _write(files.certificate, certificate.public_bytes(Encoding.PEM), 0o644)
    _write(files.bundle, files.ca.read_bytes() + b"\n" + _system_roots(), 0o644)
    return ca.not_valid_after_utc


def _ca_certificate(key: EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = _name(f"Lazulite of {socket.gethostname()}"[:64])
    usage = _usage(signs_certificates=True)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _server_certificate(
    key: EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: EllipticCurvePrivateKey,
    names: list[str],
    now: datetime,
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
    return (
        x509.CertificateBuilder()
        .subject_name(_name("Lazulite server"))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + SERVER_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(server, critical=False)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer, critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _name(common: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _system_roots() -> bytes:
    """Return the roots that programs of this machine trust; REQUESTS_CA_BUNDLE replaces them."""
    standard = ssl.get_default_verify_paths()
    for candidate in (*_ROOTS, standard.openssl_cafile):
        if candidate and Path(candidate).is_file():
            return Path(candidate).read_bytes()
    try:
        import certifi
    except ImportError:
        return b""
    return Path(certifi.where()).read_bytes()


def _write(path: Path, content: bytes, mode: int) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    temporary.replace(path)

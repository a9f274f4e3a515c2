"""The home's certificates."""

from __future__ import annotations

import socket
import ssl
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lazulite.wire.tls import RENEW_BEFORE, SERVER_LIFE, TlsFiles, ensure_tls

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def serial(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def handshake(files: TlsFiles, name: str) -> str | None:
    """Return the TLS version that a strict client and the server agree on."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=str(files.bundle))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(incoming, outgoing, server_hostname=name)
    theirs = server.wrap_bio(outgoing, incoming, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours.version()


def test_a_strict_client_trusts_every_name_of_this_machine(tmp_path: Path) -> None:
    files = ensure_tls(tmp_path / "tls", datetime.now(UTC))
    for name in ("localhost", "127.0.0.1", "::1", socket.gethostname()):
        assert handshake(files, name) == "TLSv1.3"


def test_keys_are_for_the_owner_only(tmp_path: Path) -> None:
    ensure_tls(tmp_path / "tls", NOW)
    for name in ("ca.key", "server.key"):
        assert stat.S_IMODE((tmp_path / "tls" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700


def test_the_bundle_has_our_roots_and_the_systems(tmp_path: Path) -> None:
    files = ensure_tls(tmp_path / "tls", NOW)
    bundle = files.bundle.read_text()
    assert files.ca.read_text() in bundle
    assert bundle.count("BEGIN CERTIFICATE") > 10


def test_nothing_is_made_twice(tmp_path: Path) -> None:
    files = ensure_tls(tmp_path / "tls", NOW)
    before = files.certificate.read_bytes()
    ensure_tls(tmp_path / "tls", NOW + timedelta(days=1))
    assert files.certificate.read_bytes() == before


def test_a_certificate_that_soon_expires_is_renewed_by_the_same_ca(tmp_path: Path) -> None:
    files = ensure_tls(tmp_path / "tls", NOW)
    certificate, ca = serial(files.certificate), serial(files.ca)
    ensure_tls(tmp_path / "tls", NOW + SERVER_LIFE - RENEW_BEFORE)
    assert serial(files.certificate) != certificate
    assert serial(files.ca) == ca


def test_an_old_ca_is_replaced_with_its_certificates(tmp_path: Path) -> None:
    files = ensure_tls(tmp_path / "tls", NOW - timedelta(days=3600))
    ca = serial(files.ca)
    ensure_tls(tmp_path / "tls", NOW)
    assert serial(files.ca) != ca


def test_a_damaged_state_makes_everything_anew(tmp_path: Path) -> None:
    files = ensure_tls(tmp_path / "tls", NOW)
    ca = serial(files.ca)
    (tmp_path / "tls" / "state.json").write_text("{")
    ensure_tls(tmp_path / "tls", NOW)
    assert serial(files.ca) != ca


def test_a_start_with_good_certificates_does_not_load_cryptography(tmp_path: Path) -> None:
    ensure_tls(tmp_path / "tls", NOW)
    code = (
        "import sys, pathlib, datetime\n"
        "from lazulite.wire.tls import ensure_tls\n"
        "now = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)\n"
        "ensure_tls(pathlib.Path(sys.argv[1]), now)\n"
        "assert 'cryptography' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "tls")], check=True)


def test_a_ca_key_of_another_kind_is_replaced(tmp_path: Path) -> None:
    files = ensure_tls(tmp_path / "tls", NOW)
    ca = serial(files.ca)
    key = rsa.generate_private_key(65537, 2048)
    (tmp_path / "tls" / "ca.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    ensure_tls(tmp_path / "tls", NOW + SERVER_LIFE)
    assert serial(files.ca) != ca

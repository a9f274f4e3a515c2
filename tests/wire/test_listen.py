"""Sockets."""

from __future__ import annotations

import pytest

from lazulite.domain.errors import Unavailable
from lazulite.wire.listen import bind, url_of


def test_a_port_that_is_taken_is_named_with_the_mend() -> None:
    with bind(0) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port} .* LAZULITE_HTTP_PORT"):
            bind(port)


def test_the_url_of_a_listener_tells_its_port() -> None:
    with bind(0) as sock:
        assert url_of(sock, tls=False) == f"http://127.0.0.1:{sock.getsockname()[1]}"


def test_an_address_of_version_six_stands_in_brackets() -> None:
    try:
        sock = bind(0, "::1")
    except Unavailable:
        pytest.skip("this machine has no IPv6")
    with sock:
        assert url_of(sock, tls=True).startswith("https://[::1]:")

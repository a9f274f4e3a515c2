"""What is computed of bytes while they pass: the digests to be checked, and the identity."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping

from blake3 import blake3

from lazulite.domain.errors import InvalidInput
from lazulite.files.disk import CHUNK
from lazulite.ports.blobs import DigestMismatch

_NAMES = {"md5": "md5", "sha-256": "sha256", "sha-512": "sha512"}  # RFC 9530's: hashlib's


class Sums:
    """Digests of a stream."""

    def __init__(self, digests: Mapping[str, str], *, identity: bool = False) -> None:
        """Prepare.

        Args:
            digests: what shall come out, in base64, by the names of RFC 9530.
            identity: compute the BLAKE3, too.

        Raises:
            InvalidInput: a digest has another name than these.
        """
        if unknown := digests.keys() - _NAMES.keys():
            raise InvalidInput(
                f"digest '{min(unknown)}' cannot be checked here; send {', '.join(_NAMES)}"
            )
        self._expected = dict(digests)
        self._hashers = {name: hashlib.new(_NAMES[name], usedforsecurity=False) for name in digests}
        self._identity = blake3() if identity else None

    @property
    def idle(self) -> bool:
        """Whether nothing is computed, so that the bytes need not be shown."""
        return not self._hashers and self._identity is None

    @property
    def identity(self) -> str | None:
        """The BLAKE3 of what passed, in hex; None if it was not asked for."""
        return self._identity.hexdigest() if self._identity else None

    def read(self, descriptor: int) -> None:
        """Take in a file from its position to its end, if anything is computed."""
        buffer = memoryview(bytearray(CHUNK))
        while not self.idle and (count := os.readv(descriptor, [buffer])):
            self.update(buffer[:count])

    def update(self, data: bytes | memoryview) -> None:
        """Take in what comes next."""
        for hasher in self._hashers.values():
            hasher.update(data)
        if self._identity:
            self._identity.update(data)

    def check(self) -> None:
        """Compare with what should come out.

        Raises:
            DigestMismatch: it is another.
        """
        for name, hasher in self._hashers.items():
            if base64.b64encode(hasher.digest()).decode() != self._expected[name]:
                raise DigestMismatch(
                    f"the content that came has another {name} digest than was said; send it again"
                )

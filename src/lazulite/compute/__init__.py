"""Where jobs run: one module per kind of compute."""

import sys

from lazulite.domain.errors import Unsupported

if sys.platform == "win32":
    raise Unsupported("Lazulite runs jobs on Linux and macOS; on Windows install it inside WSL 2")

"""The unmodified azure-ai-ml against a real server."""

from __future__ import annotations

import pytest

# What the SDK does to its own dependencies; nothing of ours is ignored.
SDK = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::marshmallow.warnings.RemovedInMarshmallow4Warning"),
]

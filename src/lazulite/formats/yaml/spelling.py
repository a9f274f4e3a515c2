"""Words that YAML and Azure's JSON spell differently. It imports nothing that is slow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INPUT_MODES = {
    "ro_mount": "ReadOnlyMount",
    "mount": "ReadOnlyMount",
    "rw_mount": "ReadWriteMount",
    "download": "Download",
    "direct": "Direct",
    "eval_mount": "EvalMount",
    "eval_download": "EvalDownload",
}
OUTPUT_MODES = {
    "rw_mount": "ReadWriteMount",
    "mount": "ReadWriteMount",
    "upload": "Upload",
    "direct": "Direct",
}


def dropped(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return `body` without its None values."""
    return {key: value for key, value in body.items() if value is not None}

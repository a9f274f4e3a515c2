"""What a browser is told of a file: its type by its name, and whether it may show it."""

from __future__ import annotations

import mimetypes
from urllib.parse import quote

UNKNOWN = "application/octet-stream"
# What a browser only shows. All else is saved: it might run in a page of ours.
_SHOWN = {
    *("text/plain", "text/csv", "text/markdown", "text/tab-separated-values", "application/json"),
    *("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/avif"),
}
_SHOWN_KINDS = ("audio/", "video/")
_TEXTS = {  # endings, and whole names, of what Python's table does not know as text
    *("cfg", "conf", "err", "ini", "jsonl", "log", "mlmodel", "mlproject", "ndjson", "out"),
    *("py", "sh", "toml", "yaml", "yml"),
}
_PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


def type_of(name: str) -> str:
    """Return the MIME type of a file; what is packed has that of its packing."""
    if name.rpartition(".")[2].lower() in _TEXTS:
        return "text/plain"
    # Without './' a name such as `data:text/html,x` would be read as a URL that says its type.
    kind, packing = mimetypes.guess_type(f"./{name}")
    return _PACKED.get(packing, UNKNOWN) if packing else kind or UNKNOWN


def headers_of(name: str) -> dict[str, str]:
    """Return the headers that say what a file is, and that its content is nobody's page."""
    kind = type_of(name)
    shown = kind in _SHOWN or kind.startswith(_SHOWN_KINDS)
    text = kind.startswith("text/") or kind == "application/json"
    how = "inline" if shown else "attachment"
    return {
        "content-type": f"{kind}; charset=utf-8" if text else kind,
        "content-disposition": f"{how}; filename*=UTF-8''{quote(name, safe='')}",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox",
    }

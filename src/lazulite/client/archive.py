"""Makes the .zip that `additional_includes` names where only its folder is there."""

from __future__ import annotations

import os
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from blake3 import blake3

from lazulite.client.tree import read_ignore, walk

_MODES = {False: 0o644, True: 0o755}


def pack(folder: Path, place: Path) -> Path:
    """Write FOLDER.zip, which holds the folder under its name, and return its path.

    The same content makes the same bytes, so that a step whose code did not change is reused.

    Args:
        folder: what to pack, without what its ignore file names.
        place: where archives are kept, in a folder each; made when needed.
    """
    target = place / blake3(str(folder).encode()).hexdigest()[:16] / f"{folder.name}.zip"
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(f".{os.getpid()}")
    try:
        with ZipFile(fresh, "w", ZIP_DEFLATED) as archive:
            for file in sorted(walk(folder, read_ignore(folder))):
                about = ZipInfo(f"{folder.name}/{file.path}")  # with ZipInfo's one date, of 1980
                about.external_attr = _MODES[file.executable] << 16
                about.compress_type = ZIP_DEFLATED
                archive.writestr(about, Path(file.local).read_bytes())
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    return target

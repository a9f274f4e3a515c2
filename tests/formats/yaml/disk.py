"""A disk of a few files, and one call that reads a document from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from lazulite.domain.ids import WorkspaceId
from lazulite.formats.yaml.document import Node
from lazulite.formats.yaml.parser import parse
from lazulite.formats.yaml.plan import Plan, fill
from lazulite.formats.yaml.read import Document, read

WORKSPACE = WorkspaceId("sub", "group", "ws")
ARM = WORKSPACE.arm
HERE = Path("/here")


class Disk:
    """Files by their path below `HERE`; their folders exist too."""

    def __init__(self, **files: str) -> None:
        self.files = {HERE / name.replace("__", "/"): text for name, text in files.items()}

    def put(self, name: str, text: str) -> None:
        self.files[HERE / name] = text

    def read(self, path: Path) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return self.files[path].encode()

    def tree(self, path: Path, data: bytes, shown: str) -> Node:
        return parse(data, shown)

    def kind(self, path: Path) -> Literal["file", "folder"] | None:
        if path in self.files:
            return "file"
        return "folder" if any(path in file.parents for file in self.files) else None


def plan(text: str, *changes: str, noun: str = "job", disk: Disk | None = None) -> Plan:
    """Read `text` as if it were /here/x.yml."""
    files = disk or Disk()
    files.put("x.yml", text)
    document = Document(path=HERE / "x.yml", shown="x.yml", assignments=changes)
    return read(noun, document, WORKSPACE, files)


def body(text: str, *changes: str, noun: str = "job", disk: Disk | None = None) -> dict[str, Any]:
    """Return the properties of the PUT, uploads as <use:name>."""
    made = plan(text, *changes, noun=noun, disk=disk)
    known = {upload: f"<{upload.use}:{upload.path.name}>" for upload in made.uploads}
    return fill(made.body, known)["properties"]

"""What a YAML file asks for: uploads, then anonymous environments, then one PUT. It does nothing.

`Build` collects while the readers of this package walk the documents. What only an upload can know
(the id of a code version, the URI of uploaded data) stands in the body as a `Pending` until
`fill` puts the real text there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol

from blake3 import blake3

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import WorkspaceId
from lazulite.formats.yaml.document import Node
from lazulite.formats.yaml.section import Section, Source

ANONYMOUS_ENVIRONMENT = "CliV2AnonymousEnvironment"  # the name azure-ai-ml gives them


class Files(Protocol):
    """What reading a document needs of the disk. Paths are absolute."""

    def read(self, path: Path) -> bytes:
        """Return the file's bytes; OSError if there is none."""
        ...

    def tree(self, path: Path, data: bytes, shown: str) -> Node:
        """Return the file's bytes as `parser.parse` reads them; `shown` = its name in messages."""
        ...

    def kind(self, path: Path) -> Literal["file", "folder"] | None:
        """Say what is there."""
        ...


class Upload(NamedTuple):
    """Local files to send: a snapshot of code, or data."""

    use: Literal["code", "data"]
    path: Path  # a folder or one file
    includes: tuple[Path, ...] = ()  # `additional_includes`, put at the snapshot's root


class Pending(NamedTuple):
    """Text that is known after `upload`: the code version's ARM id, or the data's URI."""

    upload: Upload
    prefix: str = ""
    suffix: str = ""


class Plan(NamedTuple):
    """Everything one YAML file asks for, in the order in which it must be done."""

    kind: str  # plural noun of Azure's route: jobs, components, environments, data, computes ...
    name: str | None  # None = none was given
    body: dict[str, Any]  # of the PUT; may hold `Pending`
    root: Section
    version: str | None = None  # None = none was given, or the kind has no versions
    uploads: tuple[Upload, ...] = ()
    environments: Mapping[str, dict[str, Any]] = MappingProxyType({})  # version -> body
    warnings: tuple[str, ...] = ()

    def locate(self, path: str) -> str | None:
        """Return `file:line` of the field that a dotted path of the body names, if it is here."""
        node, line = self.root.node, 0
        for step in path.replace("properties.", "", 1).split("."):
            if not isinstance(node.value, dict) or step not in node.value:
                break
            line = node.lines.get(step, line)
            node = node.value[step]
        return f"{self.root.source.name}:{line}" if line else None


@dataclass(slots=True)
class Build:
    """The state of one reading: where things are, and what was met so far."""

    workspace: WorkspaceId
    files: Files
    specify: Mapping[str, Callable[[Build, Section], dict[str, Any]]]  # kind of component -> reader
    uploads: dict[Upload, None] = field(default_factory=dict)
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    opened: dict[Path, Section] = field(default_factory=dict)
    nesting: tuple[Path, ...] = ()  # component files being read: a file in itself is a cycle

    def open(self, path: Path, shown: str, blame: Section | None = None) -> Section:
        """Read a YAML file once.

        Args:
            path: absolute.
            shown: its name in messages.
            blame: who refers to it, for the error that it is not there.

        Raises:
            InvalidInput: it cannot be read, or is not a YAML mapping.
        """
        if path not in self.opened:
            try:
                data = self.files.read(path)
            except OSError as error:
                message = f"the file '{shown}' cannot be read: {error.strerror or error}"
                raise blame.fail(message) if blame else InvalidInput(message) from None
            node = self.files.tree(path, data, shown)
            self.opened[path] = self.wrap(node, shown, path.parent)
        return self.opened[path]

    def wrap(self, node: Node, shown: str, folder: Path) -> Section:
        """Return a document as a section; an empty one is an error."""
        if not isinstance(node.value, dict) or not node.value:
            raise InvalidInput(f"{shown}: must be a mapping such as 'type: command'")
        return Section(node, Source(shown, folder, self.warnings))

    def refer(self, section: Section, key: str, text: str) -> tuple[Path, str]:
        """Resolve a path against the file it stands in; return it and its name in messages."""
        text = text.removeprefix("file:")
        relative = Path(text.removeprefix("//") if text.startswith("//") else text)
        if "\0" in text:
            raise section.fail("a path cannot hold a NUL", key)
        folder = section.source.folder
        path = Path(_normal(folder / relative.expanduser()))
        shown = Path(section.source.name).parent / relative
        return path, _normal(shown)

    def upload(self, upload: Upload, *, prefix: str = "", suffix: str = "") -> Pending:
        """Ask for an upload, once per thing."""
        self.uploads[upload] = None
        return Pending(upload, prefix, suffix)

    def anonymous_environment(self, body: dict[str, Any]) -> str:
        """Ask for an environment without a name; return its ARM id."""
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
        version = str(blake3(canonical.encode()).hexdigest())
        self.environments[version] = {**body, "isAnonymous": True, "isArchived": False}
        return f"{self.workspace.arm}/environments/{ANONYMOUS_ENVIRONMENT}/versions/{version}"


def _normal(path: Path) -> str:
    """Drop `.` and `x/..` as text: a symlinked folder keeps its name in messages."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts and parts[-1] not in ("..", "/"):
            parts.pop()
        else:
            parts.append(part)
    return str(Path(*parts))


def fill(body: Any, known: Mapping[Upload, str]) -> Any:
    """Return `body` with every `Pending` replaced by the text its upload gave."""
    if isinstance(body, Pending):
        return f"{body.prefix}{known[body.upload]}{body.suffix}"
    if isinstance(body, dict):
        return {key: fill(value, known) for key, value in body.items()}
    if isinstance(body, list):
        return [fill(value, known) for value in body]
    return body

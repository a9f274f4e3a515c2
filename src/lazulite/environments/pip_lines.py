"""Read the `pip:` list of a conda file: the lines of a requirements file. It opens no file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from lazulite.domain.errors import InvalidInput
from lazulite.environments.secrets import mask

STAND_INS = frozenset(
    {
        "azureml-contrib-services",
        "azureml-core",
        "azureml-dataprep",
        "azureml-dataset-runtime",
        "azureml-defaults",
        "azureml-inference-server-http",
        "azureml-mlflow",
        "azureml-pipeline",
        "azureml-pipeline-core",
        "azureml-pipeline-steps",
        "azureml-sdk",
        "azureml-telemetry",
        "azureml-train",
        "azureml-train-core",
        "azureml-widgets",
    }
)
_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_OPTION = re.compile(r"(?P<name>--[\w\-]+|-[a-zA-Z])[\s=]*(?P<value>.*)")
_HASHES = re.compile(r"(?:\s+--hash[=\s]\s*\S+)+$")
_EGG = re.compile(r"#(?:.*&)?egg=(?P<name>[A-Za-z0-9._\-]+)(?P<extras>\[[^\]]*\])?")
_PATHS = (".", "/", "~", "file:")
_ARCHIVES = (".whl", ".tar.gz", ".zip")
_REMOTE = ("git+https://", "git+ssh://", "git+http://", "https://", "http://")

# Options that go into the requirements file as they are: name in full.
_LINES = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--pypi-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
    "--no-index": "--no-index",
    "--no-binary": "--no-binary",
    "--only-binary": "--only-binary",
}
# Options that uv takes on its command line.
_FLAGS = {
    "--pre": "--prerelease=allow",
    "--require-hashes": "--require-hashes",
    "--trusted-host": "--allow-insecure-host=",
}
_FILES = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
_EDITABLE = frozenset({"-e", "--editable"})
_IGNORED = frozenset({"--prefer-binary", "--no-cache-dir", "--use-feature", "--no-cache"})


@dataclass(slots=True, kw_only=True)
class PipList:
    """What a list of pip lines asks for; grows line by line."""

    requirements: list[str] = field(default_factory=list)  # normalised
    options: list[str] = field(default_factory=list)  # lines of the requirements file
    flags: list[str] = field(default_factory=list)  # arguments of uv pip install
    notes: list[str] = field(default_factory=list)  # for the log
    wants_mlflow: bool = False  # azureml-mlflow was dropped

    def add(self, line: str, path: str) -> None:
        """Take one line.

        Args:
            line: a requirement, a URL or an option, as in a requirements file.
            path: where it stands, for messages.

        Raises:
            InvalidInput: it names a file, is not a requirement, or is an option uv does not have.
        """
        text = _COMMENT.sub("", line).strip()
        if not text:
            return
        if len(text.splitlines()) > 1:  # would be lines of the requirements file, unread by us
            raise InvalidInput(
                f"{mask(text)[:200]!r} is more than one line: make each an item of the pip list",
                path=path,
            )
        if text.startswith("-"):
            self._add_option(text, path)
            return
        self.add_requirement(text, path)

    def add_requirement(self, text: str, path: str) -> None:
        """Take one requirement, normalised; `add` says what is refused."""
        if text.startswith(_REMOTE):
            self.requirements.append(_named_url(text))
            return
        hashes = _HASHES.search(text)
        requirement = _parse(text[: hashes.start()] if hashes else text, path)
        name = canonicalize_name(requirement.name)
        if name in STAND_INS:
            self.notes.append(f"{name}: not installed; Lazulite itself takes its place")
            self.wants_mlflow |= name == "azureml-mlflow"
            return
        requirement.name = name
        tail = " " + " ".join(hashes[0].split()) if hashes else ""
        self.requirements.append(f"{requirement}{tail}")

    def finish(self) -> None:
        """Give back what a dropped package would have brought: `azureml-mlflow` brings MLflow."""
        names = {re.split(r"[^a-z0-9\-]", text, maxsplit=1)[0] for text in self.requirements}
        if self.wants_mlflow and not names & {"mlflow", "mlflow-skinny"}:
            self.requirements.append("mlflow-skinny")
            self.notes.append("mlflow-skinny: installed, as azureml-mlflow would have done")

    def _add_option(self, text: str, path: str) -> None:
        found = _OPTION.fullmatch(text)
        name, value = (found["name"], found["value"].strip()) if found else (text, "")
        if name in _FILES:
            raise InvalidInput(
                f"{mask(text)[:200]!r} names a file, which does not travel with the conda file: "
                "write its lines into the pip list",
                path=path,
            )
        if name in _EDITABLE:
            self._add_editable(value, path)
        elif name in _LINES:
            self._add_line(_LINES[name], value, path)
        elif name in _FLAGS:
            flag = _FLAGS[name]
            self.flags.append(f"{flag}{value}" if flag.endswith("=") else flag)
        elif name in _IGNORED:
            self.notes.append(f"{name}: ignored; uv decides this itself")
        else:
            raise InvalidInput(
                f"pip option {mask(text)[:200]!r} is not understood: leave it out", path=path
            )

    def _add_line(self, option: str, value: str, path: str) -> None:
        if option != "--no-index" and not value:
            raise InvalidInput(f"pip option {option} needs a value", path=path)
        if option == "--find-links" and "://" not in value and not value.startswith("/"):
            raise InvalidInput(
                f"{option} {mask(value)[:200]!r} is a relative path, which does not travel with "
                "the conda file: give a URL or an absolute path",
                path=path,
            )
        self.options.append(f"{option} {value}".strip())

    def _add_editable(self, value: str, path: str) -> None:
        if not value.startswith(_REMOTE):
            _refuse_file(value, path)
        self.notes.append(f"{mask(value)}: installed as it is, not editable")
        self.requirements.append(_named_url(value))


def _named_url(text: str) -> str:
    """Spell a URL with `#egg=name` as `name @ url`."""
    egg = _EGG.search(text)
    if not egg:
        return text
    return f"{canonicalize_name(egg['name'])}{egg['extras'] or ''} @ {text[: egg.start()]}"


def _parse(text: str, path: str) -> Requirement:
    if text.startswith(_PATHS) or ("://" not in text and text.endswith(_ARCHIVES)):
        _refuse_file(text, path)
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        cause = str(error).splitlines()[0]
        hint = "; pip writes == where conda writes =" if re.search(r"[^=<>!~]=[^=]", text) else ""
        raise InvalidInput(
            f"requirement {mask(text)[:200]!r} is not valid: {mask(cause)}{hint}", path=path
        ) from None
    if requirement.url and requirement.url.startswith("file:"):
        _refuse_file(text, path)
    return requirement


def _refuse_file(text: str, path: str) -> NoReturn:
    raise InvalidInput(
        f"{mask(text)[:200]!r} is a file of one machine, which does not travel with the conda "
        "file: put it on an index, name a git+https:// URL, or put its code into the job's code",
        path=path,
    )

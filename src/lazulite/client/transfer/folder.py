"""A store of MLflow in an `mlruns` folder, of any version."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from lazulite.client.transfer.folders import Folders, files_in
from lazulite.client.transfer.records import (
    CHUNK,
    Experiment,
    File,
    Left,
    Model,
    Name,
    Run,
    Version,
)
from lazulite.domain.errors import InvalidInput
from lazulite.domain.model import NO_STAGE
from lazulite.domain.run import RUN_NAME, Dataset
from lazulite.formats.mlflow.stored import GONE, model_status_of, run_status_of, value_of
from lazulite.formats.mlflow.transfer import Series

META, TRASH, REGISTRY = "meta.yaml", ".trash", "models"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_META = 4_000_000  # bytes


class FolderSource:
    """Reads the files where they are."""

    def __init__(self, root: Path, artifacts: Path | None = None) -> None:
        """Look for experiments.

        Args:
            root: `mlruns`, or the folder that it is in.
            artifacts: what `mlflow-artifacts:` means; None = `mlartifacts` beside the folder.

        Raises:
            InvalidInput: there are none.
        """
        self.shown = root.resolve().as_uri()
        inner = root / "mlruns"
        self._root = inner if not any(_experiments(root)) and inner.is_dir() else root
        if not any(_experiments(self._root)):
            raise InvalidInput(f"{root} is no store of MLflow: no folder in it is an experiment's")
        self._folders = Folders(self._root.resolve().parent, artifacts)

    def experiments(self) -> Iterator[Experiment]:
        """Yield the experiments, those in the bin too."""
        for folder in _experiments(self._root):
            meta = read_meta(folder)
            inline = meta.get("tags")  # where 3.x keeps those that came with the experiment
            tags = inline if isinstance(inline, dict) else {}
            yield Experiment(
                id=folder.name,
                name=str(meta.get("name") or folder.name),
                tags={**{str(k): str(v) for k, v in tags.items()}, **read_texts(folder / "tags")},
                deleted=folder.parent.name == TRASH or meta.get("lifecycle_stage") == "deleted",
                created=_millis(meta.get("creation_time")),
                modified=_millis(meta.get("last_update_time")),
            )

    def runs(self, experiments: Sequence[str]) -> Iterator[Run]:
        """Yield runs."""
        found: list[tuple[int, str]] = []
        for folder in self._of(experiments):
            for run in _folders(folder):
                start = _millis(read_meta(run).get("start_time"))
                found.append((start or 0, str(run)))
        for _, path in sorted(found):
            yield _run(Path(path))

    def points(self, run: Run) -> Iterator[Series]:
        """Yield the points of a run."""
        for folder in self._of([run.experiment]):
            for key, path in files_of(folder / run.id / "metrics"):
                yield from _series(run.id, key, path)

    def models(self, experiments: Sequence[str]) -> Iterator[Model]:
        """Yield the logged models that were not deleted."""
        for folder in self._of(experiments):
            for model in _folders(folder / "models"):
                meta = read_meta(model)
                if meta.get("lifecycle_stage") != "deleted":
                    yield _model(model, meta)

    def files(self, owner: Run | Model) -> Iterator[File | Left]:
        """Yield the artifacts: those beside the record, else those where it says they are."""
        for folder in self._of([owner.experiment]):
            home = folder if isinstance(owner, Run) else folder / "models"
            beside = home / owner.id / "artifacts"
            if beside.is_dir() and not beside.is_symlink():
                yield from files_in(beside)
                if any(beside.iterdir()):
                    return
        yield from self._folders.files(owner.location, owner.id)

    def names(self) -> Iterator[Name]:
        """Yield the registered models."""
        for folder in _folders(self._root / REGISTRY):
            meta = read_meta(folder)
            aliases = meta.get("aliases")
            said = aliases if isinstance(aliases, dict) else {}
            yield Name(
                name=str(meta.get("name") or folder.name),
                created=_millis(meta.get("creation_timestamp")) or 0,
                modified=_millis(meta.get("last_updated_timestamp")),
                description=str(meta.get("description") or ""),
                tags=read_texts(folder / "tags"),
                aliases={
                    **{str(alias): str(of) for alias, of in said.items()},
                    **read_texts(folder / "aliases"),
                },
                versions=_versions(folder),
            )

    def close(self) -> None:
        """Nothing is open."""

    def _of(self, experiments: Sequence[str]) -> Iterator[Path]:
        for name in experiments:
            for folder in (self._root / name, self._root / TRASH / name):
                if (folder / META).is_file():
                    yield folder


def read_meta(folder: Path) -> dict[str, Any]:
    """Return the record of a folder; it may be of any shape, but runs no code.

    Raises:
        InvalidInput: it is not YAML, or no record.
    """
    path = folder / META
    try:
        if path.stat().st_size > _MAX_META:
            raise InvalidInput(f"{path} is too large to be a record of MLflow")
        found = yaml.load(path.read_bytes(), Loader=_LOADER)  # noqa: S506 - a safe one
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise InvalidInput(f"{path} is not YAML: mend or remove it, and import again") from None
    if not isinstance(found, dict):
        raise InvalidInput(f"{path} is no record of MLflow: mend or remove it, and import again")
    return found


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the names of the files below a folder, with '/', and where they are; not links."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path


def read_texts(folder: Path) -> dict[str, str]:
    """Return the params or tags that are the files of a folder."""
    return {key: read_text(path) for key, path in files_of(folder)}


def read_text(path: Path) -> str:
    """Return a file as text, its line ends as they are."""
    return path.read_bytes().decode(errors="replace")


def _experiments(root: Path) -> Iterator[Path]:
    for place in (root, root / TRASH):
        yield from (found for found in _folders(place) if found.name != REGISTRY)


def _folders(place: Path) -> list[Path]:
    """Return the folders of a folder that have a record, by name; links are not followed."""
    if not place.is_dir():
        return []
    found = (Path(entry.path) for entry in os.scandir(place) if entry.is_dir(follow_symlinks=False))
    return sorted(folder for folder in found if (folder / META).is_file())


def _run(folder: Path) -> Run:
    meta = read_meta(folder)
    tags = read_texts(folder / "tags")
    params = read_texts(folder / "params")
    uses = [(of.name, read_meta(of)) for of in _folders(folder / "inputs")]
    outs = [(of.name, read_meta(of)) for of in _folders(folder / "outputs")]
    names = {source for _, use in uses if (source := str(use.get("source_id")))}
    known = {name for name in names if (folder.parent / "datasets" / name / META).is_file()}
    sizes = ((key, path.stat().st_size) for key, path in files_of(folder / "metrics"))
    return Run(
        id=folder.name,
        experiment=folder.parent.name,
        name=str(meta.get("run_name") or tags.get(RUN_NAME) or ""),
        status=run_status_of(meta.get("status")),
        start=_millis(meta.get("start_time")) or 0,
        end=_millis(meta.get("end_time")),
        user=str(meta.get("user_id") or ""),
        deleted=meta.get("lifecycle_stage") == "deleted",
        # 1.0 ended a param with a line end
        params={key: value.removesuffix("\n") for key, value in params.items()},
        tags=tags,
        datasets=[
            _dataset(folder.parent / "datasets" / str(use["source_id"]), use)
            for _, use in uses
            if use.get("source_id") in known
        ],
        models_in=sorted(name for name in names - known if name.startswith("m-")),
        models_out=[(name, int(use.get("step") or 0)) for name, use in outs],
        location=str(meta.get("artifact_uri") or ""),
        mark=str(sorted(sizes)),
    )


def _dataset(folder: Path, use: dict[str, Any]) -> Dataset:
    meta, tags = read_meta(folder), use.get("tags")
    body = {key: meta.get(key) for key in ("source_type", "source", "schema", "profile")}
    return Dataset(
        name=str(meta.get("name")),
        digest=str(meta.get("digest")),
        body={key: str(value) for key, value in body.items() if value is not None},
        tags={str(k): str(v) for k, v in tags.items()} if isinstance(tags, dict) else {},
    )


def _model(folder: Path, meta: dict[str, Any]) -> Model:
    created = _millis(meta.get("creation_timestamp")) or 0
    return Model(
        id=folder.name,
        experiment=folder.parent.parent.name,
        name=str(meta.get("name") or ""),
        created=created,
        modified=_millis(meta.get("last_updated_timestamp")) or created,
        status=model_status_of(meta.get("status")),
        model_type=str(meta["model_type"]) if meta.get("model_type") else None,
        source_run=str(meta["source_run_id"]) if meta.get("source_run_id") else None,
        params=read_texts(folder / "params"),
        tags=read_texts(folder / "tags"),
        points=[
            one
            for key, path in files_of(folder / "metrics")
            for one in _model_points(folder.name, key, path)
        ],
        location=str(meta.get("artifact_location") or ""),
    )


def _model_points(model: str, key: str, path: Path) -> Iterator[Series]:
    for line in read_text(path).splitlines():
        words = line.split(" ", 5)
        try:
            time, value, step, run = int(words[0]), value_of(words[1]), int(words[2]), words[3]
        except (ValueError, IndexError):
            raise InvalidInput(f"{path} has a line that is no point of a metric") from None
        yield Series(
            run=run,
            key=key,
            steps=[step],
            times=[time],
            values=[value],
            model=model,
            dataset=words[4] if len(words) > 5 else None,
            digest=words[5] if len(words) > 5 else None,
        )


def _versions(folder: Path) -> list[Version]:
    found = [one for one in map(_version, _folders(folder)) if one.version.isdecimal()]
    return sorted((one for one in found if one.stage != GONE), key=lambda one: int(one.version))


def _version(folder: Path) -> Version:
    meta = read_meta(folder)
    modified = _millis(meta.get("last_updated_timestamp"))
    texts = {key: meta.get(key) for key in ("run_id", "model_id", "run_link", "user_id")}
    said = {key: str(value) if value else None for key, value in texts.items()}
    return Version(
        version=str(meta.get("version") or folder.name.removeprefix("version-")),
        source=str(meta.get("source") or ""),
        created=_millis(meta.get("creation_timestamp")) or 0,
        modified=modified,
        run=said["run_id"],
        model=said["model_id"],
        link=said["run_link"],
        user=said["user_id"],
        description=str(meta.get("description") or ""),
        stage=str(meta.get("current_stage") or NO_STAGE),
        tags=read_texts(folder / "tags"),
        location=str(meta.get("storage_location") or ""),
    )


def _series(run: str, key: str, path: Path) -> Iterator[Series]:
    with path.open() as lines:
        for part in _parts(lines):
            try:
                rows = [line.split(" ", 3) for line in part]
                yield Series(
                    run=run,
                    key=key,
                    steps=[int(row[2]) if len(row) > 2 else 0 for row in rows],  # 0.x had no steps
                    times=[int(row[0]) for row in rows],
                    values=[value_of(row[1]) for row in rows],
                )
            except (ValueError, IndexError):
                raise InvalidInput(f"{path} has a line that is no point of a metric") from None


def _parts(lines: Iterable[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for line in lines:
        # a line that is being written has no end yet: the next import takes it
        if line.endswith("\n") and line != "\n":
            part.append(line)
        if len(part) == CHUNK:
            yield part
            part = []
    if part:
        yield part


def _millis(stored: object) -> int | None:
    return int(stored) if isinstance(stored, int | float) else None

"""The verbs that data, models, environments and components share. It has no noun of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from lazulite.cli.call import Call, common, file_option, set_option, yes_option
from lazulite.cli.names import Name
from lazulite.cli.output import Column
from lazulite.domain.errors import InvalidInput, NotFound, Unsupported

F = TypeVar("F", bound=Callable[..., Any])
Options = Callable[[click.Command], click.Command]
CURATED = "azureml"  # the one registry that is known: of curated environments
_COMMON = (
    Column("Name", "name"),
    Column("Version", "version"),
    Column("Latest", "latest version"),
    Column("Type", "type"),
    Column("Description", "description"),
)
COLUMNS = {
    "data": _COMMON,
    "models": _COMMON,
    "components": _COMMON,
    "environments": (*_COMMON[:3], Column("Image", "image"), _COMMON[4]),
}
_MAY_CHANGE = ("description", "tags", "properties")


def _named(kind: str) -> Callable[[F], F]:
    """Add -n, -v, -l and --registry-name."""

    def decorate(function: F) -> F:
        @click.option("-n", "--name", required=True, type=Name(kind), help="Name.")
        @click.option("-v", "--version", help="Version.")
        @click.option("-l", "--label", help="Label, such as latest.")
        @click.option("--registry-name", help="Registry instead of the workspace.")
        @functools.wraps(function)
        def wrapped(*args: Any, **given: Any) -> Any:
            from lazulite.client.resources import Version

            registry = given.pop("registry_name")
            if registry is not None:
                _refuse_registry(kind, registry)
            name, version, label = (given.pop(key) for key in ("name", "version", "label"))
            if version and label:
                raise click.UsageError("--version and --label exclude each other")
            asset = Version(kind=kind, name=name, version=version, label=label)
            return function(*args, asset=asset, **given)

        return wrapped  # type: ignore[return-value]  # click calls it by keywords

    return decorate


def _refuse_registry(kind: str, registry: str) -> None:
    if registry.casefold() == CURATED and kind == "environments":
        raise Unsupported(
            "curated environments are not listed or shown; use them by reference, as "
            "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
            path="registry-name",
        )
    raise NotFound(f"there is no registry '{registry}': Lazulite has workspaces only")


def verbs(noun: str, kind: str, group: click.Group) -> None:
    """Add the verbs to a noun's group.

    Args:
        noun: what one is called, and what its YAML describes.
        kind: plural noun of Azure's route.
        group: gets the commands.
    """
    for make in (_show, _list, _archive, _restore, _delete, _update, _share):
        group.add_command(make(noun, kind))


def add_create(group: click.Group, noun: str, kind: str, options: Options) -> None:
    """Add `create`.

    Args:
        group: gets the command.
        noun: what its YAML describes.
        kind: plural noun of Azure's route.
        options: adds the options that stand for fields of the YAML; None values are not given.
    """

    @click.command("create", help=f"Create a version of {_article(noun)} from a file or options.")
    @file_option
    @click.option("-n", "--name", help="Name.")
    @click.option("-v", "--version", help="Version; the next free one if none is given.")
    @click.option("--registry-name", help="Registry instead of the workspace.")
    @click.option("--no-wait", is_flag=True, hidden=True, help="Of no effect.")
    @set_option
    @common
    @functools.wraps(create)
    def command(call: Call, **given: Any) -> None:
        registry = given.pop("registry_name")
        given.pop("no_wait")
        if registry is not None:
            _refuse_registry("other", registry)
        create(call, noun, kind, **given)

    group.add_command(options(command))


def create(
    call: Call,
    noun: str,
    kind: str,
    *,
    file: Path | None,
    assignments: tuple[str, ...],
    **fields: Any,
) -> None:
    """Create a version from a file, changed by options, or from options alone."""
    import json

    from lazulite.cli.document import read_plan
    from lazulite.client.submit import carry_out
    from lazulite.formats.yaml.reference import is_reference
    from lazulite.formats.yaml.shown import show

    content = {key: value for key, value in fields.items() if value is not None}
    if file is None and not content and not assignments:
        raise click.UsageError(f"describe the {noun} with -f FILE or with options")
    if file and "path" in content and not is_reference(content["path"]):
        content["path"] = str(Path(content["path"]).absolute())  # of here, not of the file's folder
    given = tuple(f"{key}={json.dumps(value)}" for key, value in content.items()) if file else ()
    plan = read_plan(call, noun, file, (*given, *assignments), content)
    call.warn(plan.warnings)
    call.show(show(kind, carry_out(call.session, plan, call.say)), COLUMNS[kind])


def _show(noun: str, kind: str) -> click.Command:
    @click.command("show", help=f"Show {_article(noun)}; the latest version if none is named.")
    @_named(kind)
    @common
    def show(call: Call, asset: Any) -> None:
        from lazulite.client.resources import get_version
        from lazulite.formats.yaml import shown

        call.show(shown.show(kind, get_version(call.session, asset)), COLUMNS[kind])

    return show


def _list(noun: str, kind: str) -> click.Command:
    @click.command("list", help=f"List names, or the versions of one {noun}.")
    @click.option("-n", "--name", type=Name(kind), help="List the versions of this one.")
    @click.option("-r", "--max-results", type=click.IntRange(1), help="At most so many.")
    @click.option("--include-archived", is_flag=True, help="Archived ones too.")
    @click.option("--archived-only", is_flag=True, help="Only archived ones.")
    @click.option("--registry-name", help="Registry instead of the workspace.")
    @common
    def list_(call: Call, name: str | None, max_results: int | None, **given: Any) -> None:
        from lazulite.cli.job_query import view_of
        from lazulite.client.resources import Version, list_containers, list_versions
        from lazulite.formats.yaml import shown

        registry = given.pop("registry_name")
        if registry is not None:
            _refuse_registry(kind, registry)
        view = view_of(**given)
        if name:
            asset = Version(kind=kind, name=name)
            found = [shown.show(kind, one) for one in list_versions(call.session, asset, view)]
        else:
            containers = list_containers(call.session, kind, view)
            found = [shown.show_container(one) for one in containers]
        call.show(found[:max_results], COLUMNS[kind])

    return list_


def _archive(noun: str, kind: str) -> click.Command:
    return _staged("archive", f"Hide {_article(noun)}, or one version of it, from lists.", kind)


def _restore(noun: str, kind: str) -> click.Command:
    return _staged("restore", f"Show an archived {noun} in lists again.", kind)


def _staged(verb: str, text: str, kind: str) -> click.Command:
    @click.command(verb, help=text)
    @_named(kind)
    @common
    def change(call: Call, asset: Any) -> None:
        from lazulite.client.resources import set_archived

        set_archived(call.session, asset, archived=verb == "archive")

    return change


def _delete(noun: str, kind: str) -> click.Command:
    @click.command("delete", help=f"Delete one version of {_article(noun)}.")
    @_named(kind)
    @yes_option
    @common
    def delete(call: Call, asset: Any, *, yes: bool) -> None:
        from lazulite.cli.call import confirm
        from lazulite.client.resources import delete_version

        if not asset.version:
            raise click.UsageError("say which version to delete: -v VERSION")
        confirm(f"Delete {noun} {asset.name}:{asset.version}?", yes=yes)
        delete_version(call.session, asset)

    return delete


def _update(noun: str, kind: str) -> click.Command:
    @click.command("update", help=f"Change {', '.join(_MAY_CHANGE)} of {_article(noun)}.")
    @_named(kind)
    @set_option
    @common
    def update(call: Call, asset: Any, *, assignments: tuple[str, ...]) -> None:
        from lazulite.client.resources import get_version, update_version
        from lazulite.formats.yaml import overrides, shown

        if not assignments:
            raise click.UsageError("say what to change: --set tags.team=red")
        found = get_version(call.session, asset)
        old = {key: found["properties"].get(key) for key in _MAY_CHANGE}
        new = overrides.apply_plain(old, assignments)
        for key in new.keys() - set(_MAY_CHANGE):
            may = ", ".join(_MAY_CHANGE)
            raise InvalidInput(f"'{key}' of a {noun} cannot change; these can: {may}", path=key)
        call.show(shown.show(kind, update_version(call.session, asset, new)), COLUMNS[kind])

    return update


def _share(noun: str, kind: str) -> click.Command:
    @click.command("share", help="Not supported: there are no registries.", hidden=True)
    @_named(kind)
    @click.option("--share-with-name", help="Of no effect.")
    @click.option("--share-with-version", help="Of no effect.")
    @common
    def share(call: Call, asset: Any, **_: Any) -> None:
        del call
        raise Unsupported(f"the {noun} {asset.name} cannot be shared: Lazulite has no registries")

    return share


def _article(noun: str) -> str:
    if noun == "data":
        return "a data asset"
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"

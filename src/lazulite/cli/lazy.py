"""A click group whose commands are imported when they are used. It holds no command itself."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click

from lazulite.domain.errors import Unsupported


class LazyGroup(click.Group):
    """Knows of each command its module and its one line of help."""

    def __init__(
        self,
        *,
        modules: Mapping[str, tuple[str, str]],
        later: Mapping[str, str] | None = None,
        **kwargs: object,
    ) -> None:
        """Remember where commands are.

        Args:
            modules: command -> (module, one line of help); the module has it as `command`, or,
                where it has several, under its own name: `show_services`, `list_`.
            later: commands of `az ml` that are not here -> what is missing for them.
            kwargs: of click.Group.
        """
        super().__init__(**kwargs)  # type: ignore[arg-type]  # click's own types
        self._modules = modules
        self._later = later or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in self._modules:
            return None
        module = import_module(self._modules[cmd_name][0])
        name = cmd_name.replace("-", "_")
        found = getattr(module, name, None) or getattr(module, f"{name}_", None) or module.command
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._modules.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name in self._later:
            raise Unsupported(
                f"`{name}` is a noun of az ml, but this version of Lazulite has no "
                f"{self._later[name]}"
            )
        if name and name not in self._modules and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, self._modules, 1, 0.5)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"there is no command '{name}'{hint}", ctx)
        return super().resolve_command(ctx, args)

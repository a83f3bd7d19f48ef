"""Groups of commands whose rooms are loaded when they are asked for, so that each process holds only what it needs."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_command


class Rooms(TyperGroup):
    """A group that has, beside its own commands, those of other modules.

    `rooms`: by a command's name where it is, as `module:application`; the application's one command or the group of all
    that it has, or, as `module:application:command`, one of several.
    """

    rooms: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *self.rooms]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.rooms:
            return super().get_command(ctx, cmd_name)
        module, application, *one = self.rooms[cmd_name].split(":")
        found = command_of(cmd_name, getattr(import_module(module), application))
        return found.commands[one[0]] if one else found


def command_of(name: str, application: typer.Typer) -> Any:
    """An application as the command of this name."""
    # `emr completion` completes every room; a room alone could only install what completes nothing.
    application._add_completion = False  # noqa: SLF001
    command = get_command(application)
    command.name = name
    command.help = command.help or str(application.info.help)
    return command

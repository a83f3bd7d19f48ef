"""Groups of commands whose rooms are loaded when they are asked for, so that each process holds only what it needs."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


class Rooms(TyperGroup):
    """A group that has, beside its own commands, those of other modules.

    `rooms`: by place, which is `module:application`, its commands by name and what each is for in a sentence. The
    application is one command or the group of all that it has; where several are named, they are some of its commands.
    The sentences stand here too, so that help and completion load no room; a test compares them with the rooms' own.
    """

    rooms: ClassVar[Mapping[str, Mapping[str, str]]] = {}

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        for place, commands in self.rooms.items():
            for name, purpose in commands.items():
                self.commands[name] = Door(name, purpose, f"{place}:{name}" if len(commands) > 1 else place)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.open() if isinstance(command, Door) else command, rest


class Door(TyperCommand):
    """A command before anybody asks for it: its name, what it is for, and where it is."""

    def __init__(self, name: str, purpose: str, place: str) -> None:
        super().__init__(name, help=purpose)
        self.place = place

    def open(self) -> Any:
        """The command itself; its module is loaded."""
        module, application, *one = self.place.split(":")
        found = command_of(str(self.name), getattr(import_module(module), application))
        return found.commands[one[0]] if one else found


def command_of(name: str, application: typer.Typer) -> Any:
    """An application as the command of this name."""
    # `emr completion` completes every room; a room alone could only install what completes nothing.
    application._add_completion = False  # noqa: SLF001
    command = get_command(application)
    command.name = name
    command.help = command.help or str(application.info.help)
    return command

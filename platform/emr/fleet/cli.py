"""`emr tenants …`: the group, and where each of its commands is. It loads none of them."""

from typing import ClassVar

import typer

from emr.work.rooms import Rooms


class _Tenants(Rooms):
    rooms: ClassVar = {
        "emr.fleet.directory_cli:directory": {
            "list": "Every hospital of the directory.",
            "show": "All that the directory knows of one hospital; no key and no patient.",
            "values": "The chart's value `hospitals`, made from the files, as JSON (which is YAML too).",
            "schema": "The JSON schema of a hospital's file, as `tenants/schema.json` holds it.",
        },
        "emr.fleet.joining_cli:joining": {
            "plan": "Show every difference between the hospitals' files and the world, and what apply would do;"
            " change nothing.",
            "apply": "Make the world as the files say; a second time changes nothing, and nothing is ever deleted.",
            "requests": "Carry out what was asked for in pages: hospitals to be made, hospitals for training to be"
            " reset.",
            "invite": "A one-time password for a hospital's first administrator, where Keycloak can send no e-mail;"
            " shown once.",
        },
        "emr.fleet.states_cli:states": {
            "state": "Show a hospital's state and its history, or bring it into another one.",
            "suspend": "Stop serving a hospital: 503 everywhere, with a page that says why and whom to call; its jobs"
            " wait.",
            "resume": "Bring a hospital back into the state, trial or live, in which it last worked.",
        },
        "emr.fleet.moving.cli:moves": {
            "move": "Bring a hospital to another cell while it works; started again, it goes on where it was cut off.",
            "drop-copy": "Drop the old copy that a move has left, when its time is over.",
            "cells": "Every cell: its hospitals, how many more it takes, at which revision it stands, whether it"
            " answers.",
        },
        "emr.fleet.sandbox.cli:sandbox": {
            "reset-sandbox": "Empty a hospital for training and fill it with its made-up patients; any other hospital"
            " refuses.",
        },
        "emr.fleet.leaving.cli:leaving": {
            "export": "Write a hospital's exit package: everything of one moment, readable without us; started again,"
            " it goes on.",
            "verify-package": "Read a package to its end and compare every file with what was signed; without --key:"
            " signed here.",
            "import-package": "Load a package into a platform that does not have the hospital; it is on trial there,"
            " with all its history.",
            "offboard": "Destroy all that is kept of a hospital that has left with this package: keys, objects,"
            " tables, roles.",
            "hold": "Forbid that a hospital's record, or one patient's, is destroyed.",
            "holds": "Every hold that stands.",
            "release-hold": "End a hold.",
        },
    }


tenants = typer.Typer(cls=_Tenants, no_args_is_help=True, help="The hospitals: what their files say, and making it so.")


@tenants.callback()
def about() -> None:
    """Nothing is common to all commands."""

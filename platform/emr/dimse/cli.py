"""`emr dicom`"""

import typer
import uvloop

from emr.dimse import process
from emr.kernel.errors import Refusal
from emr.settings import Settings
from emr.telemetry.logs import configure_logs
from emr.telemetry.tracing import configure_tracing
from emr.work.runtime import runtime
from emr.work.starting import ManagementPort, ready_to_start, refuse

dicom = typer.Typer()


@dicom.command()
def listen(management_port: ManagementPort = 8001) -> None:
    """The DICOM listener: C-ECHO and C-STORE."""
    settings = ready_to_start()
    configure_logs(settings.telemetry, "dicom")
    stop_tracing = configure_tracing(settings.telemetry, "dicom")
    try:
        uvloop.run(_live(settings, management_port))
    except Refusal as refusal:
        refuse(refusal.message)
    finally:
        stop_tracing()


async def _live(settings: Settings, management_port: int) -> None:
    parts = runtime(settings)
    await parts.open()
    try:
        await process.serve(parts, management_port)
    finally:
        await parts.close()

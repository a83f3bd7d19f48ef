"""The pynetdicom side: threads that speak DIMSE, write what comes to disk and ask the asyncio side.

Memory stays flat: P-DATA goes to a file as it arrives, a PDU longer than agreed closes the connection before it is
read, and so does an instance beyond the limit.
"""

import asyncio
import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from socketserver import TCPServer
from typing import Any, TypeVar

from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from emr.dimse.admission import CONGESTED, Caller, Refused, admit
from emr.dimse.receiving import Visit, audit_refusal, leave, receive
from emr.imaging.outcomes import SUCCESS, failure_reason
from emr.imaging.syntaxes import NATIVE, SYNTAXES
from emr.kernel.errors import Unavailable
from emr.telemetry.metrics import DICOM_SECONDS
from emr.work.runtime import Runtime

MAX_PDU = 128 * 1024
_FREE_BYTES = 1024 * 1024 * 1024
_STORE_SECONDS = 300.0
_PDU_HEADS = 1024
_T = TypeVar("_T")

Meters = dict[Association, int]
"""Bytes that an association has sent since its last instance was complete."""


@dataclass(frozen=True, slots=True)
class Settings:
    """host, port: where to listen; port 0 takes any. instance_limit: bytes of one instance."""

    host: str
    port: int
    max_associations: int
    instance_limit: int


class Listener:
    """One listening port for all hospitals. Everything but `start`, `drain` and `stop` runs in pynetdicom's threads."""

    def __init__(self, runtime: Runtime, loop: asyncio.AbstractEventLoop) -> None:
        dicom = runtime.settings.dicom
        self._settings = Settings(
            dicom.host, dicom.port, dicom.max_associations, dicom.instance_limit_mib * 1024 * 1024
        )
        self._runtime = runtime
        self._loop = loop
        self._visits: dict[Association, Visit] = {}
        self._meters: Meters = {}
        self._lock = threading.Lock()
        self._running = 0
        self._draining = False
        self._server: ThreadedAssociationServer | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.server_address[1])

    @property
    def draining(self) -> bool:
        return self._draining

    def start(self) -> None:
        """Listen. Raises OSError when the address is taken."""
        _config.STORE_RECV_CHUNKED_DATASET = True
        _config.LOG_HANDLER_LEVEL = "none"
        entity = AE(ae_title="EMR")
        entity.maximum_associations = self._settings.max_associations
        entity.maximum_pdu_size = MAX_PDU
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 60
        entity.add_supported_context(Verification, sorted(NATIVE))
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(str(context.abstract_syntax), sorted(SYNTAXES))
        self._server = entity.make_server(
            (self._settings.host, self._settings.port),
            evt_handlers=[
                (evt.EVT_REQUESTED, self._on_requested),
                (evt.EVT_C_ECHO, self._on_echo),
                (evt.EVT_C_STORE, self._on_store),
                (evt.EVT_CONN_CLOSE, self._on_closed),
            ],
            server_class=ThreadedAssociationServer,
            request_handler=_handler(self._meters, self._settings.instance_limit),
        )
        threading.Thread(target=self._server.serve_forever, name="dicom-listener", daemon=True).start()

    def drain(self) -> None:
        """Take no new associations and no new instances; what runs goes on."""
        self._draining = True

    def stop(self, seconds: float) -> None:
        """Stop listening, wait for running stores up to `seconds`, then close every association."""
        self.drain()
        assert self._server is not None
        # The server's own `shutdown` expects to have been started by its application entity.
        TCPServer.shutdown(self._server)
        self._server.server_close()
        deadline = time.monotonic() + seconds
        while self._running and time.monotonic() < deadline:
            time.sleep(0.05)
        for association in self._server.active_associations:
            association.abort()

    def _on_requested(self, event: evt.Event) -> None:
        association = event.assoc
        request, peer = association.requestor.primitive, association.requestor.address_info
        assert request is not None
        assert peer is not None
        caller = Caller(
            called=request.called_ae_title.strip(),
            calling=request.calling_ae_title.strip(),
            address=peer.address,
        )
        if self._draining or shutil.disk_usage(tempfile.gettempdir()).free < _FREE_BYTES:
            _reject(association, CONGESTED)
            return
        admitted = admit(self._runtime.registry, caller)
        if isinstance(admitted, Refused):
            try:
                self._wait(audit_refusal(self._runtime, caller, admitted))
            finally:
                _reject(association, admitted.answer)
            return
        with self._lock:
            self._visits[association] = Visit(admitted, caller.calling)

    def _on_echo(self, event: evt.Event) -> int:
        with DICOM_SECONDS.labels("c-echo", "success").time():
            del event
            return SUCCESS

    def _on_store(self, event: evt.Event) -> int:
        self._meters[event.assoc] = 0
        if self._draining:
            return failure_reason(Unavailable("stopping", "this process is stopping; send it again"))
        visit = self._visits[event.assoc]
        began = time.monotonic()
        with self._counted():
            try:
                refusal = self._wait(receive(self._runtime, visit, Path(event.dataset_path)))
            except TimeoutError:
                refusal = Unavailable("too-slow", "the instance could not be kept in time")
        outcome = "refused" if refusal else "success"
        DICOM_SECONDS.labels("c-store", outcome).observe(time.monotonic() - began)
        return failure_reason(refusal) if refusal else SUCCESS

    def _on_closed(self, event: evt.Event) -> None:
        with self._lock:
            visit = self._visits.pop(event.assoc, None)
            self._meters.pop(event.assoc, None)
        _forget_unfinished(event.assoc)
        if visit is not None:
            with self._counted():
                self._wait(leave(self._runtime, visit))

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        waiting: Future[_T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return waiting.result(_STORE_SECONDS)


def _reject(association: Association, answer: tuple[int, int, int]) -> None:
    association.acse.send_reject(*answer)
    evt.trigger(association, evt.EVT_REJECTED, {})
    association.kill()


def _forget_unfinished(association: Association) -> None:
    """What a device had begun to send when the line dropped."""
    message = association.dimse.message
    file = getattr(message, "_data_set_file", None)
    if file is not None:
        file.close()
        Path(file.name).unlink(missing_ok=True)


def _handler(meters: Meters, limit: int) -> type[RequestHandler]:
    class Bounded(RequestHandler):
        """Associations whose socket refuses to read more than was agreed."""

        def _create_association(self) -> Association:
            association = super()._create_association()
            socket = association.dul.socket
            assert socket is not None
            read = socket.recv

            def bounded(count: int) -> bytearray:
                meters[association] = meters.get(association, 0) + count
                if count > MAX_PDU + _PDU_HEADS or meters[association] > limit + MAX_PDU:
                    raise OSError("more than the agreed length")
                return read(count)

            vars(socket)["recv"] = bounded
            return association

    return Bounded

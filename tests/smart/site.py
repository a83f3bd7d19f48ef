"""An app's own web site on an origin of its own, with SMART's JavaScript client as npm gives it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.servers.tools import cache, missing

_LAUNCH = """<!doctype html><meta charset="utf-8"><title>launch</title><script src="fhir-client.js"></script>
<script>FHIR.oauth2.authorize({config}).catch(e => {{ document.title = "failed: " + e.message }});</script>"""
_READY = """<!doctype html><meta charset="utf-8"><title>waiting</title><script src="fhir-client.js"></script>
<script>
FHIR.oauth2.ready().then(async client => {
  const said = {patient: client.patient.id, scope: client.state.tokenResponse.scope};
  said.name = (await client.patient.read()).name[0].text;
  const found = await client.patient.request("Observation", {pageLimit: 0, flat: true});
  said.observations = found.map(each => each.id);
  said.others = await client.request("Patient/OTHER").then(() => "shown", e => e.status);
  said.conditions = await client.request("Condition").then(() => "shown", e => e.status);
  const before = client.state.tokenResponse.access_token;
  if (client.state.tokenResponse.refresh_token) {
    await client.refresh();
    said.renewed = client.state.tokenResponse.access_token !== before;
    said.again = (await client.patient.read()).id;
  }
  document.body.dataset.said = JSON.stringify(said);
  document.title = "ready";
}).catch(e => { document.title = "failed: " + e.message });
</script><body></body>"""


@dataclass
class Site:
    """Where the app is, and what its pages hold."""

    origin: str
    pages: dict[str, bytes]

    def configure(self, config: str, other: str) -> None:
        """What the app's launch page asks with, and whose record it tries besides."""
        self.pages["/launch"] = _LAUNCH.format(config=config).encode()
        self.pages["/"] = _READY.replace("OTHER", other).encode()


@contextmanager
def site() -> Iterator[Site]:
    """Listening on loopback; without the client of npm the calling test skips, or fails in CI."""
    client = cache() / "fhir-clients" / "node_modules" / "fhirclient" / "build" / "fhir-client.min.js"
    if not client.exists():
        missing("the FHIR clients of npm are not installed: run ops/tools/fhir-clients")
    pages: dict[str, bytes] = {"/fhir-client.js": client.read_bytes(), "/favicon.ico": b""}

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path.partition("?")[0])
            self.send_response(200 if body is not None else 404)
            kind = "text/javascript" if self.path.endswith(".js") else "text/html; charset=utf-8"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the interface of the library
            """Nobody listens."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Site(f"http://127.0.0.1:{server.server_port}", pages)
    server.shutdown()
    server.server_close()
    thread.join()

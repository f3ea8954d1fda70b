"""A status page and a health endpoint, on loopback only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from cementct import __version__
from cementct.node.spool import DEAD, INCOMING, REASON_FILE, WORK, Spool

# A worker that has not come round for so long hangs; one study may take its whole time limit.
LOOPBACK = "127.0.0.1"


class Health(msgspec.Struct, frozen=True):
    """How the node does.

    Attributes
    ----------
    status
        "ok", or "stalled" where the worker has stopped coming round.
    version
        Of this tool.
    studies
        How many are incoming, in work, done and dead.
    free_disk_mb
        On the spool's disk.
    since_worker_s
        Since the worker last came round.
    """

    status: str
    version: str
    studies: dict[str, int]
    free_disk_mb: float
    since_worker_s: float


def measure_health(spool: Spool, worker_seen: float, stalled_after_s: float) -> Health:
    """Return how a node does.

    Parameters
    ----------
    spool
        Its folders.
    worker_seen
        When its worker last came round, by `time.monotonic`.
    stalled_after_s
        After how long that means that it hangs.
    """
    since = time.monotonic() - worker_seen
    return Health(
        "ok" if since < stalled_after_s else "stalled",
        __version__,
        spool.counts(),
        round(spool.free_mb(), 1),
        round(since, 1),
    )


def start_status(port: int, spool: Spool, health: Callable[[], Health]) -> ThreadingHTTPServer:
    """Serve ``/health`` (JSON; 503 where the node stalls) and ``/`` (a page), and return the server."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state = health()
            if self.path == "/health":
                code = HTTPStatus.OK if state.status == "ok" else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(code, "application/json", msgspec.json.encode(state))
            elif self.path == "/":
                self._answer(HTTPStatus.OK, "text/html; charset=utf-8", _page(spool, state).encode())
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"not found")

        def _answer(self, code: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Say nothing: requests for the health of a node come every few seconds."""

    server = ThreadingHTTPServer((LOOPBACK, port), Page)
    threading.Thread(target=server.serve_forever, name="status", daemon=True).start()
    return server


def _page(spool: Spool, state: Health) -> str:
    folders = [(place, f) for place in (INCOMING, WORK, DEAD) for f in sorted((spool.root / place).iterdir())]
    rows = [
        f"<tr><td>{escape(folder.name)}</td><td>{place}</td><td>{escape(_why(folder))}</td></tr>"
        for place, folder in folders
    ]
    counts = " · ".join(f"{name} {count}" for name, count in state.studies.items())
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=10>"
        "<title>cementct node</title><style>body{font:15px system-ui;margin:2rem;color:#1a2329}"
        "td,th{padding:.2rem 1rem .2rem 0;text-align:left;border-bottom:1px solid #d5dde1}</style>"
        f"<h1>cementct node: {escape(state.status)}</h1><p>{escape(counts)} · "
        f"{state.free_disk_mb:.0f} MB free · version {escape(state.version)}</p>"
        "<table><tr><th>study</th><th>where</th><th>why</th></tr>" + "".join(rows) + "</table></html>"
    )


def _why(folder: Any) -> str:
    try:
        return str(msgspec.json.decode((folder / REASON_FILE).read_bytes()).get("why", ""))
    except (OSError, msgspec.MsgspecError):
        return ""

"""A running node: listens, works and tells how it does, until it is asked to stop."""

from __future__ import annotations

import logging
import signal
import threading
import time

from cementct.core.errors import UsageError
from cementct.node.receive import Receiver
from cementct.node.settings import NodeSettings
from cementct.node.spool import Spool
from cementct.node.status import measure_health, start_status
from cementct.node.work import Worker

# Pause of the worker when nothing is due.
NAP_S = 0.5
# Beyond the time limit of a study and of sending, a worker that does not come round hangs.
SLACK_S = 300.0

_log = logging.getLogger("cementct.node")


def serve(settings: NodeSettings, stop: threading.Event | None = None) -> None:
    """Run a node until it is stopped by SIGTERM or SIGINT, or by `stop`.

    What was received and not finished goes on when the node is started again.

    Raises
    ------
    UsageError
        Where the spool cannot be written or a port is taken.
    """
    stop = stop or threading.Event()
    if threading.current_thread() is threading.main_thread():
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
    try:
        spool = Spool(settings.spool)
    except OSError as error:
        raise UsageError(f"spool: cannot write to this folder ({error.strerror})") from error
    worker = Worker(settings, spool, _log.info)
    seen = time.monotonic()
    stalled_after_s = settings.work.study_timeout_s + SLACK_S
    try:
        receiver = Receiver(settings, spool, _log.info).start()
    except OSError as error:
        port = settings.listen.port
        raise UsageError(f"listen: cannot listen on port {port} ({error.strerror})") from error
    page = None
    try:
        if settings.status_port is not None:
            page = start_status(
                settings.status_port, spool, lambda: measure_health(spool, seen, stalled_after_s)
            )
        spool.listening_since = time.time()
        spool.note("started")
        _log.info("listening as %s on port %d", settings.listen.ae_title, settings.listen.port)
        while not stop.is_set():
            seen = time.monotonic()
            if not worker.step():
                stop.wait(NAP_S)
        spool.note("stopped")
    except OSError as error:
        raise UsageError(f"status_port: cannot listen ({error.strerror})") from error
    finally:
        receiver.shutdown()
        if page is not None:
            page.shutdown()

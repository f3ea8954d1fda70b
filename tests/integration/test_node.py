"""A node killed at any moment loses nothing that it confirmed, and an archive gets each result once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt

from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.testing.dicom import SeriesDetails, write_ct_series

PATIENCE_S = 240.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Archive:
    """Keeps every object it is sent, and how often, with what content."""

    def __init__(self, port: int) -> None:
        self.contents: dict[str, set[bytes]] = defaultdict(set)
        node = AE(ae_title="ARCHIVE")
        for context in AllStoragePresentationContexts:
            node.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
        handlers: list[Any] = [(evt.EVT_C_STORE, self._keep)]
        self.server = node.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)

    def _keep(self, event: Any) -> int:
        self.contents[str(event.request.AffectedSOPInstanceUID)].add(
            event.encoded_dataset(include_meta=False)
        )
        # Slow enough that a node can be killed between an object's arrival and its confirmation.
        time.sleep(0.2)
        return 0


@pytest.fixture
def archive() -> Iterator[tuple[Archive, int]]:
    port = free_port()
    kept = Archive(port)
    yield kept, port
    kept.server.shutdown()


@pytest.fixture
def study(tmp_path: Path) -> list[pydicom.Dataset]:
    """Return the images of a small scan of soft tissue: quickly analysed, and still a report."""
    rng = np.random.default_rng(3)
    hu = rng.normal(40, 10, (12, 48, 48)).astype(np.int16)
    hu[:, :6], hu[:, 20:26, 20:30] = -1000, 700
    grid = Grid(hu.shape, (2.0, 1.5, 1.5), (0.0, 0.0, 0.0))
    write_ct_series(tmp_path / "ct", Volume(hu, grid), SeriesDetails(2, "x"))
    return [pydicom.dcmread(path) for path in sorted((tmp_path / "ct").iterdir())]


def write_settings(folder: Path, port: int, archive_port: int, status_port: int) -> Path:
    path = folder / "node.toml"
    path.write_text(
        f"""
spool = "spool"
status_port = {status_port}
[listen]
ae_title = "CEMENTCT"
port = {port}
[[peers]]
ae_title = "SCANNER"
address = "127.0.0.1"
[destination]
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {archive_port}
[limits]
free_disk_mb = 1.0
[work]
stable_s = 1.0
first_wait_s = 0.2
longest_wait_s = 0.5
formats = ["sr", "pdf"]
"""
    )
    return path


def start(settings: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cementct.cli", "serve", "--config", str(settings)]
    node = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    assert node.stderr is not None
    said = node.stderr.readline()
    assert b"listening" in said, said
    return node


def kill(node: subprocess.Popen[bytes]) -> None:
    os.killpg(node.pid, signal.SIGKILL)
    node.wait()


def send(images: list[pydicom.Dataset], port: int) -> list[pydicom.Dataset]:
    """Send images, and return those that were not confirmed."""
    node = AE(ae_title="SCANNER")
    node.add_requested_context(images[0].SOPClassUID, "1.2.840.10008.1.2.1")
    node.acse_timeout = node.dimse_timeout = node.network_timeout = 5
    association: Any = node.associate("127.0.0.1", port, ae_title="CEMENTCT")
    left = []
    for image in images:
        status = association.send_c_store(image) if association.is_established else {}
        if status.get("Status") != 0x0000:
            left.append(image)
    if association.is_established:
        association.release()
    return left


def journal(spool: Path) -> str:
    path = spool / "journal.jsonl"
    return path.read_text() if path.exists() else ""


def kept_images(spool: Path) -> int:
    return len(list((spool / "incoming").rglob("*.dcm"))) if spool.exists() else 0


# When the node is killed, one after the other: so long after the words have come true.
Moment = tuple[str, float]
MOMENTS: tuple[Moment, ...] = (
    ("it listens", 0.0),
    ("an image is kept", 0.0),
    ("half the images are kept", 0.0),
    ("all images are kept", 0.0),
    ("complete", 0.0),
    ("it analyses", 0.5),
    ("it analyses", 2.0),
    ("analysed", 0.0),
    ("the archive has an object", 0.05),
    ("the archive has both objects", 0.05),
)


def has_come(moment: str, spool: Path, archive: Archive, images: int) -> bool:
    states = {
        "it listens": True,
        "an image is kept": kept_images(spool) >= 1,
        "half the images are kept": kept_images(spool) >= images // 2,
        "all images are kept": kept_images(spool) >= images,
        "complete": '"complete"' in journal(spool),
        "it analyses": bool(list((spool / "work").glob("*/images"))),
        "analysed": '"analysed"' in journal(spool),
        "the archive has an object": len(archive.contents) >= 1,
        "the archive has both objects": len(archive.contents) >= 2,
    }
    return states[moment]


def test_a_node_killed_at_ten_moments_loses_and_doubles_nothing(
    study: list[pydicom.Dataset], archive: tuple[Archive, int], tmp_path: Path
) -> None:
    kept, archive_port = archive
    port, status_port = free_port(), free_port()
    settings = write_settings(tmp_path, port, archive_port, status_port)
    spool = tmp_path / "spool"
    waiting = list(study)
    deadline = time.monotonic() + PATIENCE_S
    for moment, and_s in MOMENTS:
        node = start(settings)
        while not has_come(moment, spool, kept, len(study)):
            assert time.monotonic() < deadline, moment
            if waiting:
                # One at a time, so that the node can be killed between them.
                waiting = send(waiting[:1], port) + waiting[1:]
            time.sleep(0.005)
        time.sleep(and_s)
        kill(node)
    node = start(settings)
    try:
        while any(True for place in ("incoming", "work") for _ in (spool / place).iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        with urllib.request.urlopen(f"http://127.0.0.1:{status_port}/health", timeout=10) as answer:
            health = json.loads(answer.read())
    finally:
        node.terminate()
        node.wait(timeout=30)
    assert node.returncode == 0
    assert waiting == []
    assert health["status"] == "ok"
    assert health["studies"]["dead"] == 0
    images = {p.name for p in (spool / "done").glob("*/images/*.dcm")}
    assert len(images) == len(study)
    # One UID never has two contents, however often it was sent.
    assert all(len(contents) == 1 for contents in kept.contents.values())
    results = (spool / "done").glob("*/results/images/dicom/*.dcm")
    assert {pydicom.dcmread(path).SOPInstanceUID for path in results} == set(kept.contents)
    said = (node.stderr.read() if node.stderr else b"").decode()
    assert "PHANTOM" not in said + journal(spool)


def test_a_node_and_a_mercure_task_give_the_same_objects(
    study: list[pydicom.Dataset], archive: tuple[Archive, int], tmp_path: Path
) -> None:
    kept, archive_port = archive
    port = free_port()
    node = start(write_settings(tmp_path, port, archive_port, free_port()))
    deadline = time.monotonic() + PATIENCE_S
    try:
        assert send(study, port) == []
        while len(kept.contents) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        node.terminate()
        node.wait(timeout=30)
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    for image in study:
        name = f"{image.SeriesInstanceUID}#{image.SOPInstanceUID}"
        image.save_as(source / f"{name}.dcm")
        (source / f"{name}.tags").write_text("{}")
    (source / "task.json").write_text(json.dumps({"process": {"settings": {"formats": "sr,pdf"}}}))
    environment = {**os.environ, "MERCURE_IN_DIR": str(source), "MERCURE_OUT_DIR": str(target)}
    subprocess.run([sys.executable, "-m", "cementct.cli", "mercure"], env=environment, check=True)
    by_node = {p.read_bytes() for p in (tmp_path / "spool" / "done").glob("*/results/images/dicom/*.dcm")}
    by_mercure = {p.read_bytes() for p in target.glob("*.dcm")}
    assert len(by_node) == 2
    assert by_mercure == by_node

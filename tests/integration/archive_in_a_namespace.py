"""Sends the sample study through a node to a real archive, inside a network namespace of its own.

Usage: ``unshare -n python archive_in_a_namespace.py WORK_FOLDER STUDY_FOLDER WAY``

WAY is ``store`` (results go to the archive by C-STORE), ``web`` (by STOW-RS) or ``script`` (the study goes to
the archive, whose script sends it to the node).

Orthanc 1.10 listens on all interfaces whatever its settings say; here there is only loopback. Prints one JSON
object: what the archive holds in the end, by modality, and where the fetched objects lie.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

DICOM_PORT, HTTP_PORT, NODE_PORT = 14242, 18042, 11112
PATIENCE_S = 420.0
# By its path: pynetdicom brings a program of the same name.
STORESCU = "/usr/bin/storescu"
SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "orthanc" / "forward_stable_studies.lua"
WEB = f"http://127.0.0.1:{HTTP_PORT}/dicom-web"


def raise_loopback() -> None:
    """Switch the namespace's loopback interface on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        name = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(handle, 0x8913, name))[1]
        fcntl.ioctl(handle, 0x8914, struct.pack("16sh", b"lo", flags | 0x1))


def start_archive(folder: Path, *, by_script: bool) -> subprocess.Popen[bytes]:
    """Start Orthanc with its DICOMweb plugin, its files below `folder`."""
    settings = {
        "Name": "ARCHIVE",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": ["/usr/share/orthanc/plugins"],
        "HttpPort": HTTP_PORT,
        "DicomAet": "ARCHIVE",
        "DicomPort": DICOM_PORT,
        "AuthenticationEnabled": False,
        "RemoteAccessAllowed": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "LuaScripts": [str(SCRIPT)] if by_script else [],
        "DicomModalities": {"cementct": ["CEMENTCT", "127.0.0.1", NODE_PORT]},
        "StableAge": 3,
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(settings))
    return subprocess.Popen(
        ["/usr/sbin/Orthanc", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def start_node(folder: Path, *, by_web: bool) -> subprocess.Popen[bytes]:
    """Start a node that sends to the archive, by DICOMweb or by C-STORE."""
    to = f'url = "{WEB}"' if by_web else f'ae_title = "ARCHIVE"\nhost = "127.0.0.1"\nport = {DICOM_PORT}'
    path = folder / "node.toml"
    path.write_text(
        f"""
spool = "spool"
[listen]
ae_title = "CEMENTCT"
port = {NODE_PORT}
[[peers]]
ae_title = "SCANNER"
address = "127.0.0.1"
[[peers]]
ae_title = "ARCHIVE"
address = "127.0.0.1"
[destination]
{to}
[limits]
free_disk_mb = 1.0
[work]
stable_s = 3.0
first_wait_s = 1.0
"""
    )
    command = [sys.executable, "-m", "cementct.cli", "serve", "--config", str(path)]
    return subprocess.Popen(command, stderr=(folder / "node.log").open("wb"))


def ask(url: str) -> Any:
    """Return the JSON answer of a DICOMweb query; None while there is none."""
    request = urllib.request.Request(url, headers={"Accept": "application/dicom+json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            text = answer.read()
            return json.loads(text) if text else None
    except (urllib.error.URLError, ConnectionError):
        return None


def fetch(url: str) -> bytes:
    """Return the one object of a WADO-RS answer."""
    kind = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    request = urllib.request.Request(url, headers={"Accept": kind})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        body = answer.read()
        boundary = answer.headers["Content-Type"].split("boundary=")[1].split(";")[0].strip('"').encode()
    part = body.split(b"--" + boundary)[1]
    return bytes(part.split(b"\r\n\r\n", 1)[1][:-2])


def wait_for(what: Any) -> Any:
    """Return what a question answers once it answers something."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        answer = what()
        if answer:
            return answer
        time.sleep(0.5)
    raise TimeoutError("the archive or the node did not answer in time")


def results_in(study_uid: str) -> dict[str, list[str]] | None:
    """Return the UIDs of series by modality, once segmentation, report, key images and PDF are all there."""
    found: dict[str, list[str]] = {}
    for series in ask(f"{WEB}/studies/{study_uid}/series") or []:
        found.setdefault(series["00080060"]["Value"][0], []).append(series["0020000E"]["Value"][0])
    return found if {"SEG", "SR", "OT", "DOC"} <= found.keys() else None


def main() -> None:
    """Run everything, and print what came out."""
    work, study, way = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    raise_loopback()
    (work / "storage").mkdir(parents=True)
    archive = start_archive(work, by_script=way == "script")
    node = start_node(work, by_web=way == "web")
    try:
        wait_for(lambda: ask(f"{WEB}/studies") is not None or None)
        wait_for(lambda: b"listening" in (work / "node.log").read_bytes())
        called, port = ("ARCHIVE", DICOM_PORT) if way == "script" else ("CEMENTCT", NODE_PORT)
        send = [STORESCU, "-aet", "SCANNER", "-aec", called, "+sd", "+r"]
        subprocess.run([*send, "127.0.0.1", str(port), str(study)], check=True)
        done = work / "spool" / "done"
        wait_for(lambda: any(done.iterdir()))
        studies = wait_for(lambda: ask(f"{WEB}/studies"))
        study_uid = studies[0]["0020000D"]["Value"][0]
        series = wait_for(lambda: results_in(study_uid))
        counts: dict[str, int] = {}
        for modality, uids in series.items():
            for uid in uids:
                if modality == "CT":
                    continue
                for number, item in enumerate(ask(f"{WEB}/studies/{study_uid}/series/{uid}/instances")):
                    instance = item["00080018"]["Value"][0]
                    data = fetch(f"{WEB}/studies/{study_uid}/series/{uid}/instances/{instance}")
                    (work / f"{modality}-{number}.dcm").write_bytes(data)
                    counts[modality] = counts.get(modality, 0) + 1
        sys.stdout.write(json.dumps({"studies": len(studies), "counts": counts}) + "\n")
    finally:
        for process in (node, archive):
            process.terminate()
            process.wait(timeout=60)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

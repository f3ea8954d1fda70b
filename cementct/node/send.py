"""Sending results on: C-STORE to an archive, or STOW-RS to a DICOMweb service."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cementct.io.quiet import quiet
from cementct.node.settings import Destination

TIMEOUT_S = 60
_BOUNDARY = "cementct-results"
# Failure reason of an object whose UID the destination holds already (PS3.3, C.14.1.1).
_DUPLICATE = 0x0111


class NotSent(Exception):
    """The destination did not take an object; the message says why and names no patient."""


def send_results(files: Sequence[Path], to: Destination, calling: str, sent: Callable[[Path], None]) -> None:
    """Send files one by one.

    Parameters
    ----------
    files
        DICOM files.
    to
        Where to.
    calling
        AE title of this node.
    sent
        Called after the destination has confirmed a file.

    Raises
    ------
    NotSent
        Where it was not taken; those confirmed before stay confirmed.
    """
    if not files:
        return
    if to.url is not None:
        for path in files:
            _stow(path, to)
            sent(path)
        return
    _store(files, to, calling, sent)


def _store(files: Sequence[Path], to: Destination, calling: str, sent: Callable[[Path], None]) -> None:
    import pydicom
    from pynetdicom import AE

    with quiet():
        datasets = [pydicom.dcmread(path) for path in files]
    node = AE(ae_title=calling)
    node.acse_timeout = node.dimse_timeout = node.network_timeout = TIMEOUT_S
    for dataset in datasets:
        syntax = dataset.file_meta.TransferSyntaxUID
        if not any(c.abstract_syntax == dataset.SOPClassUID for c in node.requested_contexts):
            node.add_requested_context(dataset.SOPClassUID, [syntax])
    with quiet():
        association: Any = node.associate(to.host or "", to.port or 0, ae_title=to.ae_title or "")
    if not association.is_established:
        raise NotSent("the destination did not accept an association")
    try:
        for path, dataset in zip(files, datasets, strict=True):
            try:
                with quiet():
                    status = association.send_c_store(dataset)
            except ValueError as error:
                raise NotSent(f"{path.name}: the destination does not take this kind of object") from error
            code = status.get("Status") if status else None
            if code is None:
                raise NotSent(f"{path.name}: the destination did not answer")
            # Warnings (0xB000 to 0xBFFF) mean stored.
            if code != 0 and code >> 12 != 0xB:
                raise NotSent(f"{path.name}: the destination answered 0x{code:04X}")
            sent(path)
    finally:
        association.release()


def _stow(path: Path, to: Destination) -> None:
    body = (
        f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        + path.read_bytes()
        + f"\r\n--{_BOUNDARY}--\r\n".encode()
    )
    request = urllib.request.Request(f"{(to.url or '').rstrip('/')}/studies", data=body, method="POST")  # noqa: S310 - checked to be http(s)
    request.add_header("Content-Type", f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}')
    request.add_header("Accept", "application/dicom+json")
    token = os.environ.get(to.token_variable) if to.token_variable else None
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
            if answer.status != 200:
                raise NotSent(f"{path.name}: the destination answered {answer.status}")
    except urllib.error.HTTPError as error:
        if not (error.code == 409 and _already_stored(error.read())):
            raise NotSent(f"{path.name}: the destination answered {error.code}") from error
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise NotSent("the destination cannot be reached") from error


def _already_stored(answer: bytes) -> bool:
    """Tell whether a STOW-RS answer says of every object that it was there before (PS3.18, table I.2-2)."""
    try:
        failed = json.loads(answer)["00081198"]["Value"]
        reasons = [item["00081197"]["Value"][0] for item in failed]
    except (ValueError, KeyError, IndexError, TypeError):
        return False
    return bool(reasons) and all(reason == _DUPLICATE for reason in reasons)

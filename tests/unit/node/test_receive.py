"""Only listed peers are heard, and within limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, Verification

from cementct.node.receive import Receiver
from cementct.node.settings import NodeSettings, Peer
from cementct.node.spool import INCOMING, Spool


@contextmanager
def listening(settings: NodeSettings) -> Iterator[Spool]:
    spool = Spool(settings.spool)
    server = Receiver(settings, spool, lambda _: None).start()
    try:
        yield spool
    finally:
        server.shutdown()


def associate(settings: NodeSettings, title: str = "SCANNER", called: str = "CEMENTCT") -> Any:
    node = AE(ae_title=title)
    node.add_requested_context(Verification)
    node.add_requested_context(CTImageStorage, "1.2.840.10008.1.2.1")
    return node.associate("127.0.0.1", settings.listen.port, ae_title=called)


def test_a_listed_peer_is_answered_and_its_images_are_kept(settings: NodeSettings, study: list[Path]) -> None:
    with listening(settings) as spool:
        association = associate(settings)
        assert association.is_established
        assert association.send_c_echo().Status == 0x0000
        for path in study[:3]:
            assert association.send_c_store(pydicom.dcmread(path)).Status == 0x0000
        association.release()
        kept = list((spool.root / INCOMING).rglob("*.dcm"))
        assert len(kept) == 3
        sent = {pydicom.dcmread(path).SOPInstanceUID for path in study[:3]}
        assert {pydicom.dcmread(path).SOPInstanceUID for path in kept} == sent


@pytest.mark.parametrize(("title", "called"), [("STRANGER", "CEMENTCT"), ("SCANNER", "OTHER")])
def test_unknown_titles_are_turned_away(settings: NodeSettings, title: str, called: str) -> None:
    with listening(settings):
        assert not associate(settings, title, called).is_established


def test_a_listed_title_from_another_address_is_turned_away(settings: NodeSettings) -> None:
    elsewhere = msgspec.structs.replace(settings, peers=(Peer(ae_title="SCANNER", address="10.9.8.7"),))
    with listening(elsewhere):
        association = associate(elsewhere)
        assert not (association.is_established and association.send_c_echo())


def test_an_object_that_is_too_large_is_not_kept(settings: NodeSettings, study: list[Path]) -> None:
    small = msgspec.structs.replace(
        settings, limits=msgspec.structs.replace(settings.limits, object_mb=0.001)
    )
    with listening(small) as spool:
        association = associate(small)
        status = association.send_c_store(pydicom.dcmread(study[0]))
        assert "Status" not in status or status.Status != 0x0000
        assert list((spool.root / INCOMING).rglob("*.dcm")) == []


def test_more_studies_than_the_queue_holds_are_refused(settings: NodeSettings, study: list[Path]) -> None:
    short = msgspec.structs.replace(
        settings, limits=msgspec.structs.replace(settings.limits, queued_studies=1)
    )
    with listening(short) as spool:
        association = associate(short)
        image = pydicom.dcmread(study[0])
        assert association.send_c_store(image).Status == 0x0000
        image.StudyInstanceUID = "1.2.3"
        assert association.send_c_store(image).Status == 0xA700
        association.release()
        assert len(list((spool.root / INCOMING).rglob("*.dcm"))) == 1


def test_an_object_without_a_study_is_refused(settings: NodeSettings, study: list[Path]) -> None:
    with listening(settings):
        association = associate(settings)
        image = pydicom.dcmread(study[0])
        with pytest.warns(UserWarning, match="Invalid value"):
            image.StudyInstanceUID = "../../etc"
        assert association.send_c_store(image).Status == 0xC000
        association.release()

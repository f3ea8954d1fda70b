"""The listening side: C-ECHO and C-STORE from listed peers, within limits."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cementct.io.quiet import quiet
from cementct.node.settings import NodeSettings
from cementct.node.spool import INCOMING, WORK, Spool

# Status codes of C-STORE (PS3.4, table B.2-1).
SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
# Reject permanently, by the service user: the calling AE title is not known (PS3.8, table 9-21).
_REJECT_CALLER = (0x01, 0x01, 0x03)
UID = re.compile(r"[0-9.]{1,64}")


@dataclass
class Receiver:
    """Receives objects and puts them into the spool.

    Attributes
    ----------
    settings, spool
        Of the node.
    note
        Takes what happened, for the log; nothing of a header in it.
    """

    settings: NodeSettings
    spool: Spool
    note: Callable[[str], None]

    def start(self) -> Any:
        """Begin to listen, and return the running server (`shutdown()` ends it).

        Raises
        ------
        OSError
            Where the address is taken or not this machine's.
        """
        from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
        from pynetdicom.sop_class import Verification

        listen, limits = self.settings.listen, self.settings.limits
        node = AE(ae_title=listen.ae_title)
        node.require_called_aet = True
        node.require_calling_aet = sorted({peer.ae_title for peer in self.settings.peers})
        node.maximum_associations = limits.associations
        node.network_timeout = node.dimse_timeout = 60
        node.acse_timeout = 30
        node.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            node.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, self._on_request),
            (evt.EVT_PDU_RECV, self._on_data),
            (evt.EVT_C_ECHO, lambda _event: SUCCESS),
            (evt.EVT_C_STORE, self._on_store),
        ]
        return node.start_server((listen.host, listen.port), block=False, evt_handlers=handlers)

    def _on_request(self, event: Any) -> None:
        """Turn away who is not listed with both title and address."""
        caller = event.assoc.requestor
        title = str(caller.primitive.calling_ae_title).strip()
        address = ipaddress.ip_address(str(caller.address))
        for peer in self.settings.peers:
            if peer.ae_title == title and address in ipaddress.ip_network(peer.address):
                return
        self.note(f"turned away: {address} is not a listed peer with the title it gave")
        event.assoc.acse.send_reject(*_REJECT_CALLER)
        event.assoc.kill()

    def _on_data(self, event: Any) -> None:
        """Abort an association that sends an object larger than the limit, while it is being sent."""
        from pynetdicom.pdu import P_DATA_TF

        if not isinstance(event.pdu, P_DATA_TF):
            return
        assoc = event.assoc
        assoc.received_bytes = getattr(assoc, "received_bytes", 0) + event.pdu.pdu_length
        if assoc.received_bytes > self.settings.limits.object_mb * 1e6:
            self.note(f"aborted: an object larger than {self.settings.limits.object_mb:g} MB")
            assoc.abort()

    def _on_store(self, event: Any) -> int:
        """Keep an object; success is said only once it is safe on disk."""
        event.assoc.received_bytes = 0
        limits = self.settings.limits
        counts = self.spool.counts()
        data = event.encoded_dataset()
        if len(data) > limits.object_mb * 1e6:
            # Its last piece came before the abort took effect.
            self.note(f"refused: an object larger than {limits.object_mb:g} MB")
            return OUT_OF_RESOURCES
        if self.spool.free_mb() < limits.free_disk_mb:
            self.note("refused: the disk is nearly full")
            return OUT_OF_RESOURCES
        try:
            study, instance = _identity(data, str(event.request.AffectedSOPInstanceUID))
        except ValueError:
            self.note("refused: an object without a valid StudyInstanceUID")
            return CANNOT_UNDERSTAND
        waiting = counts[INCOMING] + counts[WORK]
        is_new = not (self.spool.root / INCOMING / self.spool.key(study)).is_dir()
        if is_new and waiting >= limits.queued_studies:
            self.note(f"refused: {waiting} studies are waiting")
            return OUT_OF_RESOURCES
        try:
            self.spool.keep_image(study, instance, data)
        except OSError as error:
            self.note(f"refused: cannot be written ({error.strerror})")
            return OUT_OF_RESOURCES
        return SUCCESS


def _identity(data: bytes, instance: str) -> tuple[str, str]:
    """Return StudyInstanceUID and SOPInstanceUID of a received object."""
    import io

    import pydicom

    with quiet():
        header = pydicom.dcmread(
            io.BytesIO(data), stop_before_pixels=True, specific_tags=["StudyInstanceUID"]
        )
    study = str(header.get("StudyInstanceUID", ""))
    if not UID.fullmatch(study) or not UID.fullmatch(instance):
        raise ValueError("no valid UID")
    return study, instance

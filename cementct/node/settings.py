"""What an administrator says of a node: a TOML file, checked before anything listens."""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from cementct.core.errors import UsageError
from cementct.core.formats import ReportFormat

AeTitle = Annotated[str, msgspec.Meta(pattern=r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$")]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
# Forms of the results that are DICOM objects and can be sent.
SENDABLE = (ReportFormat.SEG, ReportFormat.SR, ReportFormat.SC, ReportFormat.PDF)


class Listen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the node listens for images."""

    ae_title: AeTitle
    port: Port
    host: str = "127.0.0.1"


class Peer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may send images: both must match."""

    ae_title: AeTitle
    address: str


class Destination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where results go: an archive by C-STORE, or, with `url`, by DICOMweb STOW-RS.

    Attributes
    ----------
    ae_title, host, port
        Of the archive.
    url
        Base of its DICOMweb service, such as ``https://archive.example/dicom-web``.
    token_variable
        Name of the environment variable that holds a bearer token for it.
    """

    ae_title: AeTitle | None = None
    host: str | None = None
    port: Port | None = None
    url: str | None = None
    token_variable: str | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much the node takes.

    Attributes
    ----------
    associations
        Open at once.
    object_mb
        Of one object; the association of a larger one is aborted.
    queued_studies
        Not yet analysed; more are refused as out of resources.
    free_disk_mb
        Below it objects are refused as out of resources.
    """

    associations: Count = 8
    object_mb: Positive = 2048.0
    queued_studies: Count = 200
    free_disk_mb: Positive = 2048.0


class Work(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When and how studies are analysed and results sent.

    Attributes
    ----------
    stable_s
        A study is complete when nothing has come for so long.
    study_timeout_s
        After so long an analysis is given up.
    formats
        Which results are made and sent.
    tries, first_wait_s, longest_wait_s
        How often sending is tried, and how long the waits between are: each twice the one before.
    keep_hours
        Images and results of finished studies are kept so long, so that late images join them.
    """

    stable_s: Positive = 60.0
    study_timeout_s: Positive = 900.0
    formats: tuple[ReportFormat, ...] = SENDABLE
    tries: Count = 12
    first_wait_s: Positive = 5.0
    longest_wait_s: Positive = 3600.0
    keep_hours: float = 24.0


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything about a node.

    Attributes
    ----------
    spool
        Folder that holds received studies until their results have been sent.
    listen, peers, destination, limits, work
        See there.
    status_port
        Of the status page and the health endpoint, on loopback only; None: none.
    """

    spool: Path
    listen: Listen
    peers: Annotated[tuple[Peer, ...], msgspec.Meta(min_length=1)]
    destination: Destination
    limits: Limits = Limits()
    work: Work = Work()
    status_port: Port | None = None


def read_settings(path: Path) -> NodeSettings:
    """Return the settings in a TOML file.

    Raises
    ------
    UsageError
        Where it cannot be read, or something in it is missing, unknown or out of range; the message names
        the file and the key.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path.name}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: expected TOML, found something else ({error})") from error
    try:
        settings = msgspec.convert(data, NodeSettings, dec_hook=_as_path)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path.name}: {error}") from error
    _check(settings, path.name)
    spool = settings.spool if settings.spool.is_absolute() else path.resolve().parent / settings.spool
    return msgspec.structs.replace(settings, spool=spool)


def _as_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(kind)


def _check(settings: NodeSettings, name: str) -> None:
    to = settings.destination
    given = [value is not None for value in (to.ae_title, to.host, to.port)]
    if (to.url is None and not all(given)) or (to.url is not None and any(given)):
        raise UsageError(f"{name}: destination: expected either url, or ae_title, host and port")
    if to.url is not None and not to.url.startswith(("http://", "https://")):
        raise UsageError(f"{name}: destination.url: expected an address that begins with http:// or https://")
    for peer in settings.peers:
        try:
            ipaddress.ip_network(peer.address)
        except ValueError as error:
            raise UsageError(
                f"{name}: peers: expected an IP address or a network such as 10.1.2.0/24, "
                f"found {peer.address!r}"
            ) from error
    if not settings.work.formats or not set(settings.work.formats) <= set(SENDABLE):
        raise UsageError(f"{name}: work.formats: expected some of {', '.join(SENDABLE)}")

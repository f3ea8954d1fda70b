"""A node's settings, and a small study that is quickly analysed."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest

from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.node.settings import Destination, Limits, Listen, NodeSettings, Peer, Work
from cementct.testing.dicom import SeriesDetails, write_ct_series


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def settings(tmp_path: Path) -> NodeSettings:
    """Return the settings of a node on loopback that sends to an archive on loopback."""
    return NodeSettings(
        spool=tmp_path / "spool",
        listen=Listen(ae_title="CEMENTCT", port=free_port()),
        peers=(Peer(ae_title="SCANNER", address="127.0.0.0/8"),),
        destination=Destination(ae_title="ARCHIVE", host="127.0.0.1", port=free_port()),
        limits=Limits(free_disk_mb=1.0),
        work=Work(stable_s=0.5, first_wait_s=0.2, longest_wait_s=0.5),
    )


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the images of a small scan of soft tissue."""
    folder = tmp_path_factory.mktemp("ct")
    rng = np.random.default_rng(3)
    hu = rng.normal(40, 10, (12, 48, 48)).astype(np.int16)
    hu[:, :6], hu[:, 20:26, 20:30] = -1000, 700
    write_ct_series(
        folder, Volume(hu, Grid(hu.shape, (2.0, 1.5, 1.5), (0.0, 0.0, 0.0))), SeriesDetails(2, "x")
    )
    return sorted(folder.iterdir())

"""What a spool has confirmed is never lost, whatever moment the node stops at."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cementct.node.spool import DEAD, DONE, INCOMING, REASON_FILE, JobState, Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_an_image_is_kept_under_names_that_say_nothing_of_its_header(spool: Spool) -> None:
    spool.keep_image("1.2.3", "1.2.3.4", b"image")
    (kept,) = (spool.root / INCOMING).rglob("*.dcm")
    assert kept.read_bytes() == b"image"
    assert "1.2.3" not in str(kept.relative_to(spool.root))


def test_the_same_image_sent_twice_is_kept_once(spool: Spool) -> None:
    spool.keep_image("1.2.3", "1.2.3.4", b"image")
    spool.keep_image("1.2.3", "1.2.3.4", b"image")
    assert len(list((spool.root / INCOMING).rglob("*.dcm"))) == 1


def test_a_study_is_complete_only_after_it_was_quiet(spool: Spool) -> None:
    spool.keep_image("1.2.3", "1.2.3.4", b"image")
    assert list(spool.stable_studies(30.0)) == []
    time.sleep(0.02)
    assert len(list(spool.stable_studies(0.01))) == 1


def test_while_a_node_is_down_no_study_becomes_complete(spool: Spool) -> None:
    spool.keep_image("1.2.3", "1.2.3.4", b"image")
    then = time.time() - 60
    os.utime(spool.root / INCOMING / spool.key("1.2.3") / "images", (then, then))
    assert list(Spool(spool.root).stable_studies(30.0)) == []


def test_late_images_join_those_that_came_before(spool: Spool) -> None:
    spool.keep_image("1.2.3", "a", b"first")
    first = spool.begin(spool.root / INCOMING / spool.key("1.2.3"))
    spool.finish(first)
    spool.keep_image("1.2.3", "b", b"second")
    second = spool.begin(spool.root / INCOMING / spool.key("1.2.3"))
    spool.gather_earlier(second)
    assert sorted(p.read_bytes() for p in second.images.iterdir()) == [b"first", b"second"]
    assert second.name != first.name


def test_a_restarted_spool_knows_how_far_each_job_was(spool: Spool) -> None:
    spool.keep_image("1.2.3", "a", b"x")
    job = spool.begin(spool.root / INCOMING / spool.key("1.2.3"))
    job.save(JobState(analysed=True, sent=["seg.dcm"], tries=2))
    (again,) = Spool(spool.root).jobs()
    assert again.state() == JobState(analysed=True, sent=["seg.dcm"], tries=2)


def test_half_received_objects_are_gone_after_a_restart(spool: Spool) -> None:
    part = spool.root / "parts" / "half"
    part.write_bytes(b"hal")
    Spool(spool.root)
    assert not part.exists()


def test_what_cannot_be_done_is_put_away_with_its_reason(spool: Spool) -> None:
    spool.keep_image("1.2.3", "a", b"x")
    job = spool.begin(spool.root / INCOMING / spool.key("1.2.3"))
    spool.bury(job, "no CT")
    assert "no CT" in (spool.root / DEAD / job.name / REASON_FILE).read_text()
    assert spool.jobs() == []


def test_finished_jobs_are_forgotten_in_time(spool: Spool) -> None:
    spool.keep_image("1.2.3", "a", b"x")
    job = spool.begin(spool.root / INCOMING / spool.key("1.2.3"))
    spool.finish(job)
    spool.forget(3600.0)
    assert (spool.root / DONE / job.name).exists()
    spool.forget(-1.0)
    assert not (spool.root / DONE / job.name).exists()

"""The order of the steps: what is asked once more when bodies stand as they did before injection."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cementct.pipeline import steps
from cementct.pipeline.steps import Before, Subject, find_structures
from cementct.testing.block_spine import ball, build_block_spine


def test_the_scan_before_is_carried_onto_the_bodies_that_cement_is_found_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A leak that an engine took for body looks like a raised body, about which the scan before says nothing.
    made = build_block_spine((2.5, 1.0, 1.0))
    cement = made.cement_of(ball((0.0, 0.0, 0.0), 6.0))
    post = made.volume_with(cement)
    engine, as_before = made.spine, replace(made.spine, vertebrae=made.spine.vertebrae[:-1])
    asked = []
    monkeypatch.setattr(steps, "_look", lambda _: (object(), engine))
    monkeypatch.setattr(steps, "_look_before", lambda _: engine)
    monkeypatch.setattr(steps, "_registered", lambda *_: Before(post, engine, {}))
    monkeypatch.setattr(steps, "_as_before", lambda *_: {0: object()})
    monkeypatch.setattr(steps, "replace_vertebrae", lambda *_: as_before)
    monkeypatch.setattr(steps, "_carried", lambda _subject, _before, spine, **_: spine)
    monkeypatch.setattr(
        steps, "_find_cement", lambda _, spine, earlier: asked.append((spine, earlier)) or cement
    )
    subject = Subject(post, post, lambda _: pytest.fail("no engine"), lambda _: pytest.fail("no engine"))

    found = find_structures(subject, tell=lambda _: None)

    assert found.spine is as_before
    assert [(spine is earlier) for spine, earlier in asked] == [True, True]
    assert asked[-1][0] is as_before

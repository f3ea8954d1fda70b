"""The registry of quality flags is closed and complete."""

from __future__ import annotations

from cementct.core.flags import REGISTRY, Flag, Severity, raise_flag

PROMISED = [
    "level-unknown",
    "level-one-landmark",
    "level-conflict",
    "orientation-contradicts-anatomy",
    "cement-in-other-series",
    "registration-failed",
    "canal-not-assessable",
    "foramen-not-assessable",
    "leak-possible",
    "leak-trace",
    "leak-cut-by-scan-edge",
    "remote-dense-deposit",
    "old-cement",
    "old-cement-not-separable",
    "attribution-uncertain",
    "needle-in-place",
    "metal-in-cement",
    "hu-clipped",
    "posterior-wall-rebuilt",
    "filling-biased-high",
    "tumour-outside-bone",
    "vertebra-cut",
    "missing-slices",
    "not-hu",
    "not-assessed",
]


def test_every_promised_flag_is_in_the_registry() -> None:
    assert set(PROMISED) <= {flag.value for flag in Flag}


def test_every_flag_has_a_meaning_that_is_a_sentence() -> None:
    assert set(REGISTRY) == set(Flag)
    for definition in REGISTRY.values():
        assert definition.meaning[0].isupper()
        assert definition.meaning.endswith(".")


def test_a_raised_flag_has_the_severity_of_the_registry_and_a_sentence_of_its_own() -> None:
    raised = raise_flag(Flag.CEMENT_IN_OTHER_SERIES, "Series 5 shows L4, which series 3 does not reach.")
    assert raised.severity is Severity.STOP
    assert raised.says.startswith("Series 5")

"""Check that the licence of every installed package is one that suits an Apache-2.0 project; works offline.

Usage: ``python .ci/licences.py``. Fails on the GPL and AGPL, on LGPL packages that nobody decided on, and on
packages that do not say.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions

# Used as libraries, unchanged and replaceable; why: docs/decisions/0002-dependencies.md.
LGPL_DECIDED = frozenset({"connected-components-3d", "edt"})
_COPYLEFT = re.compile(r"\bA?GPL|GNU (AFFERO )?GENERAL PUBLIC", re.IGNORECASE)
_LESSER = re.compile(r"\bLGPL|LESSER GENERAL PUBLIC|LIBRARY GENERAL PUBLIC", re.IGNORECASE)
# A longer text in the field for the licence's name is the licence itself; its first words name it.
_NAME_LENGTH = 120


def licence_of(package: Distribution) -> str:
    """Return what a package says of its licence: the expression, else the classifiers and the name."""
    told = package.metadata
    expression = told.get("License-Expression")
    if expression:
        return str(expression)
    classifiers = [
        str(c).rpartition("::")[2].strip() for c in told.get_all("Classifier") or [] if "License" in str(c)
    ]
    named = " ".join(str(told.get("License") or "").split())[:_NAME_LENGTH]
    return "; ".join(part for part in (*classifiers, named) if part)


def fault_of(name: str, licence: str) -> str | None:
    """Return why a licence does not do, or None."""
    if not licence:
        return "does not say"
    alternatives = re.split(r"\bOR\b", licence)
    if any(not _COPYLEFT.search(part) and not _LESSER.search(part) for part in alternatives):
        return None
    if _LESSER.search(licence) and not _COPYLEFT.search(_LESSER.sub("", licence)) and name in LGPL_DECIDED:
        return None
    return licence


def check(packages: Iterable[Distribution]) -> list[str]:
    """Return one line for each package whose licence does not do."""
    found = []
    for package in packages:
        name = str(package.metadata["Name"]).lower().replace("_", "-")
        fault = fault_of(name, licence_of(package))
        if fault is not None:
            found.append(f"{name} {package.version}: {fault}")
    return sorted(found)


if __name__ == "__main__":
    installed = list(distributions())
    faults = check(installed)
    print("\n".join(faults) or f"The licences of {len(installed)} packages suit an Apache-2.0 project.")
    sys.exit(bool(faults))

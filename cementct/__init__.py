"""Bone cement, lesion filling and cement leakage, measured on CT after vertebroplasty."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cementct.pipeline.analyze import analyze

__version__ = metadata.version("cementct")

__all__ = ["__version__", "analyze"]


def __getattr__(name: str) -> Any:
    # The analysis pulls in half of scientific Python; whoever only asks for the version need not wait for it.
    if name == "analyze":
        from cementct.pipeline.analyze import analyze

        return analyze
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Bone cement, lesion filling and cement leakage, measured on CT after vertebroplasty."""

from importlib import metadata

__version__ = metadata.version("cementct")

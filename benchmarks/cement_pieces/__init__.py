"""Learns which dense pieces beside treated vertebrae are cement."""

"""Phantoms, simulated CT and implants with known truth, for accuracy work and tests."""

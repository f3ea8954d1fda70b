"""The nouns every other package speaks in: grids, volumes, levels, frames, findings and flags."""

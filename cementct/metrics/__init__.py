"""From label maps to numbers: volumes, leaks, distances, heights, filling."""

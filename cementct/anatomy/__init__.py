"""Walls and spaces: frames, endplates, canal, foramina and discs that segmentation and metrics share."""

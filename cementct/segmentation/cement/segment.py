"""Find, measure and attribute all cement in a volume."""


def segment_cement() -> None:
    """To come."""

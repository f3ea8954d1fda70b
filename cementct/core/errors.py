"""The errors a caller may meet, all descended from one."""


class CementctError(Exception):
    """Any failure that cementct foresees; its message is fit for a user's eyes."""


class UsageError(CementctError):
    """The command or call contradicts itself or lacks something (exit status 2)."""


class StudyRefused(CementctError):
    """A study cannot be analysed (exit status 3).

    The message says in one line what was expected, what was found, and in which file.
    """


class UnreadableFile(StudyRefused):
    """One file is damaged, absurd or of a kind that is not read."""


class GeometryError(StudyRefused):
    """Positions, spacings or orientations do not describe a regular volume."""

"""Data sets as frames of events: public ones, whose files you keep outside the project, and a synthetic town."""


class SourceError(ValueError):
    """We cannot read a data set. The message is one line: the file, the problem, and the action to take."""

"""Data sets turned into event frames: two public ones, whose files stay outside the project, and a synthetic town."""


class SourceError(ValueError):
    """A data set that cannot be read. The message is one line: which file, what is wrong, what to do."""

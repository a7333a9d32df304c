"""Crash sites: the part of an unexpected error that we may log."""


def kind_and_place(error: Exception) -> str:
    """Of an unforeseen error, without its text, which may hold anybody's data: enough to find it."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "nowhere"
    return f"{type(error).__name__} at {place}"

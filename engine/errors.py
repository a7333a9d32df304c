"""Define the errors that we expect, as one tree.

    IftahError               code, message, where, hint: one line for a person
    ├── RulesError           rule files with problems (carries every problem)
    ├── EngineError          an engine failed; we make no decision
    └── Rejected             we do not accept a request or an input (the shell maps its code to an HTTP status)
        └── TransitionRejected   the rules allow no such move of an order (the rule file defines the code)

Write a message in lower case, without a full stop. Quote the user's own text in backticks. Never name a person's data.
"""


class IftahError(Exception):
    """Any expected failure. `code` is stable; `where` is a file, a field or a setting; `hint` tells you what to do."""

    code = "error"

    def __init__(self, message: str, *, where: str = "", hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message, self.where, self.hint = message, where, hint
        self.code = code or self.code

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{advice}"


class EngineError(IftahError):
    """An engine failed, or returned only a part of the result. We make no decision rather than a wrong one."""

    code = "engine_failed"


class Rejected(IftahError):
    """We do not accept an input. Nothing has changed."""

    code = "refused"


class TransitionRejected(Rejected):
    """The rules do not allow this transition of an order. The code comes from the rule file."""

    code = "wrong_state"

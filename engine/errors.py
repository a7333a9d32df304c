"""What can go wrong, as one tree.

    IftahError            code, message, where, hint: one line for a person
    ├── RulesError        rule files that do not check (carries every problem)
    ├── EngineError       an engine that did not answer; the decision is not made
    └── Refused           a request or an input that is not accepted (the shell maps its code to a status)
        └── Unmoved       an order that the rules do not move (the code is the rule file's own)

A message is lower-case, has no full stop, quotes what the user wrote in backticks, and never names a person's data.
"""


class IftahError(Exception):
    """Any expected failure. `code` is stable; `where` is a file, a field or a setting; `hint` says what to do."""

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
    """An engine failed or answered in part. There is no decision then, rather than a wrong one."""

    code = "engine_failed"


class Refused(IftahError):
    """An input that is not accepted. Nothing was changed."""

    code = "refused"


class Unmoved(Refused):
    """An order that the rules do not move: refused by their own code."""

    code = "wrong_state"

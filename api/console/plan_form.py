"""The form of a plan: shares of people in stages, guards, perks and merchants. It holds every plan; the API checks what it says."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

MAX_STAGES: Final = 20  # of a plan, by the API
SPARE_STAGES: Final = 2  # empty rows after those of the plan; more are folded away
STAGE_FIELDS: Final = ("share", "hours", "answers")
MEASURES: Final = ("admit_rate", "unscorable_rate", "dispute_rate", "waived", "latency", "score_psi")
BOUNDS: Final = ("least", "most")
SCOPES: Final = ("perks", "merchants")  # ids, one a line
DEFAULT_STAGES: Final = (
    {"share": "1%", "hours": 24},
    {"share": "5%", "answers": 2000},
    {"share": "20%", "hours": 48},
    {"share": "100%"},
)
DEFAULT_GUARDS: Final = {
    "admit_rate": {"least": "-5%", "most": "5%"},
    "unscorable_rate": {"most": "2%"},
    "dispute_rate": {"most": "1%"},
    "waived": {"most": "10%"},
    "latency": {"most": "30%"},
    "score_psi": {"most": "0.2"},
}
DEFAULT_CONFIDENCE: Final = "99%"


def plan_of(form: Mapping[str, Any]) -> dict[str, Any] | None:
    """The plan that a form says; None: for everyone at once. Raises ValueError for a number that is none."""
    if form.get("how") != "stages":
        return None
    scopes = {name: ids for name in SCOPES if (ids := _lines(form, name))}
    confidence = _text(form, "confidence")
    return {
        "stages": [stage for n in range(MAX_STAGES) if (stage := _stage(form, n))],
        "guards": {measure: bounds for measure in MEASURES if (bounds := _bounds(form, measure))},
        **scopes,
        "on_break": "roll_back" if form.get("on_break") == "roll_back" else "hold",
        **({"confidence": _percent(confidence)} if confidence else {}),
    }


def _stage(form: Mapping[str, Any], number: int) -> dict[str, Any]:
    share = _text(form, f"share{number}")
    limits = {name: _whole(text) for name in ("hours", "answers") if (text := _text(form, f"{name}{number}"))}
    if limits and not share:
        raise ValueError(f"stage {number + 1} has no share")
    return {"share": _percent(share)} | limits if share else {}


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"`{text}` is no whole number")
    return int(text)


def _bounds(form: Mapping[str, Any], measure: str) -> dict[str, str]:
    bounds = {bound: text for bound in BOUNDS if (text := _text(form, f"{bound}-{measure}"))}
    return bounds if measure == "score_psi" else {bound: _percent(text) for bound, text in bounds.items()}


def _percent(text: str) -> str:
    return text if text.endswith("%") else f"{text}%"


def form_of_plan(plan: Mapping[str, Any] | None) -> dict[str, Any]:
    """The values of the form: those of a plan, or the usual ones."""
    source: Mapping[str, Any] = plan or {"stages": DEFAULT_STAGES, "guards": DEFAULT_GUARDS}
    guards = source.get("guards") or {}
    return {
        "how": "stages" if plan else "everyone",
        **_rows(source.get("stages") or ()),
        "guards": {measure: guards.get(measure) or {} for measure in MEASURES},
        **{name: "\n".join(source.get(name) or ()) for name in SCOPES},
        "on_break": source.get("on_break") or "hold",
        "confidence": source.get("confidence") or DEFAULT_CONFIDENCE,
    }


def form_again(form: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the form as somebody sent them, right or wrong."""
    stages = [{name: _text(form, f"{name}{n}") for name in STAGE_FIELDS} for n in range(MAX_STAGES)]
    return {
        "how": form.get("how", "everyone"),
        **_rows([stage for stage in stages if any(stage.values())]),
        "guards": {m: {bound: _text(form, f"{bound}-{m}") for bound in BOUNDS} for m in MEASURES},
        **{name: str(form.get(name, "")) for name in (*SCOPES, "on_break", "confidence")},
    }


def _rows(stages: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The rows of the stages and some empty ones; and the number of those that the page shows at once."""
    rows = list(stages)
    return {"stages": [*rows, *({} for _ in range(MAX_STAGES - len(rows)))], "shown": len(rows) + SPARE_STAGES}


def _lines(form: Mapping[str, Any], name: str) -> list[str]:
    return [line for text in str(form.get(name, "")).split("\n") if (line := text.strip())]


def _text(form: Mapping[str, Any], name: str) -> str:
    return str(form.get(name, "")).strip().replace("％", "%")

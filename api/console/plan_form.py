"""The form of a plan: shares of people in stages, and guards. The API checks what it says."""

from collections.abc import Mapping
from typing import Any, Final

STAGES: Final = 3  # rows of the form, before everyone
MEASURES: Final = ("admit_rate", "unscorable_rate", "dispute_rate", "waived", "latency", "score_psi")
BOUNDS: Final = ("least", "most")
DEFAULT_STAGES: Final = (
    {"share": "1%", "hours": 24},
    {"share": "5%", "answers": 2000},
    {"share": "20%", "hours": 48},
)
DEFAULT_GUARDS: Final = {
    "admit_rate": {"least": "-5%", "most": "5%"},
    "unscorable_rate": {"most": "2%"},
    "dispute_rate": {"most": "1%"},
    "waived": {"most": "10%"},
    "latency": {"most": "30%"},
    "score_psi": {"most": "0.2"},
}


def plan_of(form: Mapping[str, Any]) -> dict[str, Any] | None:
    """The plan that a form says; None: for everyone at once. Raises ValueError for a number that is none."""
    if form.get("how") != "stages":
        return None
    stages = [stage for n in range(STAGES) if (stage := _stage(form, n))]
    guards = {measure: bounds for measure in MEASURES if (bounds := _bounds(form, measure))}
    return {
        "stages": [*stages, {"share": "100%"}],
        "guards": guards,
        "on_break": "roll_back" if form.get("on_break") == "roll_back" else "hold",
    }


def _stage(form: Mapping[str, Any], number: int) -> dict[str, Any]:
    share = _text(form, f"share{number}")
    if not share:
        return {}
    limits = {name: int(text) for name in ("hours", "answers") if (text := _text(form, f"{name}{number}"))}
    return {"share": share if share.endswith("%") else f"{share}%"} | limits


def _bounds(form: Mapping[str, Any], measure: str) -> dict[str, str]:
    bounds = {bound: text for bound in BOUNDS if (text := _text(form, f"{bound}-{measure}"))}
    if measure == "score_psi":
        return bounds
    return {bound: text if text.endswith("%") else f"{text}%" for bound, text in bounds.items()}


def form_of_plan(plan: Mapping[str, Any] | None) -> dict[str, Any]:
    """The values of the form: those of a plan, or the usual ones."""
    stages = [s for s in (plan or {}).get("stages") or () if s["share"] != "100%"] if plan else list(DEFAULT_STAGES)
    guards = (plan or {}).get("guards") or {} if plan else DEFAULT_GUARDS
    rows = [*stages, *({} for _ in range(STAGES))][: max(STAGES, len(stages))]
    return {
        "how": "stages" if plan else "everyone",
        "stages": rows,
        "guards": {measure: guards.get(measure) or {} for measure in MEASURES},
        "on_break": (plan or {}).get("on_break") or "hold",
    }


def _text(form: Mapping[str, Any], name: str) -> str:
    return str(form.get(name, "")).strip().replace("％", "%")

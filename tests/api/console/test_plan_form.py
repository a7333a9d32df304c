"""The form of a plan holds every plan: what you did not change stays as it was."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.console.plan_form import STAGE_FIELDS, form_again, form_of_plan, plan_of
from api.runtime.context import AppContext
from engine.rollout.plan import MEASURES, read_plan
from tests.api.console.browser import VIEWS, Visitor
from tests.api.console.change_story import ChangeStory, stricter

Issue = Callable[[str, str], str]
SignIn = Callable[[str], httpx2.Client]
Open = Callable[..., Visitor]
BIG = {
    "stages": [
        *({"share": f"{share}%", "hours": 12 + share, "answers": 1000 * share} for share in (1, 2, 5, 10, 20, 50)),
        {"share": "100%", "hours": 5},
    ],
    "guards": {"waived": {"least": "-40%", "most": "12.5%"}},
    "perks": ["bike", "hotel"],
    "merchants": ["inn", "lodge"],
    "on_break": "roll_back",
    "confidence": "99.9%",
}

whole = st.integers(1, 8_784)  # hours of a year
limits = st.fixed_dictionaries({}, optional={"hours": whole, "answers": whole}).filter(bool)
bounds = st.sampled_from([{"most": "2%"}, {"least": "-5%"}, {"least": "-7.25%", "most": "3%"}])
ids = st.lists(st.sampled_from(["a", "b & c", '"d"', "e,f", "g h"]), unique=True)


@st.composite
def plans(draw: st.DrawFn) -> Mapping[str, Any]:
    """Plans as the API stores them."""
    shares = sorted(draw(st.sets(st.integers(1, 100), min_size=1, max_size=20)))
    names = draw(st.sets(st.sampled_from(MEASURES), min_size=1))
    guards = {name: {"most": "0.3"} if name == "score_psi" else draw(bounds) for name in names}
    stages = [{"share": f"{share}%", **draw(limits)} for share in shares]
    end = {
        "on_break": draw(st.sampled_from(["hold", "roll_back"])),
        "confidence": draw(st.sampled_from(["95%", "99%"])),
    }
    return read_plan({"stages": stages, "guards": guards, "perks": draw(ids), "merchants": draw(ids), **end}).as_dict()


def sent(values: Mapping[str, Any]) -> dict[str, str]:
    """What a browser sends of the form that shows these values: it ends lines by CR LF."""
    form = {name: str(values[name]).replace("\n", "\r\n") for name in ("how", "perks", "merchants")}
    form |= {name: str(values[name]) for name in ("on_break", "confidence")}
    for number, stage in enumerate(values["stages"]):
        form |= {f"{name}{number}": str(stage.get(name) or "") for name in STAGE_FIELDS}
    for measure, guard in values["guards"].items():
        form |= {f"{bound}-{measure}": str(guard.get(bound) or "") for bound in ("least", "most")}
    return form


@given(plans())
def test_a_plan_that_nobody_changed_is_the_same_plan(plan: Mapping[str, Any]) -> None:
    form = sent(form_of_plan(plan))
    assert plan_of(form) == plan
    assert plan_of(sent(form_again(form))) == plan


def test_the_usual_plan_has_the_defaults_of_the_api() -> None:
    form = sent(form_of_plan(None)) | {"how": "stages"}
    plan = plan_of(form)
    assert plan is not None
    assert plan == read_plan({}).as_dict()


@pytest.mark.parametrize("field", ["hours", "answers"])
def test_a_number_that_is_none_is_said(field: str) -> None:
    form = {"how": "stages", "share0": "5", f"{field}0": "two"}
    with pytest.raises(ValueError, match="`two` is no whole number"):
        plan_of(form)


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_a_long_plan_is_edited_and_loses_nothing(
    visitor: Open, token: Issue, town: AppContext, language: str, width: str, scheme: str
) -> None:
    story = ChangeStory(town)
    number = story.draft(stricter(), plan=BIG)
    window = visitor(language=language, width=width, scheme=scheme)
    page = window.page
    window.sign_in(token("operator", "mei"), f"/releases/{number}")
    page.locator("[data-dialog=plan]").click()
    window.screen("release-plan-long")
    assert window.violations() == []
    page.fill("dialog#plan input[name=hours2]", "99")
    page.fill("dialog#plan input[name=hours3]", "a day")
    page.locator("dialog#plan button").last.click()
    page.wait_for_selector(
        "dialog#plan[open] input[value='a day']"
    )  # the server says what is wrong, and keeps the rest
    assert page.input_value("dialog#plan input[name=hours2]") == "99"
    page.fill("dialog#plan input[name=hours3]", "22")
    page.locator("dialog#plan button").last.click()
    page.wait_for_url("**notice=step_plan")
    stages = [stage | ({"hours": 99} if n == 2 else {}) for n, stage in enumerate(BIG["stages"])]
    assert story.mei.get(f"proposals/{number}")["plan"] == BIG | {"stages": stages}
    window.screen("release-plan-saved")
    assert window.violations() == []

"""Texts of the editor that the server puts together: what a word means, with how its values lie."""

from collections.abc import Mapping
from typing import Any

from api.console.formats import formats
from api.console.words import translations


def meaning_lines(meaning: Mapping[str, Any], language: str) -> list[str]:
    """The meaning of a word or an option, and the distribution of a feature in a line of its own."""
    distribution = meaning.get("distribution")
    return [*meaning["lines"], *([distribution_line(distribution, language)] if distribution else [])]


def distribution_line(distribution: Mapping[str, Any], language: str) -> str:
    """How the values of a feature lie in the newest build."""
    words, number = translations(language), formats(language)["number"]
    values = {"people": number(distribution["people"]), "missing": number(distribution["missing"])}
    if distribution["quantiles"]:
        lowest, quarter, median, three_quarters, highest = distribution["quantiles"]
        values |= {"lowest": lowest, "quarter": quarter, "median": median, "upper": three_quarters, "highest": highest}
        return (
            words.gettext(
                "Newest build, %(people)s people: nine in ten from %(lowest)s to %(highest)s, half from %(quarter)s to %(upper)s, median %(median)s; %(missing)s without a value"
            )
            % values
        )
    shares = ", ".join(f"{share['value']} {share['percent']} %" for share in distribution["shares"])
    if not shares:
        return words.gettext("Newest build, %(people)s people: too few have a value") % values
    return words.gettext("Newest build, %(people)s people: %(shares)s; %(missing)s without a value") % (
        values | {"shares": shares}
    )


def saved_line(draft: Mapping[str, Any], language: str, zone: str) -> str:
    """That a draft is saved, and when."""
    at = _plain(formats(language)["moment"](draft["saved_at"], zone))
    return translations(language).gettext("Saved as version %(version)s, %(at)s") % {
        "version": draft["version"],
        "at": at,
    }


def presence_line(presence: Mapping[str, Any], version: int, caller: str, language: str) -> str:
    """Who else has the draft open, and whether somebody saved it meanwhile; empty: nobody."""
    words = translations(language)
    lines = []
    if presence["version"] > version:
        party = words.gettext("you, in another window") if presence["saved_by"] == caller else presence["saved_by"]
        text = words.gettext("%(who)s saved version %(version)s of this draft meanwhile: reload to continue with it.")
        lines.append(text % {"who": party, "version": presence["version"]})
    parties = dict.fromkeys(e["party"] for e in presence["editors"] if not e["is_you"])
    if any(e["is_you"] for e in presence["editors"]):
        parties[words.gettext("you, in another window")] = None
    if parties:
        lines.append(words.gettext("Also open here: %(others)s.") % {"others": ", ".join(parties)})
    return " ".join(lines)


def _plain(text: Any) -> str:
    return str(text.striptags()) if hasattr(text, "striptags") else str(text)

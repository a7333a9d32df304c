"""Display names of the demo's parties, by id: from the table of parties, or from the number in an id of the town or of Berka."""

import re
from typing import Final

from api.demo.parties import NAMES
from graph.datasets.town.names import DisplayName, employer_name, person_name, shop_name

_NUMBERED: Final = re.compile(r"(p|client|m|e)-(\d{1,9})", re.ASCII)


def display_name(party: str, town_people: int) -> DisplayName | None:
    """The name of a party or a service (`merchant/service`); None for an id that the demo does not know.

    `town_people`: how many people the town has, by which its shops have their trades.
    """
    if party in NAMES:
        return NAMES[party]
    match = _NUMBERED.fullmatch(party)
    if match is None:
        return None
    kind, number = match[1], int(match[2])
    if kind == "m":
        return shop_name(number, town_people)
    return employer_name(number) if kind == "e" else person_name(number)

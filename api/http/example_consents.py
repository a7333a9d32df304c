"""Example answers about consent, for `api.http.example_answers`."""

from typing import Final

from api.http.examples import CREATED_AT

CONSENT: Final = {
    "id": "c0ffee00" * 4,
    "service": "rooms",
    "purpose": "perks",
    "classes": ["identity", "behaviour", "credit"],
    "until": None,
    "return_url": "https://inn.example/booked?id=17",
    "page": "/consent/" + "c0ffee00" * 4,
    "asked_at": CREATED_AT,
    "state": "asked",
    "granted": [],
}
_WARNING: Final = {"en": "Balances show much of how you live.", "zh": "余额会显示您的许多生活情况。"}
CONSENTS: Final = {
    "requests": [],
    "in_force": [
        {"purpose": "perks", "service": "inn/rooms", "data_class": "behaviour", "since": CREATED_AT, "until": None},
    ],
    "warning": _WARNING,
}
CONSENT_REQUEST: Final = {
    "id": CONSENT["id"],
    "merchant": "inn",
    "service": "rooms",
    "purpose": "perks",
    "classes": ["identity", "behaviour", "credit"],
    "until": None,
    "asked_at": CREATED_AT,
    "warning": None,
    "state": "asked",
    "return_url": "https://inn.example/booked?id=17",
}

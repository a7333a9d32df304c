"""The question of a merchant: may this person have this perk without a deposit of this amount?"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from api.merchants import services


@dataclass(frozen=True)
class EligibilityQuestion:
    """One question, from the request to the record.

    `amount` is in minor units of `currency`. With a service, its terms fill in `perk`, `currency` and `service_version`
    (`under_terms`). Without a service the system itself asks, and the question names them. `context` holds the request's own
    fields as JSON values. `asked_at` is the time from which the answer is valid.
    """

    merchant: str
    transaction_id: str | None
    subject: str
    perk: str
    amount: int
    currency: str
    asked_at: datetime
    context: Mapping[str, Any] = field(default_factory=dict)
    service: str | None = None
    service_version: int | None = None

    @property
    def transaction(self) -> tuple[str, str] | None:
        """The merchant and its own id for the question, if it gave one."""
        return (self.merchant, self.transaction_id) if self.transaction_id else None

    @property
    def grantee(self) -> str | None:
        """The name under which a person consents to the service."""
        return services.service_name(self.merchant, self.service) if self.service else None

    def same_as(self, other: "EligibilityQuestion") -> bool:
        """Whether both ask the same. The version of the service does not count: the merchant does not choose it."""
        return self._content() == other._content()

    def _content(self) -> tuple[object, ...]:
        terms = self.service or (self.perk, self.currency)
        context = json.dumps(dict(self.context), sort_keys=True)  # as text, because in Python True equals 1
        return self.subject, terms, self.amount, context

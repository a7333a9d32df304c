"""Consents in force, and the evidence that they cover."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import polars as pl

from graph.evidence.vocabulary import CLASSES, LINK_KIND, EventVocabulary, Scope

CONSENT_KINDS: Final = ("consent.granted", "consent.withdrawn")
ORDER: Final = "append order"
RECENCY_KEY: Final = ("happened_at", "recorded_at", ORDER)
SIDES: Final = ("for_subject", "for_other")
Consenting = Callable[[str, str], pl.Expr]  # a column with a party, and a class


def latest_consents(statements: pl.DataFrame, as_of: datetime, purpose: str, service: str | None) -> pl.DataFrame:
    """Return the consents in force. `statements` are already cut at both moments, without retracted ones."""
    for_service = pl.col("service").is_null() if service is None else pl.col("service").fill_null(service) == service
    consents = (
        statements.filter(pl.col("kind").is_in(CONSENT_KINDS), pl.col("purpose") == purpose, for_service)
        .sort(RECENCY_KEY)
        .select(
            "kind", "until", person="subject", classes=pl.col("classes").cast(pl.String).fill_null(",".join(CLASSES))
        )
    )
    texts = {text: text.split(",") for text in consents["classes"].unique()}
    is_open = (pl.col("kind") == "consent.granted") & (pl.col("until").is_null() | (pl.col("until") > as_of))
    # With codes for people there are many: a class takes one byte.
    names = sorted({*CLASSES, *(name for listed in texts.values() for name in listed)})
    dtype = pl.Enum(names) if consents["person"].dtype.is_integer() else pl.String()
    tables = [
        consents.lazy()
        .filter(pl.col("classes").is_in([text for text, listed in texts.items() if name in listed]))
        .unique("person", keep="last", maintain_order=False)
        .filter(is_open)
        .select("person", data_class=pl.lit(name, dtype))
        .collect()
        for name in names
    ]
    return pl.concat(tables)


def consenting_parties(consents: pl.DataFrame) -> Consenting:
    """Return a test whether the party in a column consents to a class.

    Codes are positions in a mask: we build no set of everyone for each part of the evidence.
    """
    parties = {c: consents.filter(pl.col("data_class") == c)["person"] for c in CLASSES}
    if not consents["person"].dtype.is_integer():
        ids = {c: people.implode() for c, people in parties.items()}
        return lambda party, data_class: pl.col(party).is_in(ids[data_class]).fill_null(False)
    nobody = int(consents["person"].max() or 0) + 1  # type: ignore[arg-type]  # a code beyond all that consent
    nowhere = pl.repeat(False, nobody + 1, eager=True)
    masks = {c: nowhere.clone().scatter(people, True) if people.len() else nowhere for c, people in parties.items()}
    return lambda party, data_class: (
        pl.lit(masks[data_class]).gather(pl.col(party).clip(upper_bound=nobody)).fill_null(False)
    )


def filter_consenting(evidence: pl.LazyFrame, agrees: Consenting, vocabulary: EventVocabulary) -> pl.LazyFrame:
    """Add `SIDES`, for whom each row counts, and drop the rows that count for nobody."""
    kind = pl.col("kind")

    def of(data_class: str, *scopes: Scope) -> pl.Expr | None:
        names = [
            k for k in vocabulary.kinds_of(data_class, *scopes) if k != LINK_KIND
        ]  # a link is no row of `evidence`
        return kind.is_in(names) if names else None

    for_both, for_subject, for_other = list[pl.Expr](), list[pl.Expr](), list[pl.Expr]()
    for c in CLASSES:
        if (both := of(c, "both")) is not None:
            for_both.append(both & agrees("subject", c) & agrees("other", c))
        if (single := of(c, "subject", "each")) is not None:
            for_subject.append(single & agrees("subject", c))
        if (each := of(c, "each")) is not None:
            for_other.append(each & agrees("other", c))
    sides = evidence.with_columns(
        pl.any_horizontal(pl.lit(False), *for_both, *for_subject).alias("for_subject"),
        pl.any_horizontal(pl.lit(False), *for_both, *for_other).alias("for_other"),
    )
    return sides.filter(pl.any_horizontal(SIDES))

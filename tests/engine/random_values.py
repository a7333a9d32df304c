"""Define the names of random rule files: attributes of every type, with the values near which rules and people cluster."""

from engine.lang.model.types import (
    DATE,
    DAYS,
    MAX_INTEGER,
    MOMENT,
    STRING,
    Attribute,
    Schema,
    Type,
    Value,
    parse_scaled,
)
from tests.engine.small_rules import DAY

BOOL = Type("bool")
COLOURS = ("red", "green", "blue")
FEATURES = {
    "a.count": Type("int", 0, (), -20, 1_000),
    "a.other": Type("int", 0, (), 0, 10**12),
    "a.huge": Type("int", 0, (), -MAX_INTEGER, MAX_INTEGER),
    "b.ratio": Type("decimal", 2, (), -500, 10**9),
    "b.share": Type("decimal", 3, (), 0, 1_000),
    "c.since": Type("date", 0, (), -20_000, 60_000),
    "c.until": Type("date", 0, (), -20_000, 60_000),
    "c.seen": Type("timestamp", 0, (), -(10**10), 10**10),
    "f.span": Type("duration", 0, (), -100, 40_000),
    "f.wait": Type("duration", 0, (), 0, 10**10, 1),
    "d.flag": BOOL,
    "d.sign": BOOL,
    "e.kind": Type("enum", 0, COLOURS),
    "e.tone": Type("enum", 0, ("blue", "red", "white")),
    "e.size": Type("enum", 0, ("s", "m")),
    "g.town": STRING,
    "g.home": STRING,
    "m.yuan": Type("money", 2, (), -(10**6), 10**9, currency="CNY"),
    "m.yen": Type("money", 0, (), 0, 10**9, currency="JPY"),
    "m.dinar": Type("money", 3, (), 0, 10**9, currency="KWD"),
    "m.unidad": Type("money", 4, (), 0, 10**9, currency="CLF"),
}
RATES = {
    "kind": "rates",
    **{"base": "CNY", "date": "2024-03-01", "rates": {"JPY": "plain 0.0482", "KWD": "plain 23.4", "EUR": "plain 7.5"}},
}
RELATED = {"h.degree": Type("int", 0, (), 0, 1_000), "h.close": BOOL, "h.circle": Type("enum", 0, COLOURS)}
FLAGS = {"watch.busy": BOOL, "watch.bound": BOOL}  # of `random_releases.WATCH`; the second one is of relationships
REQUEST = {
    "request.nights": Type("int", 0, (), 1, 60),
    "request.rate": Type("decimal", 2, (), 0, 900_000),
    "request.starts": DATE,
    "request.at": MOMENT,
    "request.notice": DAYS,
    "request.town": STRING,
    "request.view": Type("enum", 0, ("sea", "garden", "red")),
    "request.late": BOOL,
    "request.fee": Type("money", 2, (), 0, 10**6, currency="CNY"),
}
AMOUNT = Type("money", 2, (), 0, 10**13, currency="CNY")
SCHEMA: Schema = {n: Attribute(n, t, "behaviour") for n, t in FEATURES.items()} | {
    n: Attribute(n, t, "relationship") for n, t in RELATED.items()
}

# Days on which lines and entries of lists begin or end. Some entries end on a day of their own, within a program's
# period. We decide about people on the days before, of and after them.
CHANGES = ("2024-02-10", "2024-03-01", "2024-03-02", "2024-06-30")
ENDS = (*CHANGES, "2024-04-15")
ON_DAYS = tuple(int(parse_scaled(day, DATE) or 0) for day in ENDS)
assert DAY in ON_DAYS

DATES = ["1969-12-31", "1996-02-29", *CHANGES]
TOWNS = ["Oslo", "oslo", "Łódź 8", "it's", "a,b", "x" * 128]
ANCHORS = {
    "a.count": ["-20", "0", "3", "7", "1000"],
    "a.other": ["0", "5", "1000000", "1000000000000"],
    "a.huge": ["-9007199254740990", "0", "2147483648", "9007199254740990"],
    "b.ratio": ["-5", "0.85", "1.5", "100.01"],
    "b.share": ["0", "0.5", "0.999", "1"],
    "c.since": DATES,
    "c.until": DATES,
    "c.seen": ["1969-12-31T23:59:59Z", "2024-03-01T00:00:00Z", "2024-03-01", "2024-03-01T12:00:00Z"],
    "f.span": ["-1d", "0d", "30d", "90d", "48h"],
    "f.wait": ["0s", "36h", "30d", "1s"],
    "g.town": TOWNS,
    "g.home": TOWNS,
    "h.degree": ["0", "1", "3"],
    "as_of": DATES,
    "request.nights": ["1", "7", "60"],
    "request.rate": ["0", "0.05", "99.99"],
    "request.starts": DATES,
    "request.at": ["2024-03-01T00:00:00Z", "2024-03-01"],
    "request.notice": ["0d", "7d", "30d"],
    "request.town": TOWNS,
    "request.amount": ["100 CNY", "500.00 CNY", "1000 CNY", "20000 JPY"],
    "request.fee": ["0 CNY", "9.99 CNY", "100 JPY"],
    "m.yuan": ["-100 CNY", "0 JPY", "631.00 CNY", "640 CNY", "2000 JPY", "12.345 KWD", "1 EUR"],
    "m.yen": ["0 JPY", "100000 JPY", "50.01 CNY"],
    "m.dinar": ["0 KWD", "1.001 KWD", "99999 JPY", "7 CLF"],
    "m.unidad": ["0.0001 CLF", "36.5 CLF", "8 CNY"],
}
# The attributes of each list. Its entries are among the anchors of the first one, or these words.
LISTS = {
    "towns": ("g.town", "g.home", "request.town"),
    "days": ("c.since", "c.until", "as_of", "request.starts"),
    "counts": ("a.count",),
    "ratios": ("b.ratio",),
    "moments": ("c.seen",),
    "spans": ("f.span",),
    "colours": ("e.kind", "e.tone", "h.circle"),
    "yes": ("d.flag", "d.sign", "request.late"),
}
ENTRIES = {"colours": ["red", "blue"], "yes": ["true", "false"]}


def values(name: str, type_: Type) -> list[Value | None]:
    """The values of people: missing, every anchor, its neighbours, and the bounds."""
    if type_.kind == "bool":
        return [None, True, False]
    if type_.textual:
        return [None, *(type_.values or [*TOWNS, "", "never named"])]
    anchors = [parse_scaled(a, type_) for a in ANCHORS[name]]
    near = {a + d for a in anchors if a is not None for d in (-1, 0, 1)} | {type_.low, type_.high}
    return [None, *sorted(v for v in near if type_.low <= v <= type_.high)]

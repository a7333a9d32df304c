"""PKDD'99 as events: accounts, transactions and loans of a real Czech bank, 1993-98.

Source: P. Berka, Guide to the Financial Data Set, PKDD'99 Discovery Challenge, 1999. Files `account`, `client`, `disp`,
`loan`, `trans_preloan` and `trans_1993-01_to_1994-03`, each `.asc` or `.asc.gz`, as published. Our choices:

- *Clients* are the people (`client-1`). They enrol at 00:00 UTC on the day of their earliest account with identity
  level 2 (a bank saw a document). The data contain no consent: we assume that all consented at enrolment, for `perks`,
  to every data class; pass `restricted_consent=False` to leave the restricted class out.
- *Owner and disponent* of one account are one household from the account's day on (an assumption: `disp` is undated).
- *Transactions* belong to the owner and have a day but no time: we take 12:00 UTC. Everything else is at 00:00, so that
  a view as of a loan's day, 00:00, less a microsecond holds exactly the events dated before it. The two files overlap;
  we take each trans_id once.
- *The other party* is the account at the other bank (`bank-YZ-87144583`) if one is named, else one shared node:
  `cash-desk` (deposits and withdrawals), `card-shops` (card payments, whose shop is not named), `berka-bank` (fees and
  interest), `unnamed` (the rest).
- *Category* is taken from k_symbol, else from the operation. A credit from another bank without a symbol is `wage`: it
  is the regular monthly income of most accounts, although the data do not name it so. A card withdrawal is `shopping`.
  SIPO, the household payment, is `housing`, also if it was paid in cash.
- `SANKC. UROK`, interest for a negative balance, is a missed obligation (`overdraft-<account>`), not a payment.
- We leave out `UVER`, the instalment of the account's own loan, because it reveals the label of the loan.
- *Balance*: one per account and day, of the owner, after the day's last transaction. The order within a day is not that
  of the file: transactions chain (balance before + amount = balance after), and the last is the one from whose balance
  no other transaction of that day starts. That leaves 10 of 77,169 days undecided; there we take the last in file
  order.
- *Loans* open an obligation due after their duration. Their status is a label and never an event.
- We do not use district, birth_number (it holds age and sex), cards, or standing orders (undated, they hold the
  instalment of loans not yet granted).
"""

from pathlib import Path
from typing import Final

import polars as pl

from graph.datasets.table import money, null_outside, parse, read, scaled_integer
from graph.evidence.events import MAX_AMOUNT, UTC_MICROSECONDS, conform
from graph.evidence.vocabulary import CLASSES

FOLDER: Final = "berka"
CURRENCY: Final = "CZK"
CONTRIBUTOR: Final = "berka"

_TRANSACTIONS: Final = ("trans_preloan.asc", "trans_1993-01_to_1994-03.asc")
_TRANSACTION_COLUMNS: Final = (
    *("trans_id", "account_id", "date", "type", "operation", "amount", "balance", "k_symbol", "bank", "account"),
)
_INCOMING: Final = "PRIJEM"
_OVERDRAWN: Final = "SANKC. UROK"
_OWN_LOAN: Final = "UVER"
_CATEGORY_BY_SYMBOL: Final = {
    "SIPO": "housing",
    "POJISTNE": "insurance",
    "DUCHOD": "pension",
    "SLUZBY": "fees",
    "UROK": "interest",
}
_CATEGORY_BY_OPERATION: Final = {
    "VKLAD": "cash",
    "VYBER": "cash",
    "VYBER KARTOU": "shopping",
    "PREVOD Z UCTU": "wage",
    "PREVOD NA UCET": "transfer",
}
_CHANNEL_BY_OPERATION: Final = {"VKLAD": "cash", "VYBER": "cash", "VYBER KARTOU": "card"}
_BANK_ITSELF: Final = ("SLUZBY", "UROK")
_NODE_BY_OPERATION: Final = {"VKLAD": "cash-desk", "VYBER": "cash-desk", "VYBER KARTOU": "card-shops"}
_MAX_LOAN_MONTHS: Final = 1_200  # months
_ROUNDING_TOLERANCE: Final = (
    100  # haler; the bank books tenths of a crown, and the balances in the file drift by less than a crown
)


def events(folder: Path, *, restricted_consent: bool = True) -> pl.DataFrame:
    """Return all events of the data set in `folder`, in the columns of `graph.evidence.events.SCHEMA`, by time and then
    event_id.

    Amounts are in haler. Raises SourceError for a missing file or column, or an invalid value.
    """
    accounts, disp = _accounts(folder), _table(folder, "disp.asc", ("disp_id", "client_id", "account_id", "type"))
    holdings = disp.join(accounts, on="account_id").with_columns(person=_person())
    owners = holdings.filter(pl.col("type") == "OWNER").select("account_id", "person")
    transactions = _transactions(folder).join(owners, on="account_id").with_columns(at=_at("date", hour=12))
    loans = _loans(folder).join(owners, on="account_id")
    classes = [c for c in CLASSES if restricted_consent or c != "restricted"]
    parts = (
        *_people(folder, holdings, classes),
        _households(holdings, owners),
        _payments(transactions),
        _missed_obligations(transactions),
        _balances(transactions),
        _opened_loans(loans),
    )
    frame = pl.concat([conform(p.with_columns(contributor=pl.lit(CONTRIBUTOR))) for p in parts])
    return frame.sort("happened_at", "event_id")


def labels(folder: Path) -> pl.DataFrame:
    """Return the outcome of loans: `person` (the account's owner), `loan`, `date`, `bad` (status B or D). Only loans
    with a status.
    """
    disp = _table(folder, "disp.asc", ("client_id", "account_id", "type")).filter(pl.col("type") == "OWNER")
    loans = _loans(folder, "status").filter(pl.col("status") != "")
    bad = pl.col("status").is_in(["B", "D"])
    return (
        loans.join(disp, on="account_id")
        .select(_person().alias("person"), loan="loan_id", date="date", bad=bad)
        .sort("date", "loan")
    )


def _table(folder: Path, name: str, columns: tuple[str, ...]) -> pl.DataFrame:
    return read(folder, name, columns, separator=";")


def _person() -> pl.Expr:
    return "client-" + pl.col("client_id")


def _at(column: str, hour: int = 0) -> pl.Expr:
    return pl.col(column).cast(UTC_MICROSECONDS) + pl.duration(hours=hour)


def _date() -> pl.Expr:
    """Parse YYMMDD; all dates are in the 1990s."""
    return ("19" + pl.col("date")).str.to_date("%Y%m%d", strict=False)


def _months() -> pl.Expr:
    return null_outside(scaled_integer("duration", 0), 1, _MAX_LOAN_MONTHS)


def _accounts(folder: Path) -> pl.DataFrame:
    return parse(_table(folder, "account.asc", ("account_id", "date")), "account.asc", date=_date())


def _loans(folder: Path, *more: str) -> pl.DataFrame:
    loans = _table(folder, "loan.asc", ("loan_id", "account_id", "date", "amount", "duration", *more))
    return parse(loans, "loan.asc", date=_date(), amount=money("amount"), duration=_months())


def _transactions(folder: Path) -> pl.DataFrame:
    """Return every transaction once, with its `line`: its position in the files, one after the other."""
    files = []
    for name in _TRANSACTIONS:
        raw = _table(folder, name, _TRANSACTION_COLUMNS)
        files.append(parse(raw, name, date=_date(), amount=money("amount"), balance=money("balance", low=-MAX_AMOUNT)))
    return pl.concat(files).unique("trans_id", keep="first", maintain_order=True).with_row_index("line")


def _people(folder: Path, holdings: pl.DataFrame, classes: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    first = holdings.group_by("client_id", "person").agg(pl.col("date").min())
    clients = first.join(_table(folder, "client.asc", ("client_id",)), on="client_id", how="semi")
    base = clients.select("client_id", subject="person", happened_at=_at("date"))
    enrolled = base.with_columns(
        kind=pl.lit("person.enrolled"), event_id="enrol-" + pl.col("client_id"), identity_level=2
    )
    consented = base.with_columns(
        kind=pl.lit("consent.granted"),
        event_id="consent-" + pl.col("client_id"),
        purpose=pl.lit("perks"),
        classes=pl.lit(",".join(classes)),
    )
    return enrolled, consented


def _households(holdings: pl.DataFrame, owners: pl.DataFrame) -> pl.DataFrame:
    second = holdings.filter(pl.col("type") != "OWNER").join(owners.rename({"person": "owner"}), on="account_id")
    return second.select(
        event_id="house-" + pl.col("disp_id"),
        kind=pl.lit("tie.formed"),
        subject="owner",
        other="person",
        happened_at=_at("date"),
        tie=pl.lit("household"),
    )


def _payments(transactions: pl.DataFrame) -> pl.DataFrame:
    symbol, operation, incoming = pl.col("k_symbol"), pl.col("operation"), pl.col("type") == _INCOMING
    has_account = (pl.col("bank") != "") & (pl.col("account") != "")
    other = (
        pl.when(symbol.is_in(_BANK_ITSELF)).then(pl.lit("berka-bank"))
        .when(has_account).then(pl.concat_str(pl.lit("bank"), "bank", "account", separator="-"))
        .otherwise(operation.replace_strict(_NODE_BY_OPERATION, default="unnamed"))
    )  # fmt: skip
    by_symbol = symbol.replace_strict(_CATEGORY_BY_SYMBOL, default=None, return_dtype=pl.String)
    by_operation = operation.replace_strict(_CHANNEL_BY_OPERATION, default="transfer")
    rows = transactions.filter(~symbol.is_in([_OVERDRAWN, _OWN_LOAN])).with_columns(other=other)
    return rows.select(
        event_id="trans-" + pl.col("trans_id"),
        kind=pl.lit("payment.made"),
        subject=pl.when(incoming).then("other").otherwise("person"),
        other=pl.when(incoming).then("person").otherwise("other"),
        happened_at="at",
        amount="amount",
        currency=pl.lit(CURRENCY),
        category=by_symbol.fill_null(operation.replace_strict(_CATEGORY_BY_OPERATION, default="other")),
        channel=pl.when(symbol.is_in(_BANK_ITSELF)).then(pl.lit("transfer")).otherwise(by_operation),
    )


def _missed_obligations(transactions: pl.DataFrame) -> pl.DataFrame:
    return transactions.filter(pl.col("k_symbol") == _OVERDRAWN).select(
        event_id="trans-" + pl.col("trans_id"),
        kind=pl.lit("obligation.missed"),
        subject="person",
        happened_at="at",
        obligation="overdraft-" + pl.col("account_id"),
        amount="amount",
        currency=pl.lit(CURRENCY),
    )


def _balances(transactions: pl.DataFrame) -> pl.DataFrame:
    day = ("account_id", "date")
    signed = pl.when(pl.col("type") == _INCOMING).then("amount").otherwise(-pl.col("amount"))
    before = transactions.select(*day, later="line", start=pl.col("balance") - signed)
    followed = transactions.select(*day, "line", "balance").join(before, on=day).filter(
        (pl.col("line") != pl.col("later")) & ((pl.col("start") - pl.col("balance")).abs() <= _ROUNDING_TOLERANCE)
    )  # fmt: skip
    last = ~pl.col("line").is_in(followed["line"].unique().implode())
    closing = transactions.sort(last, "line").group_by(day, maintain_order=True).last()
    return closing.select(
        event_id=pl.concat_str(pl.lit("balance"), "account_id", pl.col("date").dt.strftime("%y%m%d"), separator="-"),
        kind=pl.lit("account.balance"),
        subject="person",
        happened_at="at",
        amount="balance",
        currency=pl.lit(CURRENCY),
    )


def _opened_loans(loans: pl.DataFrame) -> pl.DataFrame:
    return loans.select(
        event_id="loan-" + pl.col("loan_id"),
        kind=pl.lit("obligation.opened"),
        subject="person",
        happened_at=_at("date"),
        obligation="loan-" + pl.col("loan_id"),
        amount="amount",
        currency=pl.lit(CURRENCY),
        due=pl.col("date").dt.offset_by(pl.concat_str(pl.col("duration").cast(pl.String), pl.lit("mo"))),
    )

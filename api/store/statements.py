"""Statements of SQLAlchemy Core that both databases run, compiled once for each.

Three constructs differ between SQLite and PostgreSQL: a condition on a list (`is_any_of`), a look-up of each key of a list
in an index (`look_up`, `look_up_keys`), and an insertion that skips existing rows (`insert_missing`).
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    BindParameter,
    Boolean,
    ColumnElement,
    CompoundSelect,
    Delete,
    Dialect,
    FromClause,
    Join,
    Select,
    String,
    Table,
    Update,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

Values = Mapping[str, Any]  # by parameter: texts, integers, or a list of one of them
REPLACES: Final = "replaces"  # in the `info` of a table: a new row takes the place of one with its key
Condition = Callable[[FromClause], ColumnElement[bool]]  # on a table or on an alias of it
DIALECTS: Final[Mapping[str, Dialect]] = {
    "sqlite": SQLiteDialect_pysqlite(paramstyle="named"),
    "postgresql": PGDialect_psycopg(),  # type: ignore[no-untyped-call]
}


@dataclass(frozen=True)
class Query:
    """A statement that is built once, and the values of its parameters in one execution."""

    statement: "Select[Any] | CompoundSelect[Any] | Update | Delete"
    values: Values = field(default_factory=dict)


class ListOf(TypeDecorator[list[Any]]):
    """The type of a parameter that holds a list: an array on PostgreSQL, a JSON text on SQLite."""

    impl = String
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(self.item) if dialect.name == "postgresql" else String())

    def process_bind_param(self, value: list[Any] | None, dialect: Dialect) -> Any:
        return json.dumps(value) if dialect.name == "sqlite" and value is not None else value


def texts(name: str) -> BindParameter[list[str]]:
    """The parameter `name` of an execution: a list of texts."""
    return bindparam(name, type_=ListOf(String()))


def integers(name: str) -> BindParameter[list[int]]:
    """The parameter `name` of an execution: a list of integers."""
    return bindparam(name, type_=ListOf(BigInteger()))


class _IsAnyOf(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> "_IsAnyOf":  # noqa: ARG002
        """The same: SQLAlchemy would append `= 1` for SQLite, which then does not look the items up in an index."""
        return self


def is_any_of(column: ColumnElement[Any], items: BindParameter[Any]) -> ColumnElement[bool]:
    """The condition that a column's value is in a list. One parameter for the whole list: the text of the statement, and so
    the plan that a database keeps of it, is the same for every length.
    """
    return _IsAnyOf(column, items)


@compiles(_IsAnyOf, "postgresql")
def _any_of_array(element: _IsAnyOf, compiler: SQLCompiler, **options: Any) -> str:
    column, items = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({items})"


@compiles(_IsAnyOf, "sqlite")
def _any_of_json(element: _IsAnyOf, compiler: SQLCompiler, **options: Any) -> str:
    column, items = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({items}))"


class _OrderedJoin(Join):
    """A join in which SQLite reads the left side first, regardless of its statistics: it calls this CROSS JOIN."""

    inherit_cache = True


@compiles(_OrderedJoin, "sqlite")
def _cross_join(element: _OrderedJoin, compiler: SQLCompiler, **options: Any) -> str:
    options["asfrom"] = True
    left, right = (compiler.process(side, **options) for side in (element.left, element.right))
    options["asfrom"] = False
    return f"{left} CROSS JOIN {right} ON {compiler.process(element.onclause, **options)}"  # type: ignore[arg-type]


def any_row(_table: FromClause) -> ColumnElement[bool]:
    """The condition that every row meets."""
    return true()


def is_one_of(column: ColumnElement[str], values: Collection[str]) -> ColumnElement[bool]:
    """The condition that a column is one of these constants of the program, written out.

    A database uses a partial index only for a query that states the index's condition without parameters.
    """
    return column.in_([literal_column(f"'{value}'") for value in values])


@lru_cache(64)
def look_up(
    dialect: str, table: Table, columns: tuple[str, ...], by: str, condition: Condition = any_row
) -> Select[Any]:
    """These columns of the rows whose column `by` is in the list `items`, in no order; the other conditions come second.

    We force one index look-up per item: the databases' statistics of a growing table are stale, and would choose a scan.
    """
    if dialect == "sqlite":
        items = func.json_each(texts("items")).table_valued("value", name="k")
        joined = _OrderedJoin(items, table, table.c[by] == items.c.value)
        return select(*(table.c[c] for c in columns)).select_from(joined).where(condition(table))
    items = func.unnest(texts("items")).table_valued("value").render_derived(name="k")
    return _lateral(items, table, columns, (table.c[by] == items.c.value) & condition(table))


@lru_cache(16)
def look_up_keys(dialect: str, table: Table, columns: tuple[str, ...], by: tuple[str, str]) -> Select[Any]:
    """The same for keys of two columns. The parameter `keys` is a JSON text: a list of pairs."""
    each = func.json_each if dialect == "sqlite" else func.json_array_elements
    keys = each(bindparam("keys", type_=JSON)).table_valued("value", name="k")
    if dialect == "postgresql":
        keys = keys.render_derived(name="k")
    first, second = (keys.c.value.op("->>")(literal_column(str(place))) for place in range(2))
    matches = (table.c[by[0]] == first) & (table.c[by[1]] == second)
    if dialect == "sqlite":
        return select(*(table.c[c] for c in columns)).select_from(_OrderedJoin(keys, table, matches))
    return _lateral(keys, table, columns, matches)


def _lateral(keys: FromClause, table: Table, columns: tuple[str, ...], matches: ColumnElement[bool]) -> Select[Any]:
    """For PostgreSQL. It does not merge a subquery with an OFFSET into the query around it."""
    rows = (
        select(*(table.c[c] for c in columns))
        .where(matches)
        .offset(literal_column("0"))
        .correlate(keys)
        .lateral(table.name)
    )
    return select(*(rows.c[c] for c in columns)).select_from(keys.join(rows, true()))


@dataclass(frozen=True)
class Compiled:
    """A statement in the words of one database."""

    dialect: str
    sql: str
    constants: Values  # the parameters that the statement brings along
    columns: tuple[str, ...]  # of its rows

    def bind(self, values: Values) -> dict[str, Any]:
        """All parameters of an execution, as the driver takes them."""
        if self.dialect == "postgresql":
            return {**self.constants, **values}
        return {**self.constants, **{k: json.dumps(v) if isinstance(v, list) else v for k, v in values.items()}}


@lru_cache(512)
def compiled(statement: "Select[Any] | CompoundSelect[Any] | Update | Delete", dialect: str) -> Compiled:
    """The statement for a driver. We keep it by the statement's identity: build each statement once."""
    result = statement.compile(dialect=DIALECTS[dialect], compile_kwargs={"render_postcompile": True})
    constants = {name: value for name, value in result.params.items() if not result.binds[name].required}
    columns = (
        ()
        if isinstance(statement, Update | Delete)
        else tuple(str(column.key) for column in statement.selected_columns)
    )
    return Compiled(dialect, str(result), constants, columns)


@lru_cache(64)
def insertion(table: Table, columns: tuple[str, ...], dialect: str) -> str:
    """The insertion of rows with these columns: on SQLite of one row by its parameters, on PostgreSQL of all rows by the
    parameter `rows`, a JSON list of objects.
    """
    replaces = bool(table.info.get(REPLACES))
    if dialect == "sqlite":
        statement = insert(table).prefix_with("OR REPLACE") if replaces else insert(table)
        return str(statement.inline().compile(dialect=DIALECTS[dialect], column_keys=list(columns)))
    no_row: ColumnElement[Any] = literal_column(f"NULL::{table.name}")
    rows = func.json_populate_recordset(no_row, bindparam("rows", type_=JSON)).table_valued(*columns)
    query = select(*(rows.c[c] for c in columns))
    all_rows = postgresql.insert(table).from_select(columns, query, include_defaults=False)
    if replaces:
        new = {column: all_rows.excluded[column] for column in columns}
        all_rows = all_rows.on_conflict_do_update(index_elements=[c.name for c in table.primary_key], set_=new)
    return str(all_rows.compile(dialect=DIALECTS[dialect]))


def insert_missing(table: Table, dialect: str) -> "sqlite.Insert | postgresql.Insert":
    """An insertion that skips rows whose key exists."""
    statement = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    return statement.on_conflict_do_nothing()

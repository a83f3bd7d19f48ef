"""Conditions on the rows of one index table, composed with SQLAlchemy Core: which rows fit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    FromClause,
    Integer,
    Numeric,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from emr.db.tables.tenant import (
    compartments,
    composites,
    dates,
    identifiers,
    links,
    quantities,
    resources,
    strings,
    tokens,
    words,
)
from emr.records.search.comparing import Element, Fits, amount, period
from emr.records.search.conditions import (
    Composites,
    Dates,
    Identified,
    InPatient,
    Keys,
    Links,
    Quantities,
    Row,
    Strings,
    Words,
)

MOMENT: Final = DateTime(timezone=True)
Hide = Callable[[Element], Element]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of an index table that fit: where they lie, whose they are, since when, and under which conditions."""

    source: FromClause
    pk: Element
    fits: tuple[Fits, ...]
    updated: Element | None = None


def bound(letter: str, slot: int, kind: Any, *, many: bool = False) -> Element:
    """The value of this letter of a condition."""
    return bindparam(f"{letter}{slot}", type_=ARRAY(kind) if many else kind)


def rows_of(condition: Row, *, of_one: bool = False) -> Rows:
    """The rows of a condition. of_one: they will be looked for by the pk of one resource.

    Then its few rows are to be read and compared. PostgreSQL knows nothing of how many rows a key has, so the key is
    written in a way that no index answers, or it might read all of a popular key's rows instead.
    """
    hide = hidden if of_one else _plain
    match condition:
        case Keys():
            return _keys(condition, hide)
        case Links():
            return _links(condition, hide)
        case Identified():
            return _identified(condition)
        case Strings():
            return _strings(condition, hide)
        case _:
            return _others(condition, hide)


def _plain(key: Element) -> Element:
    return key


def hidden(key: Element) -> Element:
    """A number that no index answers."""
    return key + literal_column("0")


def _others(condition: Dates | Quantities | Composites | Words | InPatient, hide: Hide) -> Rows:
    match condition:
        case Dates():
            return _dates(condition, hide)
        case Quantities():
            return _quantities(condition, hide)
        case Composites():
            return _composites(condition, hide)
        case Words(slot):
            table = words.alias()
            queries = cast(bound("q", slot, Text, many=True), ARRAY(TSQUERY))
            return Rows(table, table.c.pk, (table.c.content.op("@@")(any_(queries)),))
        case InPatient(slot):
            table = compartments.alias()
            return Rows(table, table.c.pk, (table.c.patient == local_pk("Patient", bound("i", slot, Text)),))


def _keys(condition: Keys, hide: Hide) -> Rows:
    table = tokens.alias()
    return Rows(table, table.c.pk, keyed(hide(table.c.key), table.c.system, condition), table.c.updated)


def keyed(key: Element, system: Element, condition: Keys) -> tuple[Fits, ...]:
    """A row of `tokens` among those that are asked for."""
    slot = condition.slot
    if condition.one:
        system_asked = bound("s", slot, Integer) if condition.coded else None
        return key == bound("k", slot, BigInteger), of_system(system, system_asked)
    among = key == any_(bound("k", slot, BigInteger, many=True))
    if not condition.coded:
        return among, of_system(system, None)
    pair = key.bitwise_xor(cast(func.abs(system), BigInteger).bitwise_lshift(literal_column("32")))
    return among, pair == any_(bound("m", slot, BigInteger, many=True))


def of_system(system: Element, asked: Element | None) -> Fits:
    """A row of the system that is asked for; of any (None) the one row that stands for the code in its resource.

    No index answers it, so that rows come in the order of their change whatever PostgreSQL takes to be cheaper.
    """
    return system > literal_column("0") if asked is None else func.abs(system) == asked


def _links(condition: Links, hide: Hide) -> Rows:
    table = links.alias()
    return Rows(table, table.c.pk, linked(hide(table.c.path), table.c.target, condition), table.c.updated)


def linked(path: Element, target: Element, condition: Links) -> tuple[Fits, ...]:
    """A link under one of the paths to one of the targets that are asked for."""
    slot = condition.slot
    match condition.reach:
        case "one":
            here = local_pk(bound("t", slot, Text), bound("i", slot, Text))
            return path == bound("p", slot, BigInteger), target == here
        case "elsewhere":
            return path == bound("p", slot, BigInteger), target == bound("h", slot, BigInteger)
        case _:
            return path == any_(bound("p", slot, BigInteger, many=True)), target == any_(targets_of(slot))


def local_pk(kind: Any, key: Element) -> Element:
    """The pk of one resource, or NULL."""
    table = resources.alias()
    return select(table.c.pk).where(table.c.type == kind, table.c.id == key).scalar_subquery()


def targets_of(slot: int) -> Element:
    """The targets of a condition on several links: pks of what is here, and keys of addresses elsewhere."""
    names = (
        func.unnest(bound("t", slot, Text, many=True), bound("i", slot, Text, many=True))
        .table_valued(column("type", Text), column("id", Text), name=f"n{slot}")
        .render_derived()
    )
    table = resources.alias()
    here = select(table.c.pk).select_from(
        names.join(table, and_(table.c.type == names.c.type, table.c.id == names.c.id))
    )
    return func.array_cat(
        func.array(here.scalar_subquery(), type_=ARRAY(BigInteger)),
        bound("h", slot, BigInteger, many=True),
        type_=ARRAY(BigInteger),
    )


def _identified(condition: Identified) -> Rows:
    slot, table = condition.slot, identifiers.alias()
    of_types = table.c.type == any_(bound("t", slot, Text, many=True))
    match condition.lookup:
        case "value":
            return Rows(table, table.c.pk, (of_types, table.c.value == any_(bound("v", slot, Text, many=True))))
        case "system":
            return Rows(table, table.c.pk, (of_types, table.c.system == any_(bound("s", slot, Text, many=True))))
        case _:
            pairs = _unnested(slot, s=Text, v=Text)
            both = and_(table.c.system == pairs.c.s, table.c.value == pairs.c.v)
            return Rows(pairs.join(table, both), table.c.pk, (of_types,))


def _strings(condition: Strings, hide: Hide) -> Rows:
    slot, table = condition.slot, strings.alias()
    key = hide(table.c.key) == any_(bound("k", slot, BigInteger, many=True))
    if condition.match == "exact":
        folded = table.c.value == any_(bound("v", slot, Text, many=True))
        raw = func.coalesce(table.c.raw, table.c.value) == any_(bound("r", slot, Text, many=True))
        return Rows(table, table.c.pk, (key, folded, raw))
    if condition.match == "contains":
        return _among(table, (key,), condition, {"v": Text}, lambda v: func.strpos(table.c.value, v["v"]) > 0)
    return _among(table, (key,), condition, {"l": Text, "h": Text}, lambda v: begins(table.c.value, v["l"], v["h"]))


def begins(value: Element, low: Element, high: Element) -> Fits:
    """Text from `low` up to `high`, letter by letter, which an index of text patterns answers."""
    return and_(value.op("~>=~")(low), value.op("~<~")(high))


def _dates(condition: Dates, hide: Hide) -> Rows:
    table = dates.alias()
    key = hide(table.c.key) == any_(bound("k", condition.slot, BigInteger, many=True))
    return _among(
        table,
        (key,),
        condition,
        {"l": MOMENT, "h": MOMENT},
        lambda v: period(condition.prefix, (table.c.low, table.c.high), (v["l"], v["h"])),
    )


def _quantities(condition: Quantities, hide: Hide) -> Rows:
    table = quantities.alias()
    kinds = {"k": BigInteger, "x": Numeric, "a": Numeric, "b": Numeric}
    return _among(
        table,
        (),
        condition,
        kinds,
        lambda v: and_(
            hide(table.c.key) == v["k"], amount(condition.prefix, (table.c.low, table.c.high), (v["x"], v["a"], v["b"]))
        ),
    )


def _composites(condition: Composites, hide: Hide) -> Rows:
    slot, table = condition.slot, composites.alias()
    fits = [hide(table.c.key) == any_(bound("k", slot, BigInteger, many=True))]
    ends = [(table.c.low, table.c.high)] if len(condition.prefixes) == 1 else [(table.c.low,) * 2, (table.c.high,) * 2]
    for number, (prefix, held) in enumerate(zip(condition.prefixes, ends, strict=False)):
        given = [bindparam(f"{letter}{number}_{slot}", type_=Numeric()) for letter in "xab"]
        fits.append(amount(prefix, held, (given[0], given[1], given[2])))
    if condition.text:
        fits.append(begins(table.c.value, bound("l", slot, Text), bound("h", slot, Text)))
    return Rows(table, table.c.pk, tuple(fits))


def _among(table: FromClause, fits: tuple[Fits, ...], condition: Any, kinds: dict[str, Any], compared: Any) -> Rows:
    """Rows of which one value fits that is asked for: bound as it is when it is the only one."""
    if condition.one:
        given = {letter: bound(letter, condition.slot, kind) for letter, kind in kinds.items()}
        return Rows(table, table.c.pk, (*fits, compared(given)))
    several = _unnested(condition.slot, **kinds)
    return Rows(several.join(table, compared(several.c)), table.c.pk, fits)


def _unnested(slot: int, **kinds: Any) -> Any:
    arrays = [bound(letter, slot, kind, many=True) for letter, kind in kinds.items()]
    columns = [column(letter, kind) for letter, kind in kinds.items()]
    return func.unnest(*arrays).table_valued(*columns, name=f"v{slot}").render_derived()

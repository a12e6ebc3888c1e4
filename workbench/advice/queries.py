"""SQL that is asked again and again: a column without an index, a query for each row of another."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from workbench.advice.evidence import Evidence, Frame, Sample, seconds_of
from workbench.advice.saving import MOST, NEARLY_ALL, opportunity
from workbench.opportunity import Opportunity
from workbench.source import called, own_nodes
from workbench.views import number

_FETCHES = ("fetchone", "fetchall", "fetchmany")
_SELECT = re.compile(r"\s*select\b.*?\bfrom\s+[\"`\[]?(\w+)(.*)", re.IGNORECASE | re.DOTALL)
_WHERE = re.compile(r"\bwhere\b(.*?)(?:\border\b|\bgroup\b|\blimit\b|$)", re.IGNORECASE | re.DOTALL)
_COMPARED = re.compile(r"(?:\w+\.)?[\"`\[]?(\w+)[\"`\]]?\s*(?:=|<|>|\bin\b|\bbetween\b)", re.IGNORECASE)
_TABLE = re.compile(
    r"create\s+(?:temp\w*\s+)?table\s+(?:if\s+not\s+exists\s+)?[\"`\[]?(\w+)[\"`\]]?\s*\((.*)", re.I | re.S
)
_INDEX = re.compile(r"create\s+(?:unique\s+)?index\s.*?\bon\s+[\"`\[]?(\w+)[\"`\]]?\s*\(\s*[\"`\[]?(\w+)", re.I | re.S)
_KEYS = re.compile(r"\s*(?:primary\s+key|unique)\s*\(\s*[\"`\[]?(\w+)", re.I)


class _Query(NamedTuple):
    """A SELECT: where it is executed, of which table, and the columns that its condition compares."""

    place: Frame
    table: str
    columns: tuple[str, ...]


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find the queries that a loop asks one by one."""
    asked: dict[_Query, list[Sample]] = {}
    for sample in seen.samples:
        if (query := _query(seen, sample.place)) is not None and seen.repeats(sample) is not None:
            asked.setdefault(query, []).append(sample)
    for query, samples in asked.items():
        seconds = seconds_of(samples)
        if not seen.is_large(seconds) or not query.columns:
            continue
        tables = _indexed(seen.source.tree(query.place.file))
        if query.table in tables and not tables[query.table] & set(query.columns):
            column = query.columns[0]
            yield opportunity(
                seen, "index", query.place, seconds, NEARLY_ALL,
                what=f"give the column {column} of {query.table} an index",
                why=f"each query looks through all rows of {query.table}: {number(seconds)} s",
                how=f"CREATE INDEX {query.table}_{column} ON {query.table} ({column})",
                hazard="each change of the table keeps the index up to date",
            )  # fmt: skip
        else:
            yield opportunity(
                seen, "one-query", query.place, seconds, MOST,
                what=f"ask {query.table} once for all, with a JOIN or with IN",
                why=f"a loop asks it again and again: {number(seconds)} s",
                how=f"SELECT … FROM {query.table} WHERE {query.columns[0]} IN (…)  # once, before the loop\n"
                    "found = {row[0]: row for row in rows}",
            )  # fmt: skip


def _query(seen: Evidence, place: Frame) -> _Query | None:
    """Return the query that a line executes, or whose rows it fetches."""
    calls = seen.source.calls(place)
    executes = [call for call in calls if called(call)[1] == "execute"]
    if not executes and any(called(call)[1] in _FETCHES for call in calls):
        before = (
            node
            for node in own_nodes(seen.source.function(place))
            if isinstance(node, ast.Call) and called(node)[1] == "execute" and node.lineno < place.line
        )
        executes = sorted(before, key=lambda node: node.lineno)[-1:]
    for call in executes:
        if call.args and (matched := _SELECT.match(_text(seen, place, call.args[0]))):
            table, rest = matched.groups()
            condition = _WHERE.search(rest)
            columns = _COMPARED.findall(condition[1]) if condition else []
            return _Query(
                place._replace(line=call.lineno), table.lower(), tuple(dict.fromkeys(map(str.lower, columns)))
            )
    return None


def _text(seen: Evidence, place: Frame, node: ast.expr) -> str:
    """Return the text of a statement, its parts that are filled in left out; empty where it is not written there."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "?" for part in node.values)
    if isinstance(node, ast.Call):  # text("SELECT …"), "SELECT …".format(…)
        inner = node.func.value if isinstance(node.func, ast.Attribute) else next(iter(node.args), None)
        return _text(seen, place, inner) if isinstance(inner, ast.Constant | ast.JoinedStr) else ""
    values = seen.source.bound(place, node.id) if isinstance(node, ast.Name) else []
    return _text(seen, place, values[0]) if values and isinstance(values[0], ast.Constant | ast.JoinedStr) else ""


def _indexed(tree: ast.Module) -> dict[str, set[str]]:
    """Return the tables that a file makes, each with the columns by which rows are found without looking at all."""
    found: dict[str, set[str]] = {}
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    statements = [statement for text in texts for statement in text.split(";")]
    for statement in statements:
        if made := _TABLE.search(statement):
            columns = found.setdefault(made[1].lower(), {"rowid"})
            for part in made[2].split(","):
                if keys := _KEYS.match(part):
                    columns.add(keys[1].lower())
                elif (words := re.findall(r"\w+", part.lower())) and _is_key(words):
                    columns.add(words[0])
    for statement in statements:
        if (index := _INDEX.search(statement)) and index[1].lower() in found:
            found[index[1].lower()].add(index[2].lower())
    return found


def _is_key(words: list[str]) -> bool:
    return "unique" in words or {"primary", "key"} <= set(words)

"""What a study of an endpoint finds: the kinds of fault, and their words."""

from __future__ import annotations

#: The words by the kind, as they stand in a text; a kind that is not here is told by its name.
WORDS = {
    "n_plus_one_fk": "a query for each row (foreign key)",
    "n_plus_one_reverse": "a query for each row (reverse relation)",
    "n_plus_one_m2m": "a query for each row (many to many)",
    "n_plus_one_nested": "a query for each row of each row (nested)",
    "n_plus_one_template_property": "a query for each row (a property that a template reads)",
    "n_plus_one_serializer": "a query for each row (serializer)",
    "n_plus_one_method_field": "a query for each row (a serializer's method)",
    "n_plus_one_generic": "a query for each row (generic relation)",
    "n_plus_one_inheritance": "a query for each row (inherited model)",
    "n_plus_one_context_processor": "a query for each row (context processor)",
    "n_plus_one_middleware": "a query for each row (middleware)",
    "identical_queries": "the same query again and again",
    "get_in_loop": "a query for each turn of a loop",
    "missing_index_filter": "a filter without an index",
    "missing_index_order": "an order without an index",
    "len_of_queryset": "rows fetched to be counted",
    "bool_of_queryset": "rows fetched to see whether there are any",
    "sum_in_python": "rows fetched to be added up",
    "over_fetching_columns": "wide columns that nobody reads",
    "over_fetching_rows": "rows that nobody reads",
    "deep_offset": "a page far down, reached by counting",
    "reconnects": "a connection to the database for each request",
    "paginator_count": "all rows counted for a page",
    "unused_prefetch": "a prefetch that nobody uses",
    "only_misused": "only() without a column that is read",
    "serial_upstream": "other services asked one after the other",
    "uncached_view": "a page that is the same for all, made each time",
    "uncached_fragment": "a part that is the same for all, made each time",
    "uncached_session": "the session, fetched by each request",
    "no_conditional": "an unchanged answer sent again",
    "no_compression": "an answer that is not compressed",
    "loader_off": "templates compiled by each request",
    "heavy_template": "a costly part of a template",
    "slow_python": "a function that computes",
    "python_serialisation": "rows serialised object by object",
}


def words_for(kind: str) -> str:
    """Return what a kind is called in a text.

    Examples
    --------
    >>> words_for("get_in_loop"), words_for("of_a_later_version")
    ('a query for each turn of a loop', 'of a later version')
    """
    return WORDS.get(kind, kind.replace("_", " "))

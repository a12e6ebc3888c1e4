"""Answers, sessions and templates that are made anew for every request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.endpoint.findings.candidate import Candidate
from workbench.endpoint.findings.trace import Trace, around
from workbench.results import Finding
from workbench.views import number

#: A view that is quicker than this is none to be kept; nor is a part of one; what a hit costs.
LEAST_VIEW_MS, LEAST_MS, HIT_MS = 10.0, 4.0, 0.7
#: A part of a page that is worth attention.
HEAVY = 0.3
#: The share of serialising alone, and of a function that is the same for all, that is worth a change.
OWN, MOST = 0.35, 0.5
#: The share of the time, and the milliseconds, that a function computes by itself which is worth a look.
COMPUTES, COMPUTES_MS = 0.4, 8.0
#: A template that is rendered so often in one page is in a loop.
OFTEN = 50


def view(trace: Trace) -> Iterator[Candidate]:
    """Find pages that are the same for everybody and are made for each."""
    headers = trace.answer["headers"]
    control, vary = headers.get("cache-control", ""), headers.get("vary", "").lower()
    per_user = trace.user is not None or "cookie" in vary or "authorization" in vary or trace.answer["sets_cookie"]
    cached = "max-age" in control or "no-store" in control or "private" in control or "expires" in headers
    if (
        trace.method != "GET"
        or per_user
        or cached
        or trace.writes
        or trace.seen["effects"]
        or not trace.alike
        or trace.seen["upstream"]
        or trace.least_ms < LEAST_VIEW_MS
    ):
        return
    if any("cache.UpdateCacheMiddleware" in name for name in trace.info["middleware"]):
        return
    yield Candidate(
        finding=Finding(
            area="caching",
            kind="uncached_view",
            file=trace.view["file"],
            line=trace.view["line"],
            why=f"nobody is logged in, and every request takes {number(trace.wall_ms)} ms",
            fix="from django.views.decorators.cache import cache_page\n" + _cached(trace.view),
            hazard=f"answers may be a minute old; counted with {trace.hit_rate:.0%} hits",
            **around(trace.hit_rate * (trace.wall_ms - HIT_MS)),
        ),
        patches=(
            {
                "do": "wrap",
                "first": ["django.middleware.cache.UpdateCacheMiddleware"],
                "last": ["django.middleware.cache.FetchFromCacheMiddleware"],
            },
        ),
        share=trace.hit_rate,
    )


def _cached(view: dict[str, Any]) -> str:
    """Write how a view is kept: a class's in the list of URLs."""
    if view["class"]:
        return f"path(…, cache_page(60)({view['name']}.as_view()))  # in urls.py"
    return "@cache_page(60)"


def session(trace: Trace) -> Iterator[Candidate]:
    """Find sessions that are fetched from the database for every request."""
    mine = [query for query in trace.queries if "django_session" in query["sql"] and not query["writes"]]
    if not mine or trace.info["session_engine"] != "django.contrib.sessions.backends.db":
        return
    yield Candidate(
        finding=Finding(
            area="caching",
            kind="uncached_session",
            file=trace.info["session_line"][0],
            line=trace.info["session_line"][1],
            why=f"{len(mine)} query for the session of every request",
            fix='# in the settings:\nSESSION_ENGINE = "django.contrib.sessions.backends.cached_db"',
            hazard="needs a cache that all processes share",
            **around(sum(map(trace.cost_ms, mine))),
        ),
        patches=({"do": "session_engine"},),
    )


def loader(trace: Trace) -> Iterator[Candidate]:
    """Find templates that are read and compiled for every request."""
    if trace.info["cached"] or not trace.seen["nodes"]:
        return
    yield Candidate(
        finding=Finding(
            area="templates",
            kind="loader_off",
            file=trace.info["loaders_line"][0],
            line=trace.info["loaders_line"][1],
            why="the cached template loader is off",
            fix='# in OPTIONS of TEMPLATES:\n"loaders": [("django.template.loaders.cached.Loader", […])]',
            hazard="a changed template shows after a restart",
            **around(_templates_ms(trace) * 0.4),
        ),
        patches=({"do": "cached_loader"},),
    )


def heavy_template(trace: Trace) -> Iterator[Candidate]:
    """Find templates that are included again and again, and take a good part of the time."""
    for node in trace.seen["nodes"]:
        cost = trace.share_ms(node["wall_s"])
        asks = sum(
            query["template"] == node["template"] and query["template_line"] == node["line"] for query in trace.queries
        )
        dear = cost >= max(LEAST_MS, HEAVY * trace.wall_ms)
        if not node["builtin"] and node["times"] >= OFTEN > 2 * asks and dear:
            yield Candidate(
                finding=Finding(
                    area="templates",
                    kind="heavy_template",
                    file=trace.response[0],
                    line=trace.response[1],
                    template=node["template"],
                    template_line=node["line"],
                    why=f"done {node['times']} times, {number(cost)} ms in all",
                    fix="{# do it once, before the loop: #}\n{% … as found %}  {{ found }}"
                    if node["same"]
                    else "{# do in the view, for all at once, what it does for each: #}\n{{ item.made_in_the_view }}",
                    **around(cost * (1 - 1 / node["times"] if node["same"] else 0.8)),
                ),
                patches=(_kept_node(node, once=True),) if node["same"] and trace.info["cached"] else (),
            )
            return


def fragment(trace: Trace) -> Iterator[Candidate]:
    """Find a part of a page for one user that takes a good part of the time, by itself."""
    if trace.user is None or trace.writes:
        return
    for node in trace.seen["nodes"]:
        cost = trace.share_ms(node["wall_s"])
        if not node["builtin"] and node["times"] < OFTEN and cost >= max(LEAST_MS, HEAVY * trace.wall_ms):
            yield Candidate(
                finding=Finding(
                    area="caching",
                    kind="uncached_fragment",
                    file=trace.response[0],
                    line=trace.response[1],
                    template=node["template"],
                    template_line=node["line"],
                    why=f"this part of the page takes {number(cost)} ms",
                    fix="{% load cache %}{% cache 60 name %}\n…{% endcache %}",
                    hazard="only where it is the same for all, or with the user's id as one more word of the tag",
                    **around(trace.hit_rate * (cost - 0.1)),
                ),
                patches=(_kept_node(node, once=False),) if trace.info["cached"] else (),
                share=trace.hit_rate,
                shared=True,
            )
            return


def _kept_node(node: dict[str, Any], *, once: bool) -> dict[str, Any]:
    """Return the patch that keeps what a part of a template makes: for one request, or for all."""
    return {"do": "kept_node", "template": node["template"], "line": node["line"], "node": node["node"], "once": once}


def function(trace: Trace) -> Iterator[Candidate]:
    """Find functions that take most of a page for one user, and that don't know who that is."""
    if trace.writes:
        return
    whole_s = trace.info["calls"]["wall_s"]
    for call in trace.info["calls"]["calls"]:
        cost = call["wall_s"] / whole_s * trace.wall_ms
        if cost >= max(LEAST_MS, MOST * trace.wall_ms) and call["times"] < OFTEN:
            file, line = call["line"]
            yield Candidate(
                finding=Finding(
                    area="caching",
                    kind="uncached_fragment",
                    file=file,
                    line=line,
                    why=f"{call['name']}() takes {number(cost)} ms, and does not know whose page it is",
                    fix=f"from django.core.cache import cache\n{_kept(call)}",
                    hazard=f"what it returns may be a minute old; counted with {trace.hit_rate:.0%} hits",
                    **around(trace.hit_rate * (cost - 0.1)),
                ),
                patches=({"do": "cached_function", "function": call["function"], "name": call["name"]},),
                share=trace.hit_rate,
                shared=True,
            )
            return


def slow_python(trace: Trace) -> Iterator[Candidate]:
    """Find a function of the user's that computes for a good part of the request."""
    for found in trace.info["calls"]["computing"]:
        cost = found["share"] * trace.cpu_ms
        if found["share"] >= COMPUTES and cost >= COMPUTES_MS:
            file, line, name = found["line"]
            times = f", called {found['times']:,} times" if found["times"] > 1 else ""
            yield Candidate(
                finding=Finding(
                    area="python",
                    kind="slow_python",
                    file=file,
                    line=line,
                    why=f"{name}() computes for {number(cost)} ms of {number(trace.wall_ms)}{times}",
                    fix="# which of its lines, and what of it repeats:\nworkbench diagnose file.py:function",
                    predicted_ms=cost / 2,
                    predicted_low=0.0,
                    predicted_high=cost,
                )
            )
            return


def serialisation(trace: Trace) -> Iterator[Candidate]:
    """Find long lists that a serializer turns into plain data field by field."""
    for found in trace.seen["lists"]:
        cost = trace.share_ms(found["wall_s"])
        own = trace.share_ms(trace.seen["parts"].get("serialisation", [0.0])[0])
        if found["rows"] >= 4 * OFTEN and own >= OWN * trace.wall_ms and len(trace.queries) < OFTEN:
            file, line, *_ = found["line"] or (trace.view["file"], trace.view["line"])
            yield Candidate(
                finding=Finding(
                    area="python",
                    kind="python_serialisation",
                    file=file,
                    line=line,
                    why=f"{found['rows']:,} objects are serialised in {number(cost)} ms",
                    fix="# plain fields need neither objects nor a serializer:\nResponse(list(queryset.values(…)))",
                    hazard="validators and methods of the serializer are left out",
                    **around(cost * 0.6),
                )
            )
            return


def _kept(call: dict[str, Any]) -> str:
    """Write the call of a function behind the cache, with its arguments in the key."""
    name = call["name"]
    if call["takes"]:
        return f'cache.get_or_set(f"{name} {{arguments}}", lambda: {name}(arguments), 60)'
    return f'cache.get_or_set("{name}", {name}, 60)'


def _templates_ms(trace: Trace) -> float:
    return trace.share_ms(trace.seen["parts"].get("templates", [0.0, 0.0])[0])

"""One recorded request, as detectors see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: Milliseconds that one more row of a joined or prefetched relation costs, and one more query: of the usual machine.
ROW_MS, QUERY_MS = 0.015, 0.4
#: How far a prediction may be off, either way.
OFF = 0.35
#: Fewer repetitions than this are no loop.
FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What was recorded, and what else detectors need to know.

    Attributes
    ----------
    seen
        What `inside.record.Recorder` found.
    reads
        The same with rows that hold their primary key alone: what is read of them shows.
    wall_ms, cpu_ms
        Medians of unhooked requests.
    least_ms
        What the one took that was disturbed least.
    answer
        Status, bytes and headers of the bare answer.
    alike
        Whether everybody who is not logged in gets the same answer.
    info
        Of the project: ``middleware``, ``session_engine``, ``cached`` (the template loader).
    view
        The function or class that answers: ``file``, ``line``, ``name``.
    selectivity
        Rows of a table and values of a column, by both.
    """

    seen: dict[str, Any]
    wall_ms: float
    cpu_ms: float
    least_ms: float
    answer: dict[str, Any]
    alike: bool
    info: dict[str, Any]
    view: dict[str, Any]
    path: str
    method: str = "GET"
    user: str | None = None
    waits: bool = False
    rtt_s: float = 0.0
    link_bits: float = 20e6
    hit_rate: float = 0.8
    reads: dict[str, Any] | None = None
    selectivity: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)

    @property
    def queries(self) -> list[dict[str, Any]]:
        """The queries, in their order."""
        found: list[dict[str, Any]] = self.seen["queries"]
        return found

    @property
    def fetches(self) -> list[dict[str, Any]]:
        """The fetches of querysets, in their order."""
        found: list[dict[str, Any]] = self.seen["fetches"]
        return found

    @property
    def scale(self) -> float:
        """What a hooked millisecond on the CPU is worth: hooks make everything slower."""
        return min(1.0, self.cpu_ms / float(1e3 * self.seen["cpu_s"]))

    def share_ms(self, seconds: float) -> float:
        """Return what a part of the recorded request's wall time takes of an unhooked one."""
        return float(seconds / self.seen["wall_s"]) * self.wall_ms

    @property
    def writes(self) -> bool:
        """Whether the request changes more than its session."""
        return any(query["writes"] and "django_session" not in query["sql"] for query in self.queries)

    def cost_ms(self, query: dict[str, Any]) -> float:
        """Return what one query costs: CPU with all that goes with it, the wait for the database, the round trip."""
        cpu = query.get("all_cpu_s")
        if cpu is None and query["fetch"] is not None:
            cpu = self.fetches[query["fetch"]]["cpu_s"] + self.fetches[query["fetch"]]["made_s"]
        wait = max(0.0, query["wall_s"] - query["cpu_s"]) if self.waits else 0.0
        return float(max(cpu or 0.0, query["cpu_s"]) * self.scale + wait + self.rtt_s) * 1e3

    def fetch_ms(self, fetch: dict[str, Any]) -> float:
        """Return what fetching one queryset costs."""
        wait = max(0.0, fetch["wall_s"] - fetch["cpu_s"]) if self.waits else 0.0
        return float(fetch["cpu_s"] * self.scale + wait) * 1e3

    def cause(self, query: dict[str, Any]) -> tuple[int, str, str] | None:
        """Return the relation that was followed: the fetch of the object, the path from there, and its kind."""
        fetch = self.fetches[query["fetch"]] if query["fetch"] is not None else None
        found = (fetch and fetch["parent"]) or query["relation"]
        if not found or found[2] == "prefetch":
            return None
        return int(found[0]), str(found[1]), str(found[2])

    def root(self, number: int, path: str) -> tuple[int, str]:
        """Climb from a fetch to the topmost one that gave several objects and whose relations lead here."""
        best = number, path
        while True:
            fetch = self.fetches[number]
            parent = fetch["parent"]
            if not parent or parent[2] == "deferred" or fetch["sliced"] or len(fetch["filters"]) > 1:
                return best
            number, path = int(parent[0]), f"{parent[1]}__{path}"
            if self.fetches[number]["rows"] > 1 or self.fetches[best[0]]["made"] is None:
                best = number, path

    @property
    def response(self) -> tuple[str, int]:
        """The line of the user's that makes the response, else where the view begins."""
        made = self.seen["response"]
        return (made[0], made[1]) if made else (self.view["file"], self.view["line"])

    def place_of(self, fetch: dict[str, Any] | None) -> tuple[str, int]:
        """Return the line that made a queryset, or where the view begins."""
        made = fetch["made"] if fetch else None
        return (made[0], made[1]) if made else (self.view["file"], self.view["line"])


def fetch_of(fetch: dict[str, Any]) -> dict[str, Any]:
    """Return what a patch knows a queryset by: its model, the line that made it and the last one that changed it."""
    return {"model": fetch["model"], "line": fetch["made"], "last": fetch["last"]}


def around(value_ms: float) -> dict[str, Any]:
    """Return a prediction with its interval; what is predicted is never below zero."""
    value = max(0.0, value_ms)
    return {"predicted_ms": value, "predicted_low": value * (1 - OFF), "predicted_high": value * (1 + OFF)}


def by(items: list[Any], key: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Group items in the order of their first."""
    groups: dict[Any, list[Any]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    yield from groups.items()


def most(values: list[Any]) -> Any:
    """Return the commonest value."""
    return max(values, key=values.count)

"""Which functions of the user's take long in a request, and whether they know whose request it is."""

from __future__ import annotations

import cProfile
import pstats
import sys
import time
from typing import Any, Callable, Optional

from .places import OTHER, USER, Places


def computing(places: Places, work: Callable[[], Any]) -> list[dict[str, Any]]:
    """Do some work under cProfile, and return the user's functions by how long they compute by themselves.

    What they call counts as theirs unless it is the user's too, or the framework's: these are told by others.
    """
    profile = cProfile.Profile()
    profile.runcall(work)
    times: dict[tuple[str, int, str], tuple[Any, ...]] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    whole_s = max((cumulative for _, _, _, cumulative, _ in times.values()), default=0.0)
    own_s = {place: known[2] for place, known in times.items() if place[0] != "~" and places.kind(place[0]) == USER}
    for place, (_, _, _, _, callers) in times.items():
        if places.kind(place[0]) == OTHER and "/django/" not in place[0]:
            for caller, (_, _, _, cumulative) in callers.items():
                if caller in own_s:
                    own_s[caller] += cumulative
    hottest = sorted(own_s, key=lambda place: -own_s[place])[:3]
    return [
        {"line": list(place), "share": own_s[place] / whole_s, "times": times[place][1]} for place in hottest if whole_s
    ]


class Calls:
    """Times calls of the user's functions that get nothing of the request, the outermost of them."""

    def __init__(self, places: Places, user: Any) -> None:
        self.places = places
        self.known = {str(user.pk), user.get_username()} if user is not None else set()
        self.found: dict[tuple[str, int, str], dict[str, Any]] = {}
        self._open: Optional[tuple[Any, float]] = None

    def during(self, work: Callable[[], Any]) -> Any:
        """Do some work under a profile function."""
        sys.setprofile(self._profile)
        try:
            return work()
        finally:
            sys.setprofile(None)

    def _profile(self, frame: Any, event: str, _: Any) -> None:
        if event == "call" and self._open is None:
            code = frame.f_code
            if self.places.kind(code.co_filename) == USER and self._is_for_all(frame):
                caller = frame.f_back
                if caller is not None and self.places.kind(caller.f_code.co_filename) == USER:
                    self._open = frame, time.perf_counter()
        elif event == "return" and self._open is not None and self._open[0] is frame:
            wall = time.perf_counter() - self._open[1]
            self._open = None
            key = (frame.f_code.co_filename, frame.f_code.co_firstlineno, frame.f_code.co_name)
            caller = frame.f_back
            found = self.found.setdefault(
                key,
                {
                    "name": key[2],
                    "function": [key[0], key[1]],
                    "takes": frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount > 0,
                    "wall_s": 0.0,
                    "times": 0,
                    "line": [caller.f_code.co_filename, caller.f_lineno],
                },
            )
            found["wall_s"] += wall
            found["times"] += 1

    def _is_for_all(self, frame: Any) -> bool:
        """Say whether a call gets plain values alone, none of them the user's."""
        code = frame.f_code
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        values = [frame.f_locals.get(name) for name in names]
        plain = all(isinstance(value, (str, int, float, bool, type(None))) for value in values)
        return plain and not code.co_name.startswith("<") and not ({str(value) for value in values} & self.known)

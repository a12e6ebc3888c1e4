"""A finding that may be tried, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from workbench.results import Finding


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A finding, and the patches of a child that stand in for its fix; none where it can't be tried.

    Attributes
    ----------
    finding
        As predicted.
    patches
        What `inside.patches.Arm` understands.
    share
        The share of requests that the fix helps: the hit rate of a cache.
    headers
        What a client sends that makes use of the fix.
    on_link
        Whether the time that the answer takes on the link counts.
    shared
        Whether one user gets what was made for another: then a second one is asked, too.
    conditional
        Whether the client has the answer already, and asks whether it has changed.
    """

    finding: Finding
    patches: tuple[dict[str, Any], ...] = ()
    share: float = 1.0
    headers: dict[str, str] = field(default_factory=dict)
    on_link: bool = False
    shared: bool = False
    conditional: bool = False

"""What fetching gives: one row for each URL, in the order of the URLs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    import pandas as pd

INTERRUPTED = "interrupted"

#: The columns of `Fetched.table`.
COLUMNS = ("url", "status", "body", "body_bytes", "elapsed_s", "error", "attempts", "from_cache")


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchRow:
    """What became of one URL.

    Attributes
    ----------
    url : str
        As it was given; the repr of what was given when that was no string.
    status : int or None
        Of the last whole answer; None where there was none.
    body : bytes
        Decoded; empty where no whole answer came.
    elapsed_s : float
        From the moment the URL's turn came (time in the queue doesn't count) until its row was ready; for a row from
        the cache, what the look-up took.
    error : str or None
        One line that says what went wrong, a status of 400 or more included; None for a whole and good answer.
    attempts : int
        How often it was tried; 0 when nothing was sent for it.
    from_cache : bool
        Served from the joblib store.

    Examples
    --------
    >>> FetchRow(url="http://127.0.0.1/", status=200, body=b"hello").ok
    True
    """

    url: str
    status: int | None = None
    body: bytes = field(default=b"", repr=False)
    elapsed_s: float = 0.0
    error: str | None = None
    attempts: int = 0
    from_cache: bool = False

    @property
    def body_bytes(self) -> int:
        """Size of the decoded body."""
        return len(self.body)

    @property
    def ok(self) -> bool:
        """True for a whole answer with a good status."""
        return self.error is None


class Fetched(Sequence[FetchRow]):
    """Rows in the order of the URLs that were asked for.

    Parameters
    ----------
    rows
        One for each URL.
    wall_s
        What the whole call took.

    Examples
    --------
    >>> Fetched([FetchRow(url="http://a.invalid/", error="unknown host 'a.invalid'")], wall_s=0.5)
    Fetched(1 row: 0 ok, 1 failed; 0 bytes in 0.50 s)
    """

    def __init__(self, rows: Iterable[FetchRow], wall_s: float = 0.0) -> None:
        self._rows = tuple(rows)
        self.wall_s = wall_s

    @overload
    def __getitem__(self, index: int) -> FetchRow: ...

    @overload
    def __getitem__(self, index: slice) -> Fetched: ...

    def __getitem__(self, index: int | slice) -> FetchRow | Fetched:
        return Fetched(self._rows[index], self.wall_s) if isinstance(index, slice) else self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def table(self) -> pd.DataFrame:
        """Return a DataFrame, one row for each URL, with the columns `COLUMNS`; an empty result has them too.

        Examples
        --------
        >>> Fetched([FetchRow(url="http://127.0.0.1/", status=200, body=b"hello")]).table()[["status", "body_bytes"]]
           status  body_bytes
        0     200           5
        """
        import pandas as pd

        values = [[getattr(row, name) for name in COLUMNS] for row in self]
        types = {"status": "Int64", "body_bytes": "int64", "elapsed_s": "float64", "attempts": "int64"}
        return pd.DataFrame(values, columns=list(COLUMNS)).astype({**types, "from_cache": "bool"})

    def __repr__(self) -> str:
        return f"Fetched({self._summary()})"

    def _repr_html_(self) -> str:
        errors = Counter(row.error for row in self if row.error is not None).most_common(5)
        items = "".join(f"<li>{count:,} × {escape(error)}</li>" for error, count in errors)
        return f"<p>Fetched {escape(self._summary())}</p>" + (f"<ul>{items}</ul>" if items else "")

    def _summary(self) -> str:
        ok = sum(row.ok for row in self)
        cached = sum(row.from_cache for row in self)
        size = sum(row.body_bytes for row in self)
        parts = [f"{ok:,} ok", f"{len(self) - ok:,} failed"] + ([f"{cached:,} from the cache"] if cached else [])
        rows = "1 row" if len(self) == 1 else f"{len(self):,} rows"
        return f"{rows}: {', '.join(parts)}; {size:,} bytes in {self.wall_s:.2f} s"


class FetchInterrupted(KeyboardInterrupt):
    """Fetching was interrupted by Ctrl-C or by the notebook's stop button; nothing that was fetched is lost.

    Attributes
    ----------
    result : Fetched
        A row for each URL; what was not fetched yet has the error ``interrupted``.

    Examples
    --------
    >>> print(FetchInterrupted(Fetched([FetchRow(url="http://a.invalid/", error="interrupted")])))
    interrupted: 0 of 1 URLs were fetched; the rows are in .result of this exception
    (in a notebook: sys.last_value.result)
    """

    def __init__(self, result: Fetched) -> None:
        fetched = sum(row.error != INTERRUPTED for row in result)
        super().__init__(
            f"interrupted: {fetched:,} of {len(result):,} URLs were fetched; "
            "the rows are in .result of this exception (in a notebook: sys.last_value.result)"
        )
        self.result = result

"""What a remedy is: a way to do the same task faster without changing its code, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, get_args

from workbench.errors import UsageError

Func = Callable[[Any], Any]
#: How `workbench.prediction` sees a remedy; empty for one whose gain it can't predict.
Model = Literal["", "threads", "free threads", "asyncio", "processes", "cluster", "queue", "memo", "compiled"]


class Run(Protocol):
    """A remedy: returns ``func`` of every item, in order.

    It lets an exception of the task through, and raises `workbench.NotApplicableError` for tasks that it can't do.
    ``workers`` None leaves their number to the remedy.
    """

    def __call__(self, func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
        """Do the task."""
        ...


_Run = TypeVar("_Run", bound=Callable[..., list[Any]])


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a remedy says of itself; `remedy` takes the same words.

    Attributes
    ----------
    scales
        ``workers`` matter, so their number is worth a search.
    per_core
        It has a worker for each core unless told otherwise, for they take too long to start for a search.
    assumes
        What must hold for its times to be had; a remedy that assumes something is shown, with that, and never
        recommended.
    pure
        It needs a function whose answer is all that it does, and the same each time.
    in_order
        It does the items one at a time, in this process, so that each can be timed.
    price
        What it costs besides time.
    effort
        How large a change of the code, or of what it runs on, that is beside others, from 1; of two that are as fast
        the smaller is recommended.
    model
        How `workbench.prediction` sees it, a `Model`.
    start_s
        Seconds that getting its workers to work for the first time may take on a slow machine: with less time left it
        is not started.

    Raises
    ------
    UsageError
        A value of another type, an effort below 1 or a model that there is not.
    """

    scales: bool = False
    per_core: bool = False
    assumes: str = ""
    pure: bool = False
    in_order: bool = False
    price: str = ""
    effort: int = 1
    model: Model = ""
    start_s: float = 0.0

    def __post_init__(self) -> None:
        for name, default in _DEFAULTS.items():
            if type(getattr(self, name)) is not type(default):
                raise UsageError(f"{name}={getattr(self, name)!r}: pass a {type(default).__name__}")
        if self.effort < 1:
            raise UsageError(f"effort={self.effort}: pass 1 or more")
        if self.model not in get_args(Model):
            raise UsageError(f"there is no model {self.model!r}; there are {', '.join(get_args(Model)[1:])}")

    @staticmethod
    def of(run: Run) -> Traits:
        """Return what a remedy says of itself; the defaults where it says nothing."""
        traits: Traits = vars(run).get("traits", NO_TRAITS) if hasattr(run, "__dict__") else NO_TRAITS
        return traits


_DEFAULTS = {name: item.default for name, item in Traits.__dataclass_fields__.items()}
NO_TRAITS = Traits()


def remedy(
    *,
    scales: bool = False,
    per_core: bool = False,
    assumes: str = "",
    pure: bool = False,
    in_order: bool = False,
    price: str = "",
    effort: int = 1,
    model: Model = "",
    start_s: float = 0.0,
) -> Callable[[_Run], _Run]:
    """Mark a function ``run(func, items, *, workers=None) -> list`` as a remedy, with what it says of itself.

    Parameters
    ----------
    scales, per_core, assumes, pure, in_order, price, effort, model, start_s
        See `Traits`.

    Returns
    -------
    Callable
        A decorator that returns the function itself.

    Raises
    ------
    TypeError
        An unknown word.
    UsageError
        A value that a trait can't have.

    Examples
    --------
    >>> @remedy(price="nothing at all")
    ... def backwards(func, items, *, workers=None):
    ...     return [func(item) for item in items[::-1]][::-1]
    >>> backwards.traits.price
    'nothing at all'
    >>> remedy(scale=True)
    Traceback (most recent call last):
    TypeError: remedy() got an unexpected keyword argument 'scale'
    """
    traits = Traits(
        scales=scales, per_core=per_core, assumes=assumes, pure=pure,
        in_order=in_order, price=price, effort=effort, model=model, start_s=start_s,
    )  # fmt: skip

    def mark(run: _Run) -> _Run:
        vars(run)["traits"] = traits
        return run

    return mark


@dataclass(frozen=True)
class Remedy:
    """A remedy by its name in a comparison."""

    name: str
    run: Run

    @property
    def traits(self) -> Traits:
        """What it says of itself."""
        return Traits.of(self.run)

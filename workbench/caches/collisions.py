"""Keys that are crafted to collide, found out before a dict or set is made of them: each would look at all the others.

Texts and bytes can't be crafted so: Python's hash of them is another in every process. That of a number is not, nor
that of a tuple of numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Of so few keys a dict or set is made as it comes: each looks at half of the others at worst.
FEW = 512
#: So many places a key may look at, on average; random ones look at 2, and multiples of 2**32 at up to 100.
MOST_LOOKS = 128
#: Below so many keys this may be more: it takes no time.
_NOT_MANY = 4_096
#: The last ones may look as long as they want.
_LAST = 32
#: What a step of NumPy takes besides, in looks.
_STEP = 500
#: A set looks at so many places in a row before it jumps; a dict at one.
_RUN = 10


def refuse_colliding(keys: Collection[Hashable], *, in_set: bool = False) -> None:
    """Raise ValueError if it would take too long to make a dict, or a set, of some keys.

    Examples
    --------
    >>> refuse_colliding(range(0, 2**40, 2**28))
    >>> refuse_colliding([number * (2**61 - 1) for number in range(2000)])
    Traceback (most recent call last):
    ValueError: its keys are crafted to collide
    """
    if len(keys) <= FEW or {*map(type, keys)} <= {str, bytes}:
        return
    import numpy as np

    hashes = np.fromiter(map(hash, keys), np.int64, len(keys)).view(np.uint64)
    # A table grows by powers of two when two thirds of it are full, that of a set to up to four times what it needs.
    size = 2 * FEW
    while size < 4 * len(keys):
        if not _find_places(hashes[: size * 2 // 3], size, _RUN if in_set else 1):
            raise ValueError("its keys are crafted to collide")
        size *= 2


def _find_places(hashes: NDArray[np.uint64], size: int, run: int) -> bool:
    """Put keys into a table, as CPython's ``dictobject.c`` and ``setobject.c`` do but all at once; False: gave up."""
    import numpy as np

    mask = np.uint64(size - 1)
    owners = np.full(size, -1, np.int32)
    mine = np.arange(len(hashes), dtype=np.int32)
    rest, place = hashes, hashes & mask
    looks, most_looks, offset = 0, MOST_LOOKS * max(len(hashes), _NOT_MANY), 0
    while looks < most_looks:
        # Where a run would go over the end, a set looks at its first place only.
        at = place + np.uint64(offset) * (place + np.uint64(run - 1) <= mask) if offset else place
        free = owners[at] < 0
        owners[at[free]] = mine[free]  # where several want a place, the last of them has it
        without = owners[at] != mine
        looks += len(mine) + _STEP
        mine, rest, place = mine[without], rest[without], place[without]
        if len(mine) <= _LAST:
            return True
        offset = (offset + 1) % run
        if not offset:
            rest = rest >> np.uint64(5)
            place = (place * np.uint64(5) + rest + np.uint64(1)) & mask
    return False

"""From what was seen to what would pay: opportunities, each with its place, its saving, and how to make the change.

Rules are pure: they read a diagnosis and the text of the lines it names, and measure nothing.

    evidence       a diagnosis as samples of stacks
    saving         the share of some seconds that a change saves
    overlapping    waits one after the other, that could be at the same time
    blocking       calls that stop an event loop
    polling        asking again and again
    scarce         locks, limits and pools that are too small
    cores          threads that take turns; more workers than cores
    messages       pools that send more than they compute; a program for each item
    connecting     connections made anew; slow names and dead addresses; packets held back
    callees        functions of libraries that are known to be dear
    lines          lines whose text shows why they are dear
    again          answers that come again, a file read each time, text that grows by copies
    importing      packages that are imported in vain
    aside          durable writes one by one, garbage
"""

from workbench.advice.advise import RULES, advised

__all__ = ["RULES", "advised"]

"""From what was seen to what would pay: opportunities, each with its place, its saving, and how to make the change.

Rules are pure: they read a diagnosis and the text of the lines it names, and measure nothing.

Evidence is a diagnosis as samples of stacks (`evidence`); the model is the share of some seconds that a change saves
(`saving`), n the number of single waits or of cores:

    rule           finds                                          seen by                          saves
    overlapping    waits one after the other                      waits at a line in a loop        1 - 1/n, 32 at once
                   round trips to a database                      those in a driver's frames       most
                   awaits one at a time                           time with one task awaiting      most
    blocking       calls that stop an event loop                  waits below a task's step        1 - 1/n, 32 at once
    polling        asking again and again                         sleeps or turns of a `while`     sleeps; GIL
    scarce         locks, limits and pools that are too small     waits for locks, busy workers    waits
    cores          threads that take turns; too many of them      waits for the GIL, for cores     1 - 1/n; most
    messages       pools that send more than they compute         time in the pool's frames        nearly all, most
                   a program for each item                        children's number and length     1 - 1/n
    connecting     connections made anew                          time in connecting frames        1 - 1/n
                   slow names, dead addresses, held-back packets  waits for that address           nearly all
    queries        a column without an index, a query a row       SQL in the line, in a loop       nearly all, most
    callees        functions of libraries known to be dear        time below their frames          as measured for each
    lines, loops   text that shows why a line is dear             time of the line, or its loop    nearly all
    again          answers that come again, copies that grow      time of the function or line     nearly all, most
    importing      packages that are imported in vain             time below the import system     nearly all
    aside          durable writes one by one, garbage             waits for the disk; gc's own     1 - 1/n; most

`fault` is what the text of a line shows; `patterns` reads regular expressions. What was not counted is "up to" what
looks at random moments leave open; the constants are checked by `benchmarks/bench_advice.py` against programs in which
the change was made.
"""

from workbench.advice.advise import RULES, advised

__all__ = ["RULES", "advised"]

"""The observer: a small process of its own that watches a running Python process from outside.

It holds no lock of the studied process, needs no part of it to run, and starts in a few hundredths of a second because
it imports nothing but a few modules of the standard library and of its own: `workbench.light` runs it.
"""

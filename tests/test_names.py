"""A callable has one name, however it was made."""

import functools
import math

import numpy
import pytest

from workbench.names import find, findable_name, full_name, short_name, shown_name


class Doubler:
    def __call__(self, n):
        return 2 * n

    def double(self, n):
        return 2 * n


def double(n):
    return 2 * n


@functools.wraps(double)
def wrapper(n):
    return double(n)


HERE = __name__


@pytest.mark.parametrize(
    ("func", "shown"),
    [
        (double, f"{HERE}:double"),
        (wrapper, f"{HERE}:double"),
        (functools.lru_cache(double), f"{HERE}:double"),
        (functools.partial(functools.partial(double), 1), f"{HERE}:double"),
        (Doubler(), f"{HERE}:Doubler"),
        (Doubler().double, f"{HERE}:Doubler.double"),
        (Doubler.double, f"{HERE}:Doubler.double"),
        (Doubler, f"{HERE}:Doubler"),
        (lambda n: n, f"{HERE}:<lambda>"),
        (len, "builtins:len"),
        (str.upper, "builtins:str.upper"),
        ("a".upper, "builtins:str.upper"),
        ([].append, "builtins:list.append"),
        (math.isqrt, "math:isqrt"),
        (numpy.add, "numpy:add"),
    ],
)
def test_every_callable_has_a_name_to_show(func, shown):
    assert shown_name(func) == shown
    assert short_name(shown_name(func)) == shown.rpartition(":")[2]


def test_the_programs_own_functions_are_shown_without_a_module_and_found_with_it():
    names = {"__name__": "__main__"}
    exec("def mine(): pass", names)
    assert shown_name(names["mine"]) == "mine"
    assert full_name(names["mine"]) == "__main__:mine"


def test_what_a_name_finds_is_what_was_named():
    for func in (math.isqrt, ValueError, str.upper):
        assert find(findable_name(func)) is func


@pytest.mark.parametrize("func", [lambda n: n, functools.partial(math.isqrt, 4), Doubler(), [].append])
def test_what_no_other_process_finds_is_refused(func):
    with pytest.raises(ValueError, match="put a named function into a module"):
        findable_name(func)

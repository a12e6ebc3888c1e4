"""A bar is drawn for those who see it, and into no pipe or log."""

import io
import sys
from types import SimpleNamespace

import pytest

from workbench import Site, compare, fetch_all
from workbench.progress import in_notebook
from workbench.remedies import twin


class Terminal(io.StringIO):
    def isatty(self):
        return True


def fetching(**options):
    with Site() as site:
        fetch_all([site.url("1"), site.url("2", status=404), site.url("1")], engine="sequential", **options)
    return "/3 "


def comparing(**options):
    compare(abs, [1], {"twin": twin(abs)}, budget_s=1, diagnosis=False, **options)
    return "% of 1 s"


@pytest.mark.parametrize("work", [fetching, comparing])
@pytest.mark.parametrize(
    ("stream", "options", "shown"),
    [
        (Terminal, {}, True),
        (Terminal, {"progress": True}, True),
        (Terminal, {"progress": False}, False),
        (io.StringIO, {}, False),
        (io.StringIO, {"progress": True}, False),
    ],
)
def test_the_bar_is_shown_where_someone_sees_it(monkeypatch, work, stream, options, shown, capsys):
    monkeypatch.setattr(sys, "stderr", stream())
    text = work(**options)
    assert (text in sys.stderr.getvalue()) == shown
    assert shown or not sys.stderr.getvalue()
    assert capsys.readouterr().out == ""


def test_a_notebook_is_known_by_its_kernel(monkeypatch):
    for shell, known in ((None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=object()), True)):
        ipython = SimpleNamespace(get_ipython=lambda shell=shell: shell)
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        assert in_notebook() == known
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()

import io
import sys
from types import SimpleNamespace

import pytest

from workbench import fetch_all
from workbench.tasks.fetch.progress import in_notebook


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "wanted", "shown"),
    [
        (Terminal, None, True),
        (Terminal, False, False),
        (io.StringIO, None, False),
        (io.StringIO, True, True),
    ],
)
def test_the_bar_is_shown_where_someone_sees_it(monkeypatch, fresh, stream, wanted, shown, capsys):
    monkeypatch.setattr(sys, "stderr", stream())
    urls = [fresh(), fresh()]
    fetch_all([*urls, urls[0]], progress=wanted)
    assert ("URL" in sys.stderr.getvalue()) == shown
    assert capsys.readouterr().out == ""


def test_the_bar_counts_every_url_once(monkeypatch, fresh):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    urls = [fresh(), fresh(status=404)]
    fetch_all([*urls, urls[0]], engine="sequential", progress=True)
    assert "/3" in sys.stderr.getvalue()


def test_a_notebook_is_known_by_its_kernel(monkeypatch):
    for shell, known in ((None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=object()), True)):
        ipython = SimpleNamespace(get_ipython=lambda shell=shell: shell)
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        assert in_notebook() == known
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()

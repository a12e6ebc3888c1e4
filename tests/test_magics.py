"""What a person sees in a notebook: the magics and plots in a real kernel."""

from functools import cache
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),  # the first one runs all cells
    pytest.mark.filterwarnings("ignore"),  # of the client's own libraries
]

START = """%load_ext workbench
import asyncio, sys, time
from workbench import compare, diagnose, plot, plot_shares
nap = lambda n: time.sleep(0.01)
runs = []
def counted(n): runs.append(n)
def said(n): runs.append(n); print(n)
d = diagnose(nap, 1)
tasks = {"nap": (nap, [1, 2, 3, 4])}
made = lambda n: nap"""

#: What a line of %compare or %diagnose says when it was written wrongly: what was wrong, and what to type.
MISTAKES = {
    "%compare nap [1,2]": "a comma is missing after the function: %compare nap, [1, 2]",
    "%compare nap [(1, 2), (3, 4)]": "%compare nap, [(1, 2), (3, 4)]",
    "%compare nap (1,2)": "a comma is missing after the function: %compare nap, [1, 2]",
    "%compare nap range(5)": "can't read 'nap range(5)'",
    "%compare nap, 5": "5 is no list of items: pass [5]",
    "%compare nosuch, [1]": "name 'nosuch' is not defined: run the cell that defines it",
    "%compare nosuch [1]": "name 'nosuch' is not defined",
    "%compare nap": "pass items too, to call it with: %compare nap, [1, 2, 3]",
    "%compare nap, []": "there are no items to compare on: pass at least one",
    "%compare nap, 1, 2": "items go into one list: %compare nap, [1, 2]",
    "%compare [1], nap": "[1] is no function",
    "%compare nap, (1 / 0 for _ in 'a')": "the items raise ZeroDivisionError",
    "%compare": "%compare function, items",
    "%endpoint": "%endpoint what? Type %endpoint [-o]",
    "%endpoint -b abc /books/": "-b abc: pass the seconds",
    "%endpoint -p no/such /books/": "there is no project no/such",
    "%endpoint -p nosuch.module:app /books/": "there is no module 'nosuch'",
    "%compare -r magic nap, [1]": "no remedy 'magic' is installed; there are asyncio,",
    "%compare -r threads, memo nap, [1]": "-r threads,: pass names of remedies, without spaces between",
    "%compare -b abc nap, [1]": "-b abc: pass the seconds",
    "%compare -b -3 nap, [1]": "-b -3: pass the seconds",
    "%compare -b": "option -b requires argument: type %compare [-o]",
    "%diagnose nosuch()": "NameError: name 'nosuch' is not defined",
    "%diagnose 1 +": "can't read '1 +'",
    "%diagnose sys.exit(3)": "SystemExit: 3",
    "%diagnose await asyncio.sleep(0, 1 / 0)": "ZeroDivisionError: division by zero",
    "%diagnose -r 0 nap(1)": "-r 0: pass how often",
    "%diagnose -x nap(1)": "option -x not recognized: type %diagnose [-o]",
    "%diagnose": "%diagnose what?",
    "%%diagnose nap(1)\nnap(2)": "put that into the cell",
    "%%diagnose\n# nothing": "There is no statement in it",
}

#: Cells that show something, by a name to speak of them.
SHOWN = {
    "diagnosis": "%diagnose sum(range(100))",
    "history": "_, len(Out), In[-1] == In[len(In) - 1], get_ipython().execution_count == len(In)",
    "braces": "%diagnose nap({'a': 1}) or {1, 2}",
    "prints": "%diagnose said(7)",
    "printed": "runs",
    "prints thrice": "%diagnose -r 3 said(7)",
    "printed thrice": "len(runs)",
    "displays": "%diagnose display(7)",
    "awaits": "%diagnose await asyncio.sleep(0.1)",
    "cell": "%%diagnose\nleft = 7\nprint('in it')\nleft + 1",
    "left": "left",
    "cell raises": "%%diagnose\ntime.sleep(1)\n1 / 0",
    "kept": "sys.last_value.diagnosis.bound_by, sys.last_value.diagnosis.reasons",
    "cell awaits and raises": "%%diagnose\nawait asyncio.sleep(0.1)\n1 / 0",
    "log": "%%diagnose\nimport logging; logging.basicConfig()",
    "logged": "logging.warning('still heard')",
    "returned": "kept = %diagnose -o nap(1)",
    "interrupted": "import signal, threading\nhere = threading.main_thread().ident\n"
    "threading.Timer(0.5, signal.pthread_kill, [here, signal.SIGINT]).start()\n%diagnose time.sleep(20)",
    "comparison": "%compare -r threads -b 3 nap, range(8)",
    "application": "%endpoint -p wsgiref.simple_server:demo_app /",
    "named": "%compare -r threads -b 2 tasks['nap']",
    "pure": "compare(nap, range(40), ['threads'], budget_s=5, progress=False).rows[0].note",
    "list": "[d, d]",
    "figure": "plot(d)",
    "figures": "plot_shares([d, d])",
    "with pyplot": "import matplotlib.pyplot as plt\nplot(d)",
    "a dark style": "with plt.style.context('dark_background'): figure = plot(d)\nfigure.get_facecolor()",
    "inline": "%matplotlib inline\nplot(d)",
    "style": "import matplotlib as mpl\nmpl.rcParams['axes.labelcolor'], plt.get_fignums()",
}


@cache
def outputs() -> dict[str, list[Any]]:
    """Run all cells once; return what each showed, by its source or name."""
    named = {"start": START} | {source: source for source in MISTAKES} | SHOWN
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in named.values()])
    NotebookClient(book, timeout=60, kernel_name="python3", allow_errors=True, coalesce_streams=True).execute()
    return {name: cell.outputs for name, cell in zip(named, book.cells, strict=True)}


def plain(name: str) -> str:
    """Return the text of a cell's only output, which is a value or a result."""
    (output,) = outputs()[name]
    return str(output.data["text/plain"])


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_gets_one_line_that_says_what_to_type(line: str) -> None:
    (output,) = outputs()[line]
    assert output.name == "stderr"
    assert output.text.startswith("UsageError: ")
    assert output.text.count("\n") == 1
    assert MISTAKES[line] in output.text


@pytest.mark.parametrize("name", ["diagnosis", "braces", "awaits"])
def test_a_statement_shows_its_diagnosis_once_and_nothing_else(name: str) -> None:
    (output,) = outputs()[name]
    assert output.output_type == "display_data"
    assert SHOWN[name].removeprefix("%diagnose ") in output.data["text/plain"]
    assert len(output.data["text/plain"]) < 2000


def test_the_history_is_that_of_the_cells() -> None:
    assert plain("history") == "('', 0, True, True)"


def test_a_statement_that_prints_is_run_once_unless_told_how_often() -> None:
    stream, diagnosis = outputs()["prints"]
    assert (stream.text, plain("printed")) == ("7\n", "[7]")
    assert "said(7)" in diagnosis.data["text/plain"]
    assert (outputs()["prints thrice"][0].text, plain("printed thrice")) == ("7\n", "4")
    shown = [output.data["text/plain"] for output in outputs()["displays"]]
    assert shown[0] == "7"
    assert len(shown) == 2


def test_a_cell_runs_once_and_its_value_is_not_echoed() -> None:
    stream, diagnosis = outputs()["cell"]
    assert stream.text == "in it\n"
    assert diagnosis.data["text/plain"].startswith("cell: ")
    assert plain("left") == "7"


@pytest.mark.parametrize("name", ["cell raises", "cell awaits and raises"])
def test_a_cell_that_raises_shows_where_and_no_verdict(name: str) -> None:
    (error,) = outputs()[name]
    assert (error.output_type, error.ename) == ("error", "ZeroDivisionError")
    assert "magics.py" not in "".join(error.traceback)
    assert plain("kept").startswith("('sleep'")


def test_what_was_opened_meanwhile_goes_on_writing() -> None:
    assert "still heard" in outputs()["logged"][0].text


def test_what_is_returned_is_not_shown() -> None:
    assert outputs()["returned"] == []


def test_an_interrupted_statement_shows_where_the_time_went_until_then() -> None:
    diagnosis, error = outputs()["interrupted"]
    assert "bound by sleep" in diagnosis.data["text/plain"]
    assert error.ename == "KeyboardInterrupt"


@pytest.mark.parametrize("name", ["comparison", "named"])
def test_a_comparison_is_its_short_table_and_nothing_of_its_bar_stays(name: str) -> None:
    *bars, output = outputs()[name]
    assert [dict(bar.data) for bar in bars] == [{"text/html": ""}]
    assert output.data["text/plain"].startswith("remedy ")
    assert "threads" in output.data["text/html"]


def test_the_kernel_s_own_writing_is_no_effect_of_a_task() -> None:
    assert "prints" not in plain("pure")
    assert "writes" not in plain("pure")


def test_results_in_a_list_are_short_too() -> None:
    assert plain("list").count("bound by sleep") == 2
    assert "Diagnosis(" not in plain("list")


@pytest.mark.parametrize("name", ["figure", "figures", "with pyplot", "inline"])
def test_a_figure_is_shown_once_as_an_image(name: str) -> None:
    (output,) = outputs()[name]
    assert output.output_type == "execute_result"
    assert "image/png" in output.data
    assert output.data["text/plain"].startswith("<Figure: where the time went: <lambda> (idle)")


def test_nothing_of_matplotlib_is_changed_and_a_style_can_not_hide_a_label() -> None:
    assert plain("style") == "('black', [])"
    assert plain("a dark style") == "(1.0, 1.0, 1.0, 1.0)"


def test_an_application_is_diagnosed() -> None:
    assert "wsgiref.simple_server:demo_app" in plain("application")

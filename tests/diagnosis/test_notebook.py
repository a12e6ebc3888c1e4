"""The magics in a real kernel, whose event loop is running."""

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = [
    "%load_ext workbench\nimport asyncio, time",
    "def from_an_earlier_cell():\n    for _ in range(25_000_000): pass",
    "d = %diagnose -o -r 1 from_an_earlier_cell()\nprint(d.verdict, d.bound_by, d.runs)",
    "%%diagnose\nawait asyncio.sleep(0.4)\nleft_behind = 7",
    "print(left_behind)",
    "from workbench import diagnose\n"
    "async def nap(): await asyncio.sleep(0.6)\n"
    "d = await diagnose(nap)\nprint(d.verdict, d.waits[0].function)",
    "%diagnose -r x 1",
    "import workbench.remedies\nnap = lambda n: time.sleep(0.005)\n"
    "c = %compare -o -r threads -b 4s nap, range(8)\nprint(c.recommended, c.items)",
    "import subprocess\nfrom workbench import Site\nfrom workbench.remedies import sequential\n"
    "async def pause(n): await asyncio.sleep(0.005)\n"
    "def child(n): return subprocess.run(['sleep', '0.005']).returncode\n"
    "with Site(): print([diagnose(sequential, func, range(60)).bound_by for func in (nap, pause, child)])",
    "%compare -r magic nap, [1]",
    "%compare nap",
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the client's own libraries
def test_magics_work_in_a_kernel() -> None:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    NotebookClient(book, timeout=60, kernel_name="python3", allow_errors=True).execute()
    texts = ["".join(output.get("text", "") for output in cell.outputs) for cell in book.cells]
    assert texts[2].split()[::2] == ["CPU-bound", "1"]
    assert "bound by sleep" in book.cells[3].outputs[0].data["text/html"], book.cells[3].outputs[0].data["text/plain"]
    assert texts[4] == "7\n"
    assert texts[5] == "idle nap\n"
    assert "pass how often" in texts[6]
    assert texts[7] == "threads 8\n"
    # The kernel's own threads, which wait for its messages, are none of the task's, and neither is the server.
    assert texts[8].startswith("['sleep', 'sleep', '")
    assert "network" not in texts[8]
    assert "no remedy 'magic' is installed" in texts[9]
    assert "pass items too, to call it with: %compare nap, [1, 2, 3]" in texts[10]

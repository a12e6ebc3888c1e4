"""What the text of a line, and of the loop around it, shows; and the well-written twin of each, which shows nothing."""

import linecache
from pathlib import Path

import pytest
from made_up import diagnosis, stack

from workbench.advice import advised

#: A program whose time goes to the line that ends in ``# here``, which the line that ends in ``# call`` has called.
TEXTS = {
    "a column without an index": (
        "index", "native",
        "base.execute('CREATE TABLE sales (id INTEGER PRIMARY KEY, shop INTEGER)')\n"
        "for shop in shops:\n"
        "    rows = base.execute('SELECT id FROM sales WHERE shop = ?', (shop,)).fetchall()  # here\n",
    ),
    "a column with an index, a query a row": (
        "one-query", "native",
        "SCHEMA = 'CREATE TABLE IF NOT EXISTS sales (id INTEGER, shop INTEGER, UNIQUE (shop));"
        "CREATE INDEX by_id ON sales (id)'\n"
        "FIND = 'SELECT id FROM sales AS s WHERE s.id = ?'\n"
        "def find(number):\n"
        "    cursor.execute(FIND, (number,))\n"
        "    return cursor.fetchone()  # here\n"
        "for number in numbers:\n"
        "    find(number)  # call\n",
    ),
    "a query a row, by SQLAlchemy": (
        "one-query", "native",
        "for name in names:\n    base.execute(text(f'select id from \"users\" where name = {name}'))  # here\n",
    ),
    "one query": (
        None, "native",
        "base.execute('SELECT a FROM sales WHERE shop IN (1, 2)')  # here\n",
    ),
    "all rows, again and again": (None, "native", "while True:\n    base.execute('SELECT a FROM sales')  # here\n"),
    "items of an array": (
        "vectorise", "python",
        "import numpy as np\n"
        "def load(): return np.ones(9)\n"
        "values = load()\n"
        "for at in range(len(values)):\n"
        "    total += values[at] * abs(values[at])  # here\n",
    ),
    "pairs of places": (
        "vectorise", "python",
        "import numpy\n"
        "def slope(z):\n"
        "    for i in range(9):\n"
        "        for j in range(9):\n"
        "            dx = z[i, j + 1] - z[i, j - 1]  # here\n",
    ),
    "an array that is gone over": ("vectorise", "python", "a = np.ones(9)\nfor x in a:\n    total += x  # here\n"),
    "a list made of an array": (None, "python", "a = np.ones(9).tolist()\nfor x in a:\n    total += x  # here\n"),
    "pairs that are keys": (
        None, "python", "import numpy\ngrid = {}\nfor i in a:\n    for j in b:\n        n += grid[i, j]  # here\n",
    ),
    "a running total": ("running-total", "native", "for i in range(len(h)):\n    t.append(sum(h[:i + 1]))  # here\n"),
    "totals of windows": (None, "native", "for i in range(len(h)):\n    t.append(sum(h[i:i + 7]))  # here\n"),
    "a list sorted for its first item": (
        "heap-for-sorting", "native",
        "def first(plan):\n    ordered = sorted(plan)  # here\n    return ordered[0]\n"
        "for _ in range(9):\n    first(plan)  # call\n",
    ),
    "a list sorted in place": (
        "heap-for-sorting", "native",
        "while jobs:\n    jobs.sort()  # here\n    job = jobs.pop(0)\n    jobs.append(after(job))\n",
    ),
    "groups that are sorted": (None, "native", "for group in groups:\n    kept.append(sorted(group)[2:-2])  # here\n"),
    "characters one by one": (
        "parse-with-library", "python",
        "for line in lines:\n    for char in line:\n        n += char in \"x\" or char == ';' or char == ','  # here\n",
    ),
    "one character": (None, "python", "for char in line:\n    if char == ';':  # here\n        n += 1\n"),
    "flushed prints": ("flush-less", "native", "for row in rows:\n    print(row, file=feed, flush=True)  # here\n"),
    "flushes": ("flush-less", "native", "with open(p) as f:\n    for row in rows:\n        f.flush()  # here\n"),
    "the end of a compressor": (
        None, "native", "packer = zlib.compressobj()\nfor part in parts:\n    out += packer.flush()  # here\n",
    ),
    "text that grows at its front": (
        "join-once", "native",
        "class Journal:\n"
        "    def add(self, n):\n"
        "        line = f'entry {n}'\n"
        "        self.text = line + self.text  # here\n"
        "for n in range(9):\n"
        "    journal.add(n)  # call\n",
    ),
    "a number that grows": (None, "native", "for n in a:\n    self.sum = n + self.sum  # here\n"),
    "compression in turn": ("threads-for-native", "native", "out = [zlib.compress(part) for part in parts]  # here\n"),
    "compression of what came before": (None, "native", "for _ in a:\n    part = zlib.compress(part)  # here\n"),
    "an end that is sought": ("simpler-pattern", "native", "for line in a:\n    re.sub(r'\\s+$', '', line)  # here\n"),
    "an end at the start": (None, "native", "for line in a:\n    re.match(r'\\s+$', line)  # here\n"),
    "a list that begins with an item": (
        "set-for-membership", "native",
        "seen = [start]\nfor x in a:\n    if x not in seen:  # here\n        seen.append(x)\n",
    ),
    "a list of constants": (None, "native", "seen = [1, 2]\nfor x in a:\n    n += x not in seen  # here\n"),
    "a file named by a parameter": (
        "read-once", "native",
        "def tariff(path, country):\n    return json.load(open(path))[country]  # here\n"
        "for country in countries:\n    tariff(path, country)  # call\n",
    ),
    "a file for each turn": (
        None, "native",
        "def size(path):\n    return len(json.load(open(path)))  # here\nfor path in paths:\n    size(path)  # call\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_a_fault_is_known_by_its_text(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, part, text = TEXTS[name]
    monkeypatch.setattr("workbench.advice.advise.cores_allowed", lambda: 2)
    path = tmp_path / "task.py"
    path.write_text(text)
    linecache.checkcache()
    at = {line[-6:]: number for number, line in enumerate(text.splitlines(), 1)}
    inner = f"inner ({path}:{at['# here']})"
    frames = (f"<module> ({path}:{at['# call']})", inner) if "# call" in at else (inner,)
    found = advised(diagnosis(stack(part, 0.9, *frames)))
    assert [one.kind for one in found] == ([kind] if kind else [])

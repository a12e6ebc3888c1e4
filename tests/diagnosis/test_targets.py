"""``workbench diagnose TARGET``, as a person types it."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import eventually

from workbench import Diagnosis, UsageError
from workbench.diagnosis.targets import parse_target
from workbench.proc import states_of

BURN = "import time\nuntil = time.thread_time() + 0.3\nwhile time.thread_time() < until: pass\n"


def workbench(*args: str, **options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "workbench", "diagnose", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, **options)  # type: ignore[call-overload,no-any-return]


def diagnosed(path: Path) -> Diagnosis:
    return Diagnosis.from_json(json.loads(path.read_text()))


@pytest.mark.slow
def test_a_script_runs_as_it_would_alone(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys\n" + BURN + "print(__name__, sys.argv[1:])\nsys.exit(3)\n")
    done = workbench("--out", str(tmp_path / "out.json"), str(script), "--", "a", "--b")
    assert (done.returncode, done.stdout) == (3, "__main__ ['a', '--b']\n")
    diagnosis = diagnosed(tmp_path / "out.json")
    assert (diagnosis.verdict, diagnosis.failure) == ("CPU-bound", "SystemExit: 3")
    assert {Path(line.file).name for line in diagnosis.lines[:1]} == {"script.py"}


@pytest.mark.slow
def test_it_runs_where_the_environment_keeps_scripts_folders_off_the_path(tmp_path: Path) -> None:
    done = workbench("-c", "import wave; print(wave)", env={**os.environ, "PYTHONSAFEPATH": "1"})
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
    assert "wave.py" in done.stdout


@pytest.mark.slow
def test_the_task_has_no_child_but_its_own() -> None:
    code = "import os\ntry: os.wait()\nexcept ChildProcessError: print('none')"
    assert workbench("-c", code).stdout.startswith("none\n")


@pytest.mark.slow
def test_json_alone_owns_stdout() -> None:
    done = workbench("--json", "-c", BURN + "print('hello')")
    assert json.loads(done.stdout)["kind"] == "diagnosis"
    assert "hello" in done.stderr


@pytest.mark.slow
def test_a_module_and_callables_run(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import time\ndef nap(): time.sleep(0.05)\nasync def anap(): nap()\n")
    for target in (["mine:nap"], ["mine.py:nap"], ["mine:anap"]):
        done = workbench("--json", *target, cwd=tmp_path)
        data = json.loads(done.stdout)
        assert (data["verdict"], data["bound_by"]) == ("idle", "sleep")
        assert data["runs"] > 1
    assert workbench("-m", "json.tool", "--", "--help").stdout.startswith("usage")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "code", "failure"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137, "ended by signal SIGKILL"),
        ("import os; os._exit(4)", 4, "exit code 4"),
        ("raise ValueError('bad')", 1, "ValueError: bad"),
        ("import os; os.closerange(3, 500); sum(range(10))", 0, None),
        ("import os; os.fork()", 0, None),
        ("import os; os.execlp('sleep', 'sleep', '0.05')", 0, None),
    ],
)
def test_however_a_task_ends_it_is_diagnosed(tmp_path: Path, end: str, code: int, failure: str | None) -> None:
    done = workbench("--out", str(tmp_path / "out.json"), "-c", BURN + end)
    diagnosis = diagnosed(tmp_path / "out.json")
    assert done.returncode == code
    assert diagnosis.failure == failure
    assert diagnosis.verdict in ("CPU-bound", "contended")  # where no core was free for most of the time


@pytest.mark.slow
def test_an_endless_task_is_ended_and_told(tmp_path: Path) -> None:
    done = workbench("--timeout", "5", "--out", str(tmp_path / "out.json"), "-c", "while True: pass")
    diagnosis = diagnosed(tmp_path / "out.json")
    assert (done.returncode, diagnosis.failure) == (0, None)
    assert (diagnosis.verdict, diagnosis.bound_by) == ("CPU-bound", "python")
    assert diagnosis.reasons[-1].startswith("ended after 5 s, as asked")


@pytest.mark.slow
def test_the_workers_of_a_task_that_is_ended_are_told_and_end(tmp_path: Path) -> None:
    program = tmp_path / "pool.py"
    program.write_text(
        "import os, time\nfrom concurrent.futures import ProcessPoolExecutor\n"
        "def work(n):\n    open(f'{os.getpid()}.pid', 'w').close()\n    time.sleep(100)\n"
        "if __name__ == '__main__':\n"
        "    with ProcessPoolExecutor(2) as pool:\n        list(pool.map(work, range(2)))\n"
    )
    done = workbench("--timeout", "3", "--out", str(tmp_path / "out.json"), str(program), cwd=tmp_path)
    diagnosis = diagnosed(tmp_path / "out.json")
    assert (done.returncode, diagnosis.verdict, diagnosis.bound_by) == (0, "idle", "sleep")
    assert (Path(diagnosis.lines[0].file).name, diagnosis.lines[0].line) == ("pool.py", 5)
    workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
    assert len(workers) == 2
    assert not any(states_of(pid) - {"Z"} for pid in workers)


@pytest.mark.slow
def test_what_tasks_await_is_told_of_a_program_that_is_ended(tmp_path: Path) -> None:
    code = (
        "import asyncio\nasync def main():\n    await asyncio.gather(*(asyncio.sleep(60) for _ in range(3)))\n"
        "asyncio.run(main())"
    )
    workbench("--timeout", "2", "--out", str(tmp_path / "out.json"), "-c", code)
    diagnosis = diagnosed(tmp_path / "out.json")
    assert (diagnosis.bound_by, "awaits.py" in str(diagnosis.to_json())) == ("sleep", False)


@pytest.mark.slow
def test_a_generator_is_run_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text(
        "import time\ndef rows():\n    for n in range(20):\n        time.sleep(.02)\n        yield n\n"
    )
    workbench("--out", str(tmp_path / "out.json"), f"{tmp_path / 'rows.py'}:rows")
    diagnosis = diagnosed(tmp_path / "out.json")
    assert (diagnosis.bound_by, diagnosis.lines[0].line) == ("sleep", 4)


@pytest.mark.slow
def test_ctrl_c_gives_the_diagnosis_so_far(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workbench", "diagnose", "--out", str(tmp_path / "out.json"), "-c"]
    code = "print('on', flush=True)\nimport time; time.sleep(60)"
    with subprocess.Popen([*command, code], stdout=subprocess.PIPE, start_new_session=True, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "on\n"
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20)
    assert diagnosed(tmp_path / "out.json").verdict == "idle"


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--pid"]])
def test_a_command_that_is_told_to_end_ends_what_it_started(tmp_path: Path, options: list[str]) -> None:
    script = tmp_path / "script.py"
    script.write_text("import time\nprint('on', flush=True)\ntime.sleep(60)\n")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as task:
        assert task.stdout
        task.stdout.readline()
        command = [sys.executable, "-m", "workbench", "diagnose", *options, str(task.pid) if options else str(script)]
        env = os.environ | {"TMPDIR": str(tmp_path)}
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            eventually(lambda: list(tmp_path.glob("workbench-*/recording.ready")))
            time.sleep(0.3)
            process.terminate()
            _, said = process.communicate(timeout=60)
        assert b"bound by sleep" in said
        assert list(tmp_path.glob("workbench-*")) == []
        assert task.poll() is None
        task.kill()


@pytest.mark.slow
def test_a_command_that_is_killed_leaves_no_task_that_it_started(tmp_path: Path) -> None:
    code = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)"
    command = [sys.executable, "-m", "workbench", "diagnose", "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        task = int(process.stdout.readline())
        process.kill()
    eventually(lambda: states_of(task) <= {"Z"})


@pytest.mark.slow
def test_nobody_watches_a_process_on_when_the_command_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as task:
        command = [sys.executable, "-m", "workbench", "diagnose", "--pid", str(task.pid)]
        with subprocess.Popen(command, env=os.environ | {"TMPDIR": str(tmp_path)}) as process:
            eventually(lambda: list(tmp_path.glob("workbench-*/recording.ready")))
            (ready,) = tmp_path.glob("workbench-*/recording.ready")
            process.kill()
        eventually(lambda: states_of(int(ready.read_text())) <= {"Z"})
        assert task.poll() is None
        task.kill()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nowhere.py"], "there is no file nowhere.py"),
        (["no_such_module:f"], "there is no module 'no_such_module'"),
        (["json:no_such"], "has no callable 'no_such'"),
        (["json:dump_"], "has no callable 'dump_': did you mean 'dump'?"),
        (
            ["json:loads"],
            "json:loads: it can't be called with 0 arguments: missing a required argument: 's'; pass them",
        ),
        (["word"], "is no target"),
        (["-m", "no_such_module"], "there is no module 'no_such_module'"),
        (["-c", "def"], "line 1: invalid syntax"),
        ([], "nothing to diagnose"),
        (["--timeout", "0", "-c", "1"], "seconds above 0"),
        (["--out", "/proc/no/such", "-c", "1"], "can't write"),
    ],
)
def test_a_mistake_is_told_in_a_line(args: list[str], says: str) -> None:
    done = workbench(*args)
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.returncode == (1 if "--out" in args else 2)


@pytest.mark.slow
def test_arguments_are_json_or_text_and_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def show(first, *others, depth=1, **more): print(first, others, depth, more)\n")
    done = workbench("mine.py:show", "--", "3", "a word", "[1]", "depth=2", "sep=x", "not this=1", cwd=tmp_path)
    assert done.stdout.splitlines()[0] == "3 ('a word', [1], 'not this=1') 2 {'sep': 'x'}"


@pytest.mark.slow
@pytest.mark.parametrize("target", ["shop/carts.py", "shop/carts.py:total"])
def test_a_file_with_relative_imports_runs_as_of_its_package(tmp_path: Path, target: str) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "prices.py").write_text("PRICE = 7\n")
    text = "from .prices import PRICE\ndef total(): print(PRICE)\nif __name__ == '__main__': total()\n"
    (tmp_path / "shop" / "carts.py").write_text(text)
    done = workbench(target, cwd=tmp_path)
    assert (done.stdout.splitlines()[0], done.returncode) == ("7", 0), done.stderr


def test_a_file_that_is_spelt_alike_is_named(tmp_path: Path) -> None:
    (tmp_path / "report.py").touch()
    with pytest.raises(UsageError, match=r"reprot\.py: did you mean 'report\.py'\?$"):
        parse_target(str(tmp_path / "reprot.py"))


def test_a_target_is_understood(tmp_path: Path) -> None:
    script = tmp_path / "a.py"
    script.touch()
    assert parse_target(f"{script}:main").kind == "callable"
    assert parse_target(str(script), ["x"]).args == ("x",)
    with pytest.raises(UsageError, match="names no callable"):
        parse_target(f"{script}:1")


@pytest.mark.slow
def test_the_task_finds_the_modules_of_a_fresh_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys; print(sorted(sys.modules)); print([n for n in globals() if n[0] != '_'])\n")
    plain = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    modules, names = workbench(str(script)).stdout.splitlines()
    assert set(ast.literal_eval(modules)) - set(ast.literal_eval(plain.stdout.splitlines()[0])) <= {"threading"}
    assert names == plain.stdout.splitlines()[1]
    assert workbench("-c", "print([name for name in globals() if name[0] != '_'])").stdout == "[]\n"


@pytest.mark.slow
def test_a_task_that_becomes_another_program_is_seen_to_its_end(tmp_path: Path) -> None:
    for end in ("os.execv('/bin/sh', ['sh', '-c', 'sleep 0.3'])", "time.sleep(0.3); os.kill(os.getpid(), 9)"):
        workbench("--out", str(tmp_path / "out.json"), "-c", f"import os, time; {end}")
        diagnosis = diagnosed(tmp_path / "out.json")
        assert diagnosis.wall_s >= 0.3
        assert diagnosis.bound_by == "sleep"


@pytest.mark.slow
def test_standard_input_names_who_it_comes_from(tmp_path: Path) -> None:
    feed = f"sleep 4; until [ -e {tmp_path}/reads ]; do sleep 0.1; done; sleep 1; echo done"
    task = f"open('{tmp_path}/reads', 'w').close(); print(input())"
    with subprocess.Popen(["sh", "-c", feed], stdout=subprocess.PIPE) as feeder:
        done = workbench("--out", str(tmp_path / "out.json"), "-c", task, stdin=feeder.stdout)
    diagnosis = diagnosed(tmp_path / "out.json")
    assert (done.stdout, diagnosis.verdict, diagnosis.bound_by) == ("done\n", "IO-bound", "network")
    assert diagnosis.waits[0].target.startswith("stdin, a pipe from sh -c 'sleep 4")

"""The child's side of the conversation: one order a line, one reply a line, both JSON."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import sys
from typing import Any, Callable, Optional
from urllib.parse import quote

from . import guards, network, programs, refusals
from .calls import Calls, computing
from .drive import Driver, EndlessError, as_reply
from .origins import Origins
from .patches import Arm
from .places import Places
from .record import Recorder
from .sqlite import reading_mode

#: How statements begin that a database which is only read may be asked, and what would let them write.
_READS = ("select", "show", "set ", "with", "explain", "savepoint", "release", "rollback")
_UNLOCKS = re.compile(
    r"transaction_read_only|\bset_config\s*\(|\bdblink\w*\s*\(|^set\b.*(?:read\s+write|characteristics)", re.DOTALL
)
#: What settings and their project may replace in the modules.
_dumps, _loads = json.dumps, json.loads


class Refused(Exception):  # noqa: N818
    """An order that can't be carried out: ``kind`` says why."""

    def __init__(self, kind: str, text: str = "") -> None:
        super().__init__(text or kind)
        self.kind = kind


class Project:
    """The user's project in this process; each public method is an order."""

    def __init__(self) -> None:
        self.places: Any = None
        self.driver: Any = None

    def load(self, root: str, settings: str, private: str, allowed: list[str]) -> dict[str, Any]:
        """Import the settings, with the guards up, and say what they hold that the parent has to know."""
        self.private = private
        guards.before_anything(private, allowed)
        sys.path.insert(0, root)
        os.chdir(root)
        os.environ["DJANGO_SETTINGS_MODULE"] = settings
        self.places = Places(root)
        try:
            import django
        except ImportError:
            raise Refused("no django") from None
        from django.conf import settings as loaded

        try:
            databases = loaded.DATABASES
        except Exception as error:
            raise Refused("settings", _told(error, self.places)) from None
        guards.guard_settings(loaded, private)
        self.places.use_apps(list(loaded.INSTALLED_APPS))
        names = ("ENGINE", "NAME", "HOST", "PORT", "USER", "PASSWORD")
        return {
            "django": django.get_version(), "python": sys.version.split()[0], "debug": bool(loaded.DEBUG),
            "databases": {
                alias: {name: _absolute(known, name) for name in names} for alias, known in databases.items()
            },
            "middleware": list(loaded.MIDDLEWARE), "session_engine": loaded.SESSION_ENGINE,
            "login_url": str(loaded.LOGIN_URL), "apps": list(loaded.INSTALLED_APPS),
        }  # fmt: skip

    def setup(self, databases: dict[str, Any], track: bool, read_only: bool) -> dict[str, Any]:
        """Put the copies in the place of the databases, set Django up, and verify where it is connected."""
        from django.conf import settings

        for alias, place in databases.items():
            known = settings.DATABASES[alias]
            known.update(place)
            options = known.setdefault("OPTIONS", {})
            _allow_server(known)
            if "sqlite3" in known["ENGINE"] and not read_only:
                guards.allow_database(place["NAME"])
            elif read_only:
                _make_read_only(known)
            else:
                for name in ("service", "passfile", "sslmode", "sslrootcert", "sslcert", "sslkey", "pool"):
                    options.pop(name, None)
        if read_only:
            settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
        import django

        origins = Origins(self.places)
        if track:
            origins.install()
        guards.guard_django(self.private)
        try:
            django.setup()
            self.driver = Driver()
        except ModuleNotFoundError as error:
            raise Refused("missing package", str(error.name)) from None
        except Exception as error:
            raise Refused("setup", _told(error, self.places)) from None
        self.arm = Arm(self.driver, origins)
        where = _connected_to(read_only)
        _import_views()
        programs.project_has_started()
        refusals.counts.clear()
        refusals.refused.clear()
        return {"connected": where, "host": self.driver.host}

    def login(self, user: str) -> dict[str, Any]:
        """Log a user in."""
        from django.core.exceptions import ObjectDoesNotExist

        try:
            self.driver.cookies |= self.driver.login(user)
        except ObjectDoesNotExist:
            raise Refused("no user", user) from None
        except Exception as error:
            raise Refused("login", _told(error, self.places)) from None
        return {}

    def login_other(self, user: str) -> dict[str, Any]:
        """Log somebody else in, who may as much; say whether there is one."""
        from django.contrib.auth import get_user_model

        users = get_user_model()._default_manager
        try:
            me = users.get_by_natural_key(user)
            rights = {
                name: getattr(me, name) for name in ("is_active", "is_staff", "is_superuser") if hasattr(me, name)
            }
            other = users.filter(**rights).exclude(pk=me.pk).order_by("pk").first()
            if other is not None:
                self.driver.others_cookies = self.driver.login(other.get_username())
        except Exception:
            return {"found": False}
        return {"found": other is not None}

    def view_of(self, path: str) -> dict[str, Any]:
        """Say which function answers a path."""
        import inspect

        from django.urls import resolve

        try:
            match = resolve(path.partition("?")[0])
        except Exception:
            return {"file": "", "line": 0, "name": "", "admin": False, "class": False}
        admin = getattr(match.func, "model_admin", None)
        made = getattr(match.func, "view_class", None) or getattr(match.func, "cls", None)
        view = type(admin) if admin is not None else made or inspect.unwrap(match.func)
        try:
            file, line = inspect.getsourcefile(view) or "", inspect.getsourcelines(view)[1]
        except (TypeError, OSError):
            file, line = "", 0
        kinds = {"admin": admin is not None, "class": inspect.isclass(view)}
        return {"file": file, "line": line, "name": getattr(view, "__name__", ""), **kinds}

    def templates(self) -> dict[str, Any]:
        """Say whether the cached template loader is at work."""
        from django.template import engines
        from django.template.backends.django import DjangoTemplates
        from django.template.loaders.cached import Loader

        found = [one.engine for one in engines.all() if isinstance(one, DjangoTemplates)]
        return {"cached": all(any(isinstance(one, Loader) for one in engine.template_loaders) for engine in found)}

    def settings_lines(self, names: dict[str, str]) -> dict[str, Any]:
        """Say in which line of the settings module each name stands; its first line where it does not."""
        file = sys.modules[os.environ["DJANGO_SETTINGS_MODULE"]].__file__ or ""
        with open(file, encoding="utf-8") as source:
            lines = source.read().splitlines()
        found = {}
        for key, name in names.items():
            at = [
                number
                for number, line in enumerate(lines, 1)
                if re.search(name, line) and not line.lstrip().startswith("#")
            ]
            found[key] = [file, at[0] if at else 1]
        return found

    def request(self, request: dict[str, Any], times: int, body: bool) -> dict[str, Any]:
        """Make a request some times; the answer is the last one's."""
        answers, statuses = [], []
        for _ in range(times):
            told = self._answer(request)
            answers.append([told["wall_s"], told["cpu_s"], told["queued_s"]])
            statuses.append(told["status"])
        reply = {**as_reply(told, body), "statuses": sorted(set(statuses))}
        failure = self.driver.failure
        why = _told(failure, self.places) if failure else ""
        return {**reply, "times": answers, "failure": why, "refused": refusals.cause_of(failure)}

    def record(self, request: dict[str, Any], patches: list[dict[str, Any]], plans: bool) -> dict[str, Any]:
        """Make a request under hooks."""
        if patches:
            self.arm.set(patches)
            self.arm.origins.follow(None)
        before = dict(refusals.counts)
        recorder = Recorder(self.places)
        with recorder:
            told = self._answer(request)
        if patches:
            self.arm.set([])
            self.arm.origins.follow(None)
        found = recorder.found()
        found["wall_s"], found["cpu_s"], found["status"] = told["wall_s"], told["cpu_s"], told["status"]
        found["effects"] = {
            name: times - before.get(name, 0) for name, times in refusals.counts.items() if times > before.get(name, 0)
        }
        found["refused"] = dict(refusals.refused)
        found["plans"] = recorder.plans() if plans else {}
        return found

    def calls(self, request: dict[str, Any], user: Optional[str]) -> dict[str, Any]:
        """Make requests, and say how long functions take that don't know whose it is, and which compute."""
        from django.contrib.auth import get_user_model

        me = get_user_model()._default_manager.get_by_natural_key(user) if user is not None else None
        calls = Calls(self.places, me)
        told = calls.during(lambda: self._answer(request))
        hot = computing(self.places, lambda: self._answer(request))
        return {"calls": list(calls.found.values()) if me else [], "wall_s": told["wall_s"], "computing": hot}

    def selectivity(self, table: str, column: str) -> dict[str, Any]:
        """Say how many rows a table has, and how many values a column."""
        from django.db import connection

        quote = connection.ops.quote_name
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*), COUNT(DISTINCT {quote(column)}) FROM {quote(table)}")
            rows, values = cursor.fetchone()
        return {"rows": rows, "values": values}

    def set_arm(self, patches: list[dict[str, Any]]) -> dict[str, Any]:
        """Put fixes in force."""
        try:
            self.arm.set(patches)
        except Exception as error:
            raise Refused("patch", _told(error, self.places)) from None
        return {}

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.driver.answer(request)
        return found


def _absolute(known: dict[str, Any], name: str) -> str:
    """Return a setting of a database; a file's path begins at the project, which is the folder we are in."""
    value = str(known.get(name) or "")
    if name == "NAME" and "sqlite3" in known["ENGINE"] and value and not value.startswith((":memory:", "file:")):
        return os.path.abspath(value)
    return value


def _allow_server(known: dict[str, Any]) -> None:
    """Let a database be reached: the copy's server, or the project's own where it is only read."""
    ports = {"postgresql": 5432, "postgis": 5432, "mysql": 3306, "oracle": 1521}
    host = str(known.get("HOST") or "localhost")
    port = known.get("PORT") or ports.get(known["ENGINE"].rpartition(".")[2])
    if host.startswith("/"):
        network.allow(host)
    elif port:
        network.allow(f"{host}:{port}")


def _import_views() -> None:
    """Import what the first request would; what fails there fails in the request too, and is told then."""
    from django.urls import get_resolver

    try:
        _ = get_resolver().url_patterns
    except Exception:
        return


def _make_read_only(known: dict[str, Any]) -> None:
    options = known["OPTIONS"]
    if "sqlite3" in known["ENGINE"]:
        path = os.path.abspath(str(known["NAME"]))
        known["NAME"] = f"file:{quote(path)}?{reading_mode(path)}"
        options["uri"] = True
        return
    if "postgresql" in known["ENGINE"]:
        options["options"] = f"{options.get('options', '')} -c default_transaction_read_only=on".strip()
    from django.db.backends.signals import connection_created

    connection_created.connect(_refuse_writes, weak=False)


def _refuse_writes(connection: Any, **_: Any) -> None:
    """Let a server's database be read alone: what begins otherwise is refused, and what would let the session write."""

    def reads_only(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        text = str(sql).lstrip().lower()
        if not text.startswith(_READS) or _UNLOCKS.search(text) or _UNLOCKS.search(str(params).lower()):
            refusals.count("writes")
            raise refusals.RefusedAct(
                errno.EPERM, "the study only reads this database", asks="the database", does="writes to"
            )
        return execute(sql, params, many, context)

    if connection.vendor != "sqlite":
        connection.execute_wrappers.append(reads_only)


def _connected_to(read_only: bool) -> dict[str, str]:
    """Ask each database where it is; the parent compares that with its copies."""
    from django.db import connections

    found = {}
    for alias in connections:
        connection = connections[alias]
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA database_list")
                found[alias] = str(cursor.fetchone()[2])
            elif connection.vendor == "postgresql":
                cursor.execute("SELECT current_database(), inet_server_port()")
                name, port = cursor.fetchone()
                found[alias] = f"{name}:{port}"
        connection.close()
    return found


def _told(error: BaseException, places: Places) -> str:
    """Say an exception's type, its text where that is of the settings, and the user's line it came from."""
    at, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if places.kind(file) == 1:
            at = f" at {file}:{trace.tb_lineno}"
        trace = trace.tb_next
    text = "".join(one if one.isprintable() else "?" for one in str(error).strip().partition("\n")[0][:200])
    return f"{type(error).__name__}: {text}{at}" if text else f"{type(error).__name__}{at}"


def serve(fd: int) -> None:
    """Carry out orders until the socket is closed."""
    channel = socket.socket(fileno=fd)
    os.set_inheritable(fd, False)
    project = Project()
    with channel.makefile("rw", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            order = _loads(line)
            lines.write(_dumps(_carried_out(getattr(project, order.pop("do")), order)) + "\n")
            lines.flush()
    os._exit(0)


def _carried_out(work: Callable[..., Any], order: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"done": work(**order)}
    except Refused as error:
        return {"error": error.kind, "text": str(error)}
    except EndlessError as error:
        return {"error": "endless", "text": str(error)}
    except (Exception, SystemExit) as error:
        return {"error": "failed", "text": f"{type(error).__name__}: {error}".partition("\n")[0]}

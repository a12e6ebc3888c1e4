"""What can't be studied, each said in one line that names what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.endpoint.children import ChildError
from workbench.endpoint.project import Project
from workbench.errors import TaskError, UsageError, WorkbenchError


def translated(error: ChildError, project: Project) -> WorkbenchError:
    """Return what a child refused, as a user understands it."""
    text = str(error)
    if error.kind == "no django":
        return UsageError(f"Django is not installed for {project.python}: pass --python with the project's interpreter")
    if error.kind == "missing package":
        return UsageError(f"{text} is not installed for {project.python}: pass --python with the project's interpreter")
    if error.kind == "settings" and text.startswith("SyntaxError"):
        return UsageError(f"the settings {project.settings} can't be imported: {text}")
    if error.kind == "settings":
        if text.startswith("ModuleNotFoundError"):
            return UsageError(f"{project.settings} can't be imported by {project.python}: {text}")
        return UsageError(f"the settings {project.settings} ask for something: {text}; set it in the environment")
    if error.kind == "no user":
        return UsageError(f"there is no user {text!r}: pass --user with one of the project's")
    if error.kind in ("setup", "login"):
        return TaskError(f"the project does not start: {text}")
    if error.kind == "failed":
        return TaskError(f"the project fails: {text}")
    return TaskError(text)


def refuse_change(statuses: Sequence[int], status: int, path: str, number: int) -> None:
    """Refuse a page that answers otherwise after some requests, such as one that lets few through."""
    if others := [other for other in statuses if other != status]:
        raise TaskError(f"{path} answers {status} at first, and {others[0]} at request {number}: it can't be timed")


def refuse_status(
    status: int, reply: dict[str, Any], request: dict[str, Any], user: str | None, info: dict[str, Any]
) -> None:
    """Refuse an answer that is not worth studying; what is sent to a page may well lead to another one."""
    path = request["path"]
    if 200 <= status < 300:
        return
    place = reply["headers"].get("location", "")
    hint = "pass --user NAME" if user is None else f"{user} may not see it: pass another --user"
    if 300 <= status < 400:
        if "login" in place or (info["login_url"] and info["login_url"] in place):
            raise UsageError(f"{path} asks for a login: {hint}")
        if request["method"] != "GET" and place:
            return
        if status == 304 or not place:
            raise UsageError(f"{path} answers {status}, without a body: there is nothing to study")
        raise UsageError(f"{path} redirects to {place.partition('?')[0]}: pass that path")
    if status in (401, 403):
        raise UsageError(f"{path} answers {status}: {hint}")
    if status == 400 and not reply["failure"]:
        raise TaskError(f"{path} answers 400: is the data what the view wants? Its host was {info['host']}")
    if status == 404:
        raise UsageError(f"{path} answers 404: no view, or nothing there; pass a path of the project")
    failure, refused = reply["failure"], reply["refused"]
    if refused:
        raise TaskError(f"{path} answers {status}: {_refused(**refused)}")
    raise TaskError(f"{path} answers {status}" + (f": the view raises {failure}" if failure else ""))


def _refused(does: str, asks: str) -> str:
    """Say that a view fails since the study keeps it from something, and what to do."""
    said = f"the view {does} {asks}, which the study refuses"
    return f"{said}: pass --allow {asks} if asking it changes nothing" if does == "asks" else said

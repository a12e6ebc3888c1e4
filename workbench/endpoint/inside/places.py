"""Which line of the user's is at work: an app's lines count wherever it is installed, frameworks' do not."""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import Any, Optional

#: Packages that may stand in ``INSTALLED_APPS``, and whose lines are nobody's own.
FRAMEWORKS = frozenset(
    (
        "django",
        "rest_framework",
        "django_filters",
        "debug_toolbar",
        "corsheaders",
        "crispy_forms",
        "django_tables2",
        "mptt",
        "treebeard",
        "taggit",
        "polymorphic",
        "reversion",
        "drf_spectacular",
        "whitenoise",
        "guardian",
        "silk",
        "graphene_django",
        "import_export",
        "ninja",
        "storages",
        "django_extensions",
        "sekizai",
        "sorl",
        "widget_tweaks",
        "haystack",
        "simple_history",
        "modeltranslation",
        "django_celery_beat",
        "django_celery_results",
        "jazzmin",
    )
)
OTHER, USER, ORM, TEMPLATE, SERIALIZER, FIELD, LAYER, HANDLER, CONTEXT = range(9)

#: A line: its file, its number and the function it stands in.
Line = tuple[str, int, str]


class Where:
    """Where in the request some code runs: the user's line, and what called it.

    ``line`` is the innermost line of the user's, ``direct`` says whether nothing but the ORM lies below it; ``layer``
    is ``view`` or ``middleware``; ``site`` is empty, ``serializer``, ``method_field``, ``template``,
    ``property`` (the user's code, called by a template) or ``context_processor``.
    """

    __slots__ = ("direct", "layer", "line", "site")

    def __init__(self, line: Optional[Line], direct: bool, layer: str, site: str) -> None:
        self.line, self.direct, self.layer, self.site = line, direct, layer, site


class Places:
    """Tells the user's files from others, by their paths."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root) + os.sep
        self.apps: set[str] = set()
        self._kinds: dict[str, int] = {}
        self._here = os.path.dirname(os.path.abspath(__file__)) + os.sep
        self._standard = sysconfig.get_paths()["stdlib"] + os.sep

    def use_apps(self, apps: list[str]) -> None:
        """Count the lines of these apps as the user's, wherever they are installed."""
        self.apps = {name.partition(".")[0] for name in apps} - FRAMEWORKS
        self._kinds.clear()

    def kind(self, file: str) -> int:
        """Return what a file is, as one of the constants above."""
        found = self._kinds.get(file)
        if found is None:
            found = self._kinds[file] = self._look(file)
        return found

    def _look(self, file: str) -> int:
        if "/django/" in file and "-packages/" in file:
            rest = file.rpartition("-packages/")[2]
            if rest.startswith(("django/db/", "django/contrib/contenttypes/")):
                return ORM
            if rest == "django/template/context.py":
                return CONTEXT
            if rest.startswith("django/template/"):
                return TEMPLATE
            if rest == "django/core/handlers/exception.py":
                return LAYER
            if rest == "django/core/handlers/base.py":
                return HANDLER
        if file.startswith((self._here, "<")):
            return ORM
        if "-packages/" in file:
            rest = file.rpartition("-packages/")[2]
            if rest == "rest_framework/serializers.py":
                return SERIALIZER
            if rest == "rest_framework/fields.py":
                return FIELD
            return USER if rest.partition("/")[0].removesuffix(".py") in self.apps else OTHER
        return OTHER if file.startswith(self._standard) else USER

    def where(self, depth: int = 1) -> Where:
        """Say where the caller runs, ``depth`` frames up."""
        line: Optional[Line] = None
        direct, layer, site = True, "", ""
        frame: Any = sys._getframe(depth + 1)
        while frame is not None:
            code = frame.f_code
            kind = self._kinds.get(code.co_filename)
            if kind is None:
                kind = self.kind(code.co_filename)
            if kind == USER:
                if line is None:
                    line = (code.co_filename, frame.f_lineno, code.co_name)
            elif kind == LAYER:
                layer = layer or "middleware"
                break
            elif kind == HANDLER:
                layer = "view" if code.co_name in ("_get_response", "_get_response_async") else layer
            elif kind != ORM:
                if line is None:
                    direct = False
                site = site or _site(kind, code, line is not None)
            frame = frame.f_back
        return Where(line, direct and line is not None, layer, site)

    def stack(self, depth: int = 1) -> list[Any]:
        """Return the frames of the user's code in this layer, the innermost first."""
        found: list[Any] = []
        frame: Any = sys._getframe(depth + 1)
        while frame is not None and self.kind(frame.f_code.co_filename) != LAYER:
            if self.kind(frame.f_code.co_filename) == USER:
                found.append(frame)
            frame = frame.f_back
        return found

    def origin(self, before: Optional[Line], depth: int = 1) -> Optional[Line]:
        """Return the user's line that called the ORM; else the line ``before``, else the innermost of the user's."""
        frame: Any = sys._getframe(depth + 1)
        while frame is not None:
            code = frame.f_code
            kind = self._kinds.get(code.co_filename)
            if kind is None:
                kind = self.kind(code.co_filename)
            if kind == USER and not (code.co_name == "get_queryset" and _is_manager(frame)):
                return (code.co_filename, frame.f_lineno, code.co_name)
            if kind == LAYER or (kind not in (ORM, USER) and before is not None):
                return before
            frame = frame.f_back
        return before


def _is_manager(frame: Any) -> bool:
    """Say whether a method is a manager's: who asked the manager made the queryset."""
    from django.db.models.manager import BaseManager

    return isinstance(frame.f_locals.get("self"), BaseManager)


def _site(kind: int, code: Any, called: bool) -> str:
    """Say what kind of place a framework's frame is; ``called`` says whether it called a line of the user's."""
    if kind == SERIALIZER and code.co_name in ("to_representation", "data"):
        return "serializer"
    if kind == FIELD and code.co_name == "to_representation" and "method" in code.co_varnames:
        return "method_field"
    if kind == CONTEXT:
        return "context_processor" if code.co_name == "bind_template" else ""
    if kind != TEMPLATE:
        return ""
    return "property" if called else "template"

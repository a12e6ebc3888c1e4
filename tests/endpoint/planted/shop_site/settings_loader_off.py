"""The shop as somebody sets it who wants to see templates change at once: each is read and parsed on every request."""

from shop_site.settings import *  # noqa: F403
from shop_site.settings import TEMPLATES as AS_EVER

_LOADERS = [  # access: loader_off
    "django.template.loaders.filesystem.Loader",
    "django.template.loaders.app_directories.Loader",
]
_OPTIONS = {**AS_EVER[0]["OPTIONS"], "loaders": _LOADERS}  # fault: loader_off
TEMPLATES = [{**AS_EVER[0], "APP_DIRS": False, "OPTIONS": _OPTIONS}]

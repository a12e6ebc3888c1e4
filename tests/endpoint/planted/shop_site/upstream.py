"""Questions to the warehouse's service, over HTTP."""

import json
import urllib.request

from django.conf import settings

_TIMEOUT_S = 10


def ask(path):
    """Return the service's answer to a path."""
    with urllib.request.urlopen(settings.UPSTREAM + path, timeout=_TIMEOUT_S) as answer:
        return json.load(answer)

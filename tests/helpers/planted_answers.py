"""Ask the planted site for pages: reads a list of ``[path, user]`` in JSON, prints what each got when it was warm.

It runs with the site's folder on ``PYTHONPATH`` and ``DJANGO_SETTINGS_MODULE`` set.
"""

import gzip
import hashlib
import json
import re
import sys
from typing import Any

import django

#: With as many queries as that a page is not one that a cache answers: its first visit is as good as its second.
MANY = 20
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="\w+"')


def visit(path: str, user: str) -> dict[str, Any]:
    """Return what is known of a page's answer: its status, queries, and a fingerprint of its masked body."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"host": "shop.example", "accept-encoding": "gzip"})
    if user:
        client.force_login(User.objects.get(username=user))
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(path)
    if len(queries) < MANY:
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(path)
    packed = answer.headers.get("Content-Encoding") == "gzip"
    body = gzip.decompress(answer.content) if packed else answer.content
    return {
        "status": answer.status_code,
        "queries": len(queries),
        "sent_bytes": len(answer.content),
        "etag": "ETag" in answer.headers,
        "private": "private" in answer.headers.get("Cache-Control", ""),
        "empty": len(body) == 0,
        "body": hashlib.sha256(TOKEN.sub(b"", body)).hexdigest(),
    }


def keep_content_types() -> None:
    """Let Django read what it reads once a process."""
    from django.apps import apps
    from django.contrib.contenttypes.models import ContentType

    ContentType.objects.get_for_models(*apps.get_models())


if __name__ == "__main__":
    django.setup()
    keep_content_types()
    json.dump([visit(*one) for one in json.load(sys.stdin)], sys.stdout)

"""Ask the planted site for pages: reads a list of ``[path, user]`` in JSON, prints what each got on its second visit.

It runs with the site's folder on ``PYTHONPATH`` and ``DJANGO_SETTINGS_MODULE`` set.
"""

import gzip
import hashlib
import json
import re
import sys
from typing import Any

import django

TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="\w+"')


def visit(path: str, user: str) -> dict[str, Any]:
    """Return what is known of a page's second answer: its status, queries, and a fingerprint of its masked body."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"host": "shop.example", "accept-encoding": "gzip"})
    if user:
        client.force_login(User.objects.get(username=user))
    client.get(path)
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


if __name__ == "__main__":
    django.setup()
    json.dump([visit(*one) for one in json.load(sys.stdin)], sys.stdout)

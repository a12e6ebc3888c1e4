"""Fetch many URLs, one result row for each.

`fetching` has what people call, `core` decides how one URL is fetched, and the engines (`with_requests`,
`with_aiohttp`) are thin shells around it.
"""

from workbench.tasks.fetch.fetching import fetch_all, send_requests
from workbench.tasks.fetch.rows import Fetched, FetchInterrupted, FetchRow
from workbench.tasks.fetch.urls import read_urls

__all__ = ["FetchInterrupted", "FetchRow", "Fetched", "fetch_all", "read_urls", "send_requests"]

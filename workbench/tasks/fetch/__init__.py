"""Fetch many URLs, one result row for each."""

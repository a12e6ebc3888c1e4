"""Who looked at what: a large table."""

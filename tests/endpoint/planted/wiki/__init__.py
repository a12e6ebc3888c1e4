"""Pages of several kinds, and their revisions."""

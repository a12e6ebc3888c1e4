"""The work that is studied."""

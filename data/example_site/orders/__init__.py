"""Orders of an example shop."""

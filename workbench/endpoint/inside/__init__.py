"""What runs in the project's own interpreter: the standard library and Django alone, in the syntax of Python 3.9."""

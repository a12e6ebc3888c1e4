"""Products, their tags and reviews."""

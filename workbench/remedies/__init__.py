"""Ways to do the same task faster, all with one signature."""

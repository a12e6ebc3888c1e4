"""Orders, their lines and payments."""

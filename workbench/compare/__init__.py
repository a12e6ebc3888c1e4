"""Try remedies side by side on one task: a task and remedies go in, a `Comparison` comes out."""

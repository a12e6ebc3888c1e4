"""Say where a running task spends its wall time: a task goes in, a `Diagnosis` comes out."""

"""Tasks: one for each value of data.reading, from files to batches to figures."""

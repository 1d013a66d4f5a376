"""Models for other programs: their interfaces in Python, and the files that they read."""

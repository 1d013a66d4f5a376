"""Models that follow the text that they score: dynamic evaluation and the neural cache."""

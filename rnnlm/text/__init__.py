"""Text to token ids to batches: lines, vocabulary, encoded corpus, windows."""

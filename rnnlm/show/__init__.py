"""Summaries of networks and runs, for the commands that show them."""

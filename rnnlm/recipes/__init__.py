"""Recipes by name, and the configuration that is chosen for a text by its size."""

"""Look into a network: what the `show` commands compute."""

"""Language models in use: score, evaluate, compare, mix and sample from networks and n-gram models."""

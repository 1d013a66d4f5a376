"""The network: parameters, array operations, cells, heads, models, and the gradient check."""

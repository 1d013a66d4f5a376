"""The machine's own rate of matrix products, as NumPy's BLAS reaches it with its own threads."""

import numpy as np

from tests.bench.race import Work


class Product(Work):
    """C = A B of n x n float32 matrices."""

    def __init__(self, n: int):
        rng = np.random.default_rng(1)
        self.A, self.B = (rng.random((n, n), np.float32) for _ in range(2))
        self.C = np.empty_like(self.A)

    def __call__(self):
        np.dot(self.A, self.B, out=self.C)
        return 1

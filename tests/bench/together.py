"""Run by mpirun for the table `mpi`: times of steps, or of sums over the ranks, printed by rank 0 as JSON."""

import json
import sys
import time

from rnnlm.nn.threads import own_threads, set_threads
from rnnlm.training.ranks import ranks_of


def main(task, threads, seconds, *options):
    own_threads()
    set_threads(int(threads))
    ranks = ranks_of()
    work = steps(ranks, json.loads(options[0]), options[1]) if task == "steps" else sums(ranks, options[0])
    work()
    times = []
    while sum(times) < float(seconds) or len(times) < 3:
        start = time.perf_counter()
        work()
        times.append(ranks.agreed(time.perf_counter() - start))
    if ranks.first:
        print(json.dumps(times))


def steps(ranks, shape, way):
    """The trainer's step; way "late": no sum begins before the whole gradient is there; a number: in so many shares."""
    import itertools

    from tests.bench.ours import Step
    from tests.bench.shapes import Shape

    trainer = Step(Shape(**shape), "SGD", ranks, int(way) if way.isdigit() else None).trainer
    if way == "late" and ranks.size > 1:

        def backward(network, share, factor):
            network.backward(share, factor)
            ranks.add(network.grads.trainable)

        trainer.shares.backward = backward
    batches = itertools.cycle(list(trainer.reading.batches()))
    return lambda: trainer.step(next(batches))


def sums(ranks, n):
    import numpy as np

    from rnnlm.nn.heads import Loss

    vector = np.zeros(max(int(n), 1 << 23), np.float32)[
        : int(n)
    ]  # as a part of a gradient: in the system's large pages

    def work():
        ranks.add(vector)
        ranks.total(Loss())

    return work


if __name__ == "__main__":
    main(*sys.argv[1:])

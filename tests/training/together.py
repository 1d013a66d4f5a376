"""Run by mpirun: trains configurations by all ranks together, then each by rank 0 alone, and prints how they differ."""

import json
import sys

import tests.first  # noqa: F401  (it decides about threads before NumPy is loaded)
from rnnlm.training.ranks import ALONE, ranks_of


def main(file):
    ranks = ranks_of()
    from itertools import islice

    import numpy as np

    from rnnlm import config
    from rnnlm.experiment import Config, prepare
    from rnnlm.training.progress import save
    from rnnlm.training.trainer import Update

    def trained(settings, ranks):
        """Weights with slots and state, figures of the updates, validations, and the weights alone."""
        trainer = prepare(config.build(Config, settings), ranks=ranks).trainer
        updates = [event for event in islice(trainer.run(), 65) if isinstance(event, Update)][:55]
        saved = save(trainer)
        arrays = [trainer.network.params.flat, *saved["slots"].values(), *saved["state"], *saved["best"].values()]
        figures = [[u.loss.nats, u.loss.tokens, u.norm, u.clipped, u.lr] for u in updates]
        history, flat = np.array(saved["progress"]["history"]), np.concatenate([np.ravel(a) for a in arrays])
        return flat, np.ravel(figures), history, trainer.network.params.flat

    with open(file) as text:
        for name, settings in json.load(text).items():
            found = trained(settings, ranks)
            same = ranks.largest(int(not np.array_equal(ranks.agreed(found[3]), found[3]))) == 0
            if ranks.first:
                alone = trained(settings, ALONE)
                far = [float(np.abs(a - b).max()) if len(a) == len(b) else 1e9 for a, b in zip(found[:3], alone)]
                print(json.dumps([name, same, *far, len(found[1]) // 5, len(found[2])]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

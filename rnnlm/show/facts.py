"""Facts about a model: parameters, vocabulary, training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from rnnlm.loading import Loaded
from rnnlm.nn.heads.loss import exp_mean, finite
from rnnlm.training import checkpoint


def describe(loaded: Loaded, path: Path) -> dict[str, Any]:
    """Facts about a model, without its configuration, by the keys of docs/runs.md.

    path: as the model was named; of a run directory the progress of its training is told, too.
    """
    network, vocab, figures = loaded.network, loaded.vocab, loaded.figures
    inputs = vocab.inputs
    nats = figures["valid_nats"]
    best = min(filter(math.isfinite, nats), default=None)
    run = None
    if path.is_dir() and (path / "last.npz").exists():
        progress = checkpoint.load(path / "last.npz").progress
        run = {"path": str(path)} | {key: progress[key] for key in ("epoch", "step", "finished")}
    return {
        "model": str(loaded.path),
        "bytes": loaded.path.stat().st_size,
        "rnnlm": figures["rnnlm"],
        "kind": network.model.kind,
        "dtype": str(network.params.flat.dtype),
        "count": network.params.flat.size,
        "parameters": [
            {"name": name, "shape": array.shape, "count": array.size, "norm": finite(float(np.linalg.norm(array)))}
            for name, array in network.params.named.items()
        ],
        "vocabulary": {
            "size": len(inputs), "level": inputs.level, "lower": inputs.lower, "sha256": vocab.fingerprint,
            **({} if inputs is vocab else {"outputs": len(vocab)}),
        },
        "training": {
            "epoch": figures["epoch"], "step": figures["step"], "train_sha256": figures["train_sha256"],
            "valid": loaded.config.data.valid, "nats": [finite(x) for x in nats],
            "best": None if best is None else nats.index(best) + 1, "best_nats": best,
            f"best_{network.model.perplexity}": None if best is None else finite(exp_mean(best, 1)),
        },
        "run": run,
    }  # fmt: skip

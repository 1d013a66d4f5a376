"""Training: optimizers, schedules, the loop, checkpoints and the run directory."""

"""Training from Python: an iterator of events that can be stopped anywhere, and goes on where it was stopped."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from rnnlm import config as configuration
from rnnlm.errors import RnnlmError, UsageError
from rnnlm.experiment import Config, Experiment, begin
from rnnlm.files import resumable
from rnnlm.lm.network import NetworkScorer
from rnnlm.recipes.choice import settings
from rnnlm.recipes.names import config_file
from rnnlm.training.progress import Divergence
from rnnlm.training.run import Run
from rnnlm.training.trainer import Update, Validation

Event = Update | Validation | Divergence


class Session:
    """Training in progress: an iterator of its events. `rnnlm.train` makes it.

    experiment   texts, vocabulary, and `experiment.trainer` with its `network`
    run          the `Run` that is written; None: nothing is
    notes        what is to be known before it begins: warnings, and why a rate changes

    In a `with` statement, its end saves the state. An interrupt (Ctrl-C, or a notebook's stop button) lets the update
    in progress end, saves the state, and raises KeyboardInterrupt; iterating again goes on.
    """

    def __init__(self, experiment: Experiment, run: Run | None, resume: bool = False, force: bool = False):
        self.experiment, self.run, self.notes = experiment, run, []
        self._opened, self._over = contextlib.ExitStack(), False
        self._waiting: list[Event] = []  # an event that an interrupt has kept from being delivered
        self._events: Iterator[Event]
        if run is None:
            self._events = experiment.trainer.run()
        else:
            with contextlib.ExitStack() as opened:
                warnings = opened.enter_context(run.lock())
                warnings += run.begin(experiment, ["train", "(from Python)"], resume, force)
                self._opened = opened.pop_all()
            self.notes += [f"warning: {warning}" for warning in warnings]
            self._events = run.train(experiment)
        self.notes += experiment.notes

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        if not self._waiting:
            with signals_noted() as noted:
                try:
                    self._waiting.append(next(self._events))
                except (StopIteration, RnnlmError):  # the end; or weights that have diverged, not to be saved
                    self._over = True
                    self._opened.close()
                    raise
            if noted:
                self.save()
                raise KeyboardInterrupt
        return self._waiting.pop()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def save(self) -> None:
        """Write the checkpoint from which `resume` goes on, if there is a run directory."""
        if self.run is not None:
            self.run.save_last(self.experiment)

    def close(self) -> None:
        """Save the state unless training is over, and let go of the run directory: then nothing is left to iterate."""
        if not self._over:
            self.save()
        self._over, self._events = True, iter(())
        self._opened.close()

    @property
    def step(self) -> int:
        """Number of updates so far."""
        return self.experiment.trainer.progress.step

    @property
    def steps(self) -> int:
        """Number of updates in all epochs."""
        trainer = self.experiment.trainer
        return trainer.steps(trainer.settings.epochs)

    @property
    def finished(self) -> bool:
        """Whether training is over."""
        return self.experiment.trainer.finished

    @property
    def model(self) -> NetworkScorer:
        """Language model of the current weights, as `rnnlm.load` gives it. Raises UsageError for another task."""
        settings, network = self.experiment.config, self.experiment.trainer.network
        if settings.model.kind != "lm":
            raise UsageError(f"model.kind {settings.model.kind}: no language model", "see experiment.trainer.network")
        return NetworkScorer(network, settings.data.reading == "stream", False)


@contextlib.contextmanager
def signals_noted(
    numbers: Iterable[int] = (signal.SIGINT,), heard: Callable[[int], object] = lambda number: None
) -> Iterator[list[int]]:
    """Note signals in the list that is yielded, instead of ending the program; after a SIGINT, the next one does.

    heard: called with the number of each signal that is noted. Outside of the main thread, which receives signals,
    nothing is noted.
    """
    noted: list[int] = []

    def note(number: int, frame: Any) -> None:
        if noted[-1:] == [signal.SIGINT] == [number]:
            raise KeyboardInterrupt
        noted.append(number)
        heard(number)

    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, note) for number in numbers} if main else {}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def settings_of(
    config: str | Path | Mapping[str, Any] | Config, overrides: Mapping[str, Any], resumed: bool = False
) -> Config:
    """Configuration from a file, a run directory, a recipe, nested dicts or an instance, with "a.b" -> value on top.

    resumed: it is that of the run that goes on, whose texts stay.
    """
    changed = [f"{path}={configuration.in_one_line(_plain(value))}" for path, value in overrides.items()]
    if isinstance(config, (str, Path)):
        return settings(config_file(config), changed, resumed)[0]
    plain = _plain(config if isinstance(config, Mapping) else configuration.plain(config))
    return configuration.build(Config, plain, overrides=changed)


def _plain(data: Any) -> Any:
    """Nested data of a configuration, with the names of files as text."""
    return json.loads(json.dumps(data, default=str))


def train(
    config: str | Path | Mapping[str, Any] | Config,
    output: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    resume: bool | Literal["auto"] = False,
    force: bool = False,
    init_from: str | Path | None = None,
    extend_vocab: bool = False,
) -> Session:
    """Training as a `Session`: see `rnnlm.train`."""
    if output is None and (resume or force):
        raise UsageError("resume and force: of which run?", "give its directory as output")
    if extend_vocab and (init_from is None or output is None):
        raise UsageError("extend_vocab: needs init_from and output", "give both")
    run, overrides = None if output is None else Run(Path(output)), dict(overrides or {})
    if resume == "auto":
        resume = run is not None and resumable(run.path)
    if run is not None and resume and extend_vocab:
        overrides["data.vocab"] = str(run.path / "vocab.txt")
    resumed = bool(resume) and isinstance(config, (str, Path)) and Path(config) == Path(output or "")
    found = settings_of(config, overrides, resumed)
    if run is not None:
        run.check(bool(resume), force)
    extended = run.path if run is not None and extend_vocab else None
    return Session(begin(found, bool(resume), init_from, extended), run, bool(resume), force)

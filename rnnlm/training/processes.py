"""The ranks of MPI's world: how processes that train together talk, agree, and end.

This module loads no NumPy, as `rnnlm.training.ranks` does not.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import itertools
import os
import pickle
import queue
import socket
import threading
import time
from array import array
from collections.abc import Callable
from functools import partial
from typing import Any

from rnnlm.errors import DataError, NumericalError, RnnlmError, UsageError
from rnnlm.files import write_whole
from rnnlm.training.ranks import Ranks

CHUNK = 1 << 18  # numbers summed at once: so few that they stay in the processor's cache
PIECE = 1 << 28  # bytes sent at once; MPI counts in 32 bits
LOOK = 0.02  # seconds between looks whether the others are alive: a launcher kills all soon after one has died
MEET = 2.0  # seconds that a process which fails waits for the others to fail, too
SHARED = 30.0  # seconds that a file takes at most to be seen on all machines
WISHES = ("stop", "save")  # what any process may ask for, and all then do after the same update


class Lost(DataError):
    """Another process of the training has ended, so that it cannot go on."""


class Processes(Ranks):
    """The ranks of MPI's world.

    All that they say to each other goes, in order, through a thread of its own: so the gradient of the output layer is
    summed while the recurrence runs backwards, and meanwhile signals are received, and it is noticed when a process of
    this machine has died.
    """

    def __init__(self, MPI: Any):
        super().__init__()
        self._MPI, self._world = MPI, MPI.COMM_WORLD
        self._ends = self._world.Dup()  # where processes that fail meet
        self.rank, self.size = self._world.rank, self._world.size
        node = self._world.Split_type(MPI.COMM_TYPE_SHARED)
        self._cores = node.allgather(_cores())
        self.nodes = len(set(self._world.allgather(node.allreduce(self.rank, MPI.MIN))))
        pids = node.allgather((self.rank, os.getpid()))
        numbers = [pid for _, pid in pids]
        # Processes in containers of their own do not see each other.
        seen = len(set(numbers)) == len(numbers) and all(map(_alive, numbers))
        self._neighbours = pids if seen else []
        self.name = f"rank {self.rank} ({socket.gethostname()})"
        self._pending: list[concurrent.futures.Future] = []
        self._wished = set()
        self._jobs: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._carry, daemon=True).start()

    # --- talking ---

    def _carry(self) -> None:
        """Do one job after the other: the work of the thread that talks to the other ranks."""
        while True:
            future, job = self._jobs.get()
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)

    def _begin(self, job: Callable[[], Any]) -> concurrent.futures.Future:
        future: concurrent.futures.Future = concurrent.futures.Future()
        self._jobs.put((future, job))
        return future

    def _wait(self, future: concurrent.futures.Future) -> Any:
        """Return the result of a job. Raises Lost if another process ends meanwhile."""
        while True:
            try:
                return future.result(timeout=LOOK)
            except concurrent.futures.TimeoutError:
                self._look()
            except self._MPI.Exception as error:
                raise self._lost(f"MPI: {error}") from None

    def _do(self, job: Callable[[], Any]) -> Any:
        return self._wait(self._begin(job))

    def _do_patiently(self, job: Callable[..., Any], *args: Any) -> Any:
        """Do a job once all ranks have come to it."""

        def meet_and_do():
            self._meet()
            return job(*args)

        return self._do(meet_and_do)

    def _meet(self) -> None:
        """Wait for all ranks without keeping a core busy, as MPI's own waiting does: one of them may work for long."""
        request = self._world.Ibarrier()
        while not request.Test():
            time.sleep(0.001)

    def _look(self) -> None:
        """Raise Lost if a process of this machine has died."""
        gone = [rank for rank, pid in self._neighbours if not _alive(pid)]
        if gone:
            raise self._lost(f"rank {gone[0]}, a process of this training, has ended")

    def _lost(self, why: str) -> Lost:
        return Lost(
            f"{why}: no other can go on without it", "the last checkpoint is whole: go on from it with --resume"
        )

    def _broadcast(self, value: Any) -> Any:
        data = bytearray(pickle.dumps(value, 5)) if self.rank == 0 else bytearray()
        size = array("q", [len(data)])
        self._world.Bcast(size)
        data = data or bytearray(size[0])
        for start in range(0, size[0], PIECE):
            self._world.Bcast(memoryview(data)[start : start + PIECE])
        return value if self.rank == 0 else pickle.loads(data)

    # --- sharing ---

    def threads(self):
        return max(1, len(_cores()) // self._cores.count(_cores()))

    def add(self, vector):
        def job() -> None:
            for start in range(0, len(vector), CHUNK):
                self._world.Allreduce(self._MPI.IN_PLACE, vector[start : start + CHUNK])

        self._pending.append(self._begin(job))

    def total(self, loss, weight=1.0, patient=False):
        wishes = [float(wish in self._wishes) for wish in WISHES]
        self._wishes.clear()
        sums = array("d", [*(weight * x if weight else 0.0 for x in loss), *wishes])

        def add():
            if patient:
                self._meet()
            self._world.Allreduce(self._MPI.IN_PLACE, sums)

        self._pending.append(self._begin(add))
        for future in self._pending:
            self._wait(future)
        self._pending.clear()
        found = sums.tolist()
        self._wished |= {wish for wish, number in zip(WISHES, found[len(loss) :]) if number}
        return type(loss)(*found[: len(loss)])

    def agreed(self, value):
        return self._do(lambda: self._broadcast(value))

    def at_first(self, work):
        result, failure = None, None
        if self.first:
            try:
                result = work()
            except RnnlmError as error:
                failure = _parts(error)
        result, failure = self._do_patiently(self._broadcast, (result, failure))
        if failure:
            raise _error(*failure)
        return result

    def largest(self, number):
        return self._do(lambda: self._world.allreduce(number, self._MPI.MAX))

    def gathered(self, rows):
        found = self._do(lambda: self._world.gather(rows.copy()))
        if found is None:
            return rows
        import numpy as np

        return np.concatenate(found)

    def shared_out(self, items, work):
        items = iter(items)
        while turn := list(itertools.islice(items, self.size)):
            found, failure = [], None
            try:
                for item in turn[self.rank : self.rank + 1]:
                    found += work(item)
            except RnnlmError as error:
                failure = _parts(error)
            failures = self._do_patiently(self._world.allgather, failure)
            each = self._do(partial(self._world.gather, found))
            first = next((rank for rank, one in enumerate(failures) if one), self.size)
            for results in (each or [])[:first]:
                yield from results
            if first < self.size:
                raise _error(*failures[first])

    # --- agreeing ---

    def compare(self, facts):
        from rnnlm.training.resume import differences

        first = self.agreed(dict(facts))
        with self.together():
            for name, own in facts.items():
                if own == first[name]:
                    continue
                other, own = (str(x)[:40] for x in (first[name], own))
                if isinstance(facts[name], dict):
                    other, own = ", ".join(line for _, line in differences(first[name], facts[name])), ""
                raise UsageError(
                    f"the {name} is not that of rank 0: {other}{own and f' -> {own}'}",
                    "all processes of a training need the same files and the same version of rnnlm",
                )

    def check_shared(self, folder):
        path = folder / self.agreed(f".shared.{os.getpid()}.{time.time_ns()}.tmp")
        try:
            self.at_first(lambda: write_whole(path, b""))
            with self.together():
                end = time.monotonic() + SHARED
                while not path.exists():
                    if time.monotonic() > end:
                        raise DataError(
                            f"{folder}: what rank 0 writes there is not seen here",
                            "the run directory has to be on a file system that all machines share: choose another "
                            "with -o",
                        )
                    time.sleep(0.05)
        finally:
            if self.first:
                path.unlink(missing_ok=True)

    # --- failing ---

    @contextlib.contextmanager
    def together(self):
        error = None
        try:
            yield
        except RnnlmError as found:
            error = found
        failure = error and (self.name, *_parts(error))
        failed = list(filter(None, self._do_patiently(self._world.allgather, failure)))
        if failed:
            name, message, hint, status = failed[0]
            every = len(failed) == self.size and len({one[1] for one in failed}) == 1
            raise _error(message if every else f"{name}: {message}", hint, status)

    @contextlib.contextmanager
    def ending(self):
        try:
            yield
        except SystemExit:
            raise
        except BaseException as error:
            status = getattr(error, "exit_code", 130 if isinstance(error, KeyboardInterrupt) else 1)
            if isinstance(error, Lost):
                atexit.register(self._world.Abort, status)
                if not self._speaks():
                    time.sleep(MEET)
                    raise SystemExit(status) from None
            elif isinstance(error, Exception) and self._all_fail():
                if self.rank:
                    raise SystemExit(status) from None
            else:
                atexit.register(self._world.Abort, status)
                if isinstance(error, RnnlmError):
                    error.message = f"{self.name}: {error.message}"
            raise

    def _speaks(self) -> bool:
        """Whether this is the first of the processes of this machine that are alive."""
        return self.rank == min((rank for rank, pid in self._neighbours if _alive(pid)), default=self.rank)

    def _all_fail(self) -> bool:
        """Whether all ranks come here, soon."""
        request, end = self._ends.Ibarrier(), time.monotonic() + MEET
        while not request.Test():
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
        return True


def _parts(error: RnnlmError) -> tuple[str, str, int]:
    """What an error is made of, to be sent to other ranks."""
    return error.message, error.hint, error.exit_code


def _error(message: str, hint: str, status: int) -> RnnlmError:
    return {kind.exit_code: kind for kind in (DataError, UsageError, NumericalError)}[status](message, hint)


def _cores() -> tuple[int, ...]:
    """Numbers of the cores that this process may use."""
    return (
        tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else (*range(os.cpu_count() or 1),)
    )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True

"""Threads in a row: each does one kind of work on items, in the order in which they came.

The work releases the interpreter's lock (hashing, ciphers, zstd, writes), so a row of stages
uses as many cores as there are. A failure anywhere stops all further work, is kept, and is
raised to the owner; the items still travel to the end, so that no one waits for a buffer for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from queue import Queue, SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")

# Pieces that wait between a producing thread and its consumer; with 1 MiB each, little memory.
_AHEAD = 3


class FirstFailure:
    """Keeps the first error of a row of stages."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def check(self) -> None:
        """Return when nothing failed.

        Raises:
            BaseException: the first error, as it was raised in its thread.
        """
        if self.error is not None:
            raise self.error


class Stage(Generic[Item]):
    """One or more threads that work on items and pass them on.

    Args:
        name: for thread listings.
        work: what is done; never two items at once when there is one thread.
        then: gets each item afterwards, also when work failed or was left out.
        failure: shared by the row.
        threads: more than one keeps no order.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Item], None],
        then: Callable[[Item], None],
        failure: FirstFailure,
        threads: int = 1,
    ) -> None:
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._work = work
        self._then = then
        self._failure = failure
        # Daemons: an abandoned row must not keep a stopping process alive.
        self._threads = [
            threading.Thread(target=self._run, name=name, daemon=True) for _ in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, item: Item) -> None:
        """Hand over an item; returns at once."""
        self._queue.put(item)

    def stop(self) -> None:
        """Return when everything handed over was done and the threads have ended."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                if self._failure.error is None:
                    self._work(item)
            except BaseException as error:
                self._failure.error = self._failure.error or error
            self._then(item)


def ahead(
    source: Iterator[Item], transform: Callable[[Iterator[Item]], Iterator[Item]]
) -> Generator[Item, None, None]:
    """Yield what the transformation makes of the source, made in a thread a few pieces ahead.

    Closing the generator stops the thread before it returns; the source is closed there too.

    Raises:
        BaseException: whatever source or transformation raised, at its place in the order.
    """
    ready: Queue[tuple[Item] | FirstFailure] = Queue(_AHEAD)
    end = FirstFailure()
    stopping = threading.Event()

    def produce() -> None:
        try:
            for item in transform(source):
                if stopping.is_set():
                    break
                ready.put((item,))
            if isinstance(source, Generator):
                source.close()
        except BaseException as error:
            end.error = error
        ready.put(end)

    thread = threading.Thread(target=produce, name="ahead", daemon=True)
    thread.start()
    waiting: tuple[Item] | FirstFailure | None = None
    try:
        while not isinstance(waiting := ready.get(), FirstFailure):
            yield waiting[0]
        end.check()
    finally:
        stopping.set()
        while waiting is not end:
            waiting = ready.get()
        thread.join()

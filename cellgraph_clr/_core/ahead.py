"""Reading ahead: the next items are made while the last one is used."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

__all__ = ["ahead"]

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(make: Callable[[Item], Made], items: Iterable[Item], *, n_threads: int = 1) -> Iterator[tuple[Item, Made]]:
    """Yield every item with what is made of it, in order; as many as there are threads are made ahead, each in one of them.

    Errors of `make` are raised where its item would come; what was not begun by then, or when the caller stops, is not made.
    """
    with ThreadPoolExecutor(n_threads) as pool:
        waiting: deque[tuple[Item, Future[Made]]] = deque()
        try:
            for item in items:
                waiting.append((item, pool.submit(make, item)))
                if len(waiting) > n_threads:
                    done, made = waiting.popleft()
                    yield done, made.result()
            while waiting:
                done, made = waiting.popleft()
                yield done, made.result()
        finally:
            for _, made in waiting:
                made.cancel()

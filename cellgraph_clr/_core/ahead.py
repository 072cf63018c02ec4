"""Reading ahead: the next item is made while the last one is used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["ahead"]

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[tuple[Item, Made]]:
    """Yield every item with what is made of it, in order; one is made ahead, in a thread of its own.

    Errors of `make` are raised where its item would come.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting = None
        for item in items:
            following = item, pool.submit(make, item)
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = following
        if waiting is not None:
            yield waiting[0], waiting[1].result()

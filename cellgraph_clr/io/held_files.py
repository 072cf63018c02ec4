"""Files for HDF5 that never refuse a write."""

from __future__ import annotations

import io
from typing import Any

__all__ = ["HeldFile"]


class HeldFile(io.FileIO):
    """A new file whose contents go on in memory once the disk refuses them (full, a limit): `refused` is then the error.

    HDF5 crashes the process at its end when a file cannot be closed for want of room. Whoever writes into this one closes it and
    then looks at `refused`. Before that nothing is held in memory, afterwards the whole file.
    """

    refused: OSError | None = None
    _memory: io.BytesIO

    def write(self, data: Any) -> int:
        """Write all of `data` and return its size in bytes."""
        left = memoryview(data).cast("B")
        n = left.nbytes
        while left.nbytes and self.refused is None:
            try:
                left = left[super().write(left) :]
            except OSError as error:
                self._hold(error)
        return n if self.refused is None else n - left.nbytes + self._memory.write(left)

    def truncate(self, size: int | None = None) -> int:
        """Make the file this long, the position as it was."""
        if self.refused is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self._hold(error)
        place = self._memory.tell()
        end = place if size is None else size
        self._memory.truncate(end)
        self._memory.seek(0, io.SEEK_END)
        self._memory.write(bytes(end - self._memory.tell()))
        self._memory.seek(place)
        return end

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer and return how many bytes were read."""
        return super().readinto(buffer) if self.refused is None else self._memory.readinto(buffer)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position and return it."""
        return super().seek(offset, whence) if self.refused is None else self._memory.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return super().tell() if self.refused is None else self._memory.tell()

    def _hold(self, error: OSError) -> None:
        """Go on in memory, from what is on the disk."""
        place = super().tell()
        super().seek(0)
        self._memory = io.BytesIO(super().readall())
        self._memory.seek(place)
        self.refused = error

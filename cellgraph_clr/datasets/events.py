"""Generated movies with known events: cells that grow, divide, die or merely move, and movies in which time has no arrow."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_in_range, check_whole
from cellgraph_clr._core.rng import RandomState, as_rng
from cellgraph_clr.cells.movie import Movie

__all__ = ["event_movie", "reversible_movie"]

CYCLE = 14  # frames from division to division
DYING = 4  # frames from the first sign of death to the last
ROUND = 2  # frames for which a cell is round and bright before it divides
SMALL = 5.5  # radius of a cell after division, in pixels
BACKGROUND, SIGNAL = 200.0, 800.0


@dataclass(slots=True)
class _Cell:
    """A cell in one frame."""

    track: int
    place: np.ndarray
    angle: float
    stretch: float
    age: float
    fate: str  # "grows", "moves" or "dies"
    dying: int = 0
    begin: int = 0
    parent: int = 0
    speed: np.ndarray = field(default_factory=lambda: np.zeros(2))


@checked
def event_movie(
    n_cells: int = 30,
    n_frames: int = 40,
    *,
    side: int = 256,
    death_rate: float = 0.04,
    resting: float = 0.2,
    random_state: RandomState = 0,
) -> Movie:
    """Return a movie of nuclei with known divisions and deaths.

    Growing cells double their area over 14 frames, are round and bright for 2, and leave two daughters of half the area. Dying
    cells shrink, brighten and break up over 4 frames and are gone. Resting cells merely move. All drift at random and push each
    other apart; noise is drawn for every frame anew.

    Parameters
    ----------
    n_cells : int, default 30
        In the first frame.
    n_frames : int, default 40
        At least 2.
    side : int, default 256
        Pixels of a frame along y and x, at least 64.
    death_rate : float, default 0.04
        Chance of a growing cell to begin to die in a frame.
    resting : float, default 0.2
        Share of the cells that neither grow nor die.
    random_state : int, numpy.random.Generator or None, default 0
        Seed.

    Returns
    -------
    Movie
        `Movie` (t, 1, y, x) uint16 with labels (ids are tracks) and tracks; 1 pixel is 1 unit.

    Raises
    ------
    OptionError
        For options outside their range.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> cgc.datasets.event_movie(6, 8, side=96, random_state=0)
    <Movie of 8 frames 96 x 96, channels intensity, labels, tracks>
    """
    import pandas as pd

    check_whole("n_cells", n_cells)
    check_whole("n_frames", n_frames, low=2)
    check_whole("side", side, low=64)
    check_in_range("death_rate", death_rate, low=0, high=1)
    check_in_range("resting", resting, low=0, high=1)
    rng = as_rng(random_state)
    cells = [
        _Cell(
            i + 1,
            rng.uniform(0.05 * side, 0.95 * side, 2),
            rng.uniform(0, np.pi),
            rng.uniform(1.1, 1.4),
            rng.uniform(0, CYCLE),
            "moves" if rng.random() < resting else "grows",
        )
        for i in range(n_cells)
    ]
    frames, labels, tracks = [], [], []
    last = n_cells
    for t in range(n_frames):
        _apart(cells, side)
        picture, masks = _drawn(cells, side, rng)
        frames.append(picture)
        labels.append(masks)
        if t == n_frames - 1:
            break
        after = []
        for cell in cells:
            divides = cell.fate == "grows" and cell.age >= CYCLE - 1
            if divides or cell.dying == DYING:
                tracks.append((cell.track, cell.begin, t, cell.parent))
            if divides:
                for sign in (-1, 1):
                    last += 1
                    after.append(_daughter(cell, last, sign, t + 1, rng))
            elif cell.dying < DYING:
                after.append(_aged(cell, death_rate, rng))
        cells = after
    tracks += [(c.track, c.begin, n_frames - 1, c.parent) for c in cells]
    seen = np.unique(np.stack(labels))
    table = pd.DataFrame(sorted(tracks), columns=["track", "begin", "end", "parent"])
    return Movie.build(np.stack(frames), np.stack(labels), table[table["track"].isin(seen)])


def reversible_movie(n_cells: int = 30, n_frames: int = 40, *, side: int = 256, random_state: RandomState = 0) -> Movie:
    """Return a movie whose statistics are the same forwards and backwards: nothing can tell the direction of time.

    Cells swing about fixed places, their size and brightness about fixed values (stationary Gaussian processes, which are
    reversible); noise is drawn for every frame anew. Arguments, result and errors as `event_movie`.

    Parameters
    ----------
    n_cells : int, default 30
        In every frame.
    n_frames : int, default 40
        Number of frames.
    side : int, default 256
        Pixels of a frame along y and x.
    random_state : int, numpy.random.Generator or None, default 0
        Seed.

    Returns
    -------
    Movie
        A movie whose statistics are the same forwards and backwards.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> cgc.datasets.reversible_movie(6, 8, side=96, random_state=0)
    <Movie of 8 frames 96 x 96, channels intensity, labels, tracks>
    """
    import pandas as pd

    check_whole("n_cells", n_cells)
    check_whole("n_frames", n_frames, low=2)
    check_whole("side", side, low=64)
    rng = as_rng(random_state)
    homes = rng.uniform(0.05 * side, 0.95 * side, (n_cells, 2))
    size = rng.uniform(0.9, 1.5, n_cells)
    angle = rng.uniform(0, np.pi, n_cells)
    state = rng.normal(size=(n_cells, 4))
    keep = 0.8
    frames, labels = [], []
    for _ in range(n_frames):
        cells = [
            _Cell(i + 1, homes[i] + 2.5 * s[:2], angle[i], 1.2, CYCLE * (size[i] - 0.9 + 0.1 * s[2]), "moves")
            for i, s in enumerate(state)
        ]
        picture, masks = _drawn(cells, side, rng, gain=np.exp(0.1 * state[:, 3]))
        frames.append(picture)
        labels.append(masks)
        state = keep * state + np.sqrt(1 - keep**2) * rng.normal(size=state.shape)
    tracks = pd.DataFrame({"track": np.arange(1, n_cells + 1), "begin": 0, "end": n_frames - 1, "parent": 0})
    return Movie.build(np.stack(frames), np.stack(labels), tracks)


def _aged(cell: _Cell, death_rate: float, rng: np.random.Generator) -> _Cell:
    """Return the cell a frame later."""
    cell.speed = 0.6 * cell.speed + rng.normal(0, 0.6, 2)
    cell.place = cell.place + cell.speed
    cell.angle += rng.normal(0, 0.1)
    if cell.dying:
        cell.dying += 1
    elif cell.fate == "grows":
        cell.age += rng.uniform(0.8, 1.2)
        if cell.age < CYCLE - ROUND - 1 and rng.random() < death_rate:
            cell.fate, cell.dying = "dies", 1
    return cell


def _daughter(cell: _Cell, track: int, sign: int, t: int, rng: np.random.Generator) -> _Cell:
    along = np.array([np.sin(cell.angle), np.cos(cell.angle)])
    return _Cell(
        track,
        cell.place + sign * SMALL * along,
        cell.angle + rng.normal(0, 0.2),
        rng.uniform(1.1, 1.4),
        rng.uniform(0, 1),
        "grows",
        begin=t,
        parent=cell.track,
    )


def _radius(cell: _Cell) -> float:
    """Return the radius of a disc of the cell's area: twice the area over a cycle, less while it dies."""
    grown = SMALL * np.sqrt(1 + np.clip(cell.age / CYCLE, 0, 1))
    return float(grown * (1 - 0.12 * cell.dying))


def _apart(cells: list[_Cell], side: int) -> None:
    """Push overlapping cells apart, in place, and keep them inside the frame."""
    if not cells:
        return
    place = np.array([c.place for c in cells])
    reach = np.array([_radius(c) for c in cells])
    for _ in range(4):
        offset = place[:, None] - place[None]
        distance = np.linalg.norm(offset, axis=2)
        np.fill_diagonal(distance, np.inf)
        overlap = np.clip(reach[:, None] + reach[None] - distance, 0, None)
        place += 0.25 * (offset / np.maximum(distance, 1e-6)[..., None] * overlap[..., None]).sum(axis=1)
        place = np.clip(place, 2, side - 3)
    for cell, at in zip(cells, place, strict=True):
        cell.place = at


def _drawn(
    cells: list[_Cell], side: int, rng: np.random.Generator, gain: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a frame (side, side) uint16 and its labels int32: soft ellipses on noise."""
    picture = np.full((side, side), BACKGROUND)
    best = np.full((side, side), np.inf)
    labels = np.zeros((side, side), np.int32)
    for i, cell in enumerate(cells):
        radius = _radius(cell)
        dividing = cell.fate == "grows" and cell.age >= CYCLE - ROUND - 1
        stretch = 1.0 if dividing else cell.stretch
        bright = (1.6 if dividing else 1.0) * (1 + 0.25 * cell.dying) * (1.0 if gain is None else gain[i])
        reach = int(np.ceil(2 * radius * stretch)) + 1
        middle = np.round(cell.place).astype(int)
        low, high = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, side)
        y, x = np.mgrid[low[0] : high[0], low[1] : high[1]]
        dy, dx = y - cell.place[0], x - cell.place[1]
        along = (dy * np.sin(cell.angle) + dx * np.cos(cell.angle)) / np.sqrt(stretch)
        across = (dy * np.cos(cell.angle) - dx * np.sin(cell.angle)) * np.sqrt(stretch)
        depth = np.hypot(along, across) / radius
        body = 1 / (1 + np.exp((depth - 1) * radius / 0.8))
        if cell.dying:  # it breaks up
            body = body * (0.55 + 0.45 * np.sin(1.1 * along) * np.sin(1.1 * across))
        part = (slice(low[0], high[0]), slice(low[1], high[1]))
        picture[part] += SIGNAL * bright * body
        mine = (depth < 1) & (depth < best[part])
        best[part][mine] = depth[mine]
        labels[part][mine] = cell.track
    noisy = rng.poisson(picture) + rng.normal(0, 20, picture.shape)
    return noisy.clip(0, 65535).astype(np.uint16), labels

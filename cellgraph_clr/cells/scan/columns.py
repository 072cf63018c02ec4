"""The names of the columns of the tables of a scan, for those who fill them and those who read them.

Axes are z, y, x. A name without an axis is a slice over all axes, or over the columns that belong together.
"""

from __future__ import annotations

# sums of a cell, int64: count, first and second moments, box (inclusive), faces on the border of the image
COUNT = 0
FIRST_Z, FIRST_Y, FIRST_X = 1, 2, 3
SECOND_ZZ, SECOND_YY, SECOND_XX, SECOND_ZY, SECOND_ZX, SECOND_YX = 4, 5, 6, 7, 8, 9
LOW_Z, HIGH_Z, LOW_Y, HIGH_Y, LOW_X, HIGH_X = 10, 11, 12, 13, 14, 15
BORDER_Z, BORDER_Y, BORDER_X = 16, 17, 18
N_SUMS = 19
FIRST = slice(FIRST_Z, FIRST_X + 1)
SECOND = slice(SECOND_ZZ, SECOND_YX + 1)
BOX = slice(LOW_Z, HIGH_X + 1)
BOX_LOW, BOX_HIGH = slice(LOW_Z, HIGH_X + 1, 2), slice(HIGH_Z, HIGH_X + 1, 2)
BORDER = slice(BORDER_Z, BORDER_X + 1)

SECOND_AXES = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))  # the two axes of each column of `SECOND`
Z, Y, X = 0, 1, 2  # axes of faces, coordinates and boxes
LOW, HIGH = 0, 1  # last axis of a box

# a pair of cells, int64: faces along z, y and x; ends of runs that two lines, neighbors along z or y, have in common
FACES = slice(Z, X + 1)
COMMON = 3  # COMMON + Z, COMMON + Y
N_OF_PAIRS = 5

# intensities of a cell and a channel, float64: sum and sum of squares about `shift`; of raw values the least, the most, and
# the sums of z, y and x that they weigh
TOTAL, SQUARES, LEAST, MOST = 0, 1, 2, 3
WEIGHTED_Z, WEIGHTED_Y, WEIGHTED_X = 4, 5, 6
N_INTENSITY = 7
WEIGHTED = slice(WEIGHTED_Z, WEIGHTED_X + 1)

# overlaps of a cell, int64: families of diagonals
N_OVERLAPS = 4  # xy, xz, yz, xyz

# lines that are compared, int64: how far before along z and y, x lag, the columns of `overlaps` for an x lag of 0 and for
# the x lags +dx and -dx, and which of the matches are those of both lines; below 0 none
OFFSET_Z, OFFSET_Y, OFFSET_X, PLAIN, LAGGED, MATCH = 0, 1, 2, 3, 4, 5
N_OFFSETS = 6
HEAD, TAIL = 0, 1  # last axis of matches

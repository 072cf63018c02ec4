"""One read of a label image: exact statistics per cell and per pair, for any integer type, 2D or 3D."""

from cellgraph_clr.cells.scan.drive import scan_labels
from cellgraph_clr.cells.scan.statistics import LabelStatistics, merge_statistics

__all__ = ["LabelStatistics", "merge_statistics", "scan_labels"]

"""What every picture must be: pyplot's, not blank, with nothing cut off."""

import matplotlib.pyplot as plt
import numpy as np


def check_picture(ax, *, n_axes=None):
    """Check the figure of some axes, and return its pixels (h, w, 3)."""
    figure = np.ravel(ax)[0].figure
    assert figure.number in plt.get_fignums(), "pyplot does not know the figure: it shows in no notebook"
    figure.canvas.draw()
    box, size = figure.get_tightbbox(), figure.get_size_inches()
    over = [-box.x0, -box.y0, box.x1 - size[0], box.y1 - size[1]]
    assert max(over) < 0.03, f"an artist lies {max(over):.2f} inches outside"
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    assert (pixels < 250).any(axis=-1).mean() > 0.005, "the picture is blank"
    if n_axes is not None:
        assert len(figure.axes) == n_axes
    return pixels


def drawn_at(ax, x, y):
    """Return the colour (3,) 0 … 255 of a place in data coordinates."""
    figure = ax.figure
    figure.canvas.draw()
    column, row = ax.transData.transform((x, y))
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    return pixels[pixels.shape[0] - 1 - round(row), round(column)].astype(int)

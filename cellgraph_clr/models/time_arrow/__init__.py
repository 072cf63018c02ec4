"""Features of movies from the direction of time, and events of cells recognised on them: for movies without masks.

Where there are masks, matches between frames (`gr.temporal_matches`, `tl.detect_events`) find events better.

Paper
-----
Gallusser, Stieber and Weigert 2023, MICCAI (TAP, arXiv 2305.05511); Chen, Namboodiri and Sero 2024, arXiv 2411.03924 (events).

Flow
----
1. `frames.check_movies`, `frames.stacked_frames`: frames, normalised one by one; `frames.time_ranges`: a stretch held out.
2. `data.FramePairs`: crops of one place at two times, where there is something to see, slightly moved.
3. `task.ArrowTask`: half of the pairs are turned round; `distortion.distort_pairs` gives each frame its own gain and noise.
4. `unet.UNet`, `network.ArrowNet`: dense features of each frame, and a head that permutes with the frames.
5. `task.arrow_accuracy`: how often the order is told on the stretch held out, with its error.
6. `model.TimeArrow`: features of cells, frames or pixels (exact in tiles), and where the order is seen (Grad-CAM).
7. `places.cell_places`, `places.cut_places`: cells with their events; `event_task.EventTask`: classes drawn alike.
8. `events.EventClassifier`: a head on those features, one temperature, brought back to how often each event occurs.

Equations
---------
    (1)  L   = CE(order) + w mean_c - log softmax_c'(x_c . x_c' / T)_c        `task.ArrowTask`
    (2)  y_s = A x_s + mean_s' B x_s', over frames s                          `network.EquivariantBlock`
    (3)  cam = |sum_c a_c A_c|, a_c = sum over pixels of d y_0 / d A_c        `model.TimeArrow.attribution`
    (4)  p   = softmax(z / T + log(n_k K / n)), classes k drawn alike         `events.EventClassifier`
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "config": ["Backbone", "TimeArrowConfig"],
        "event_config": ["EventClassifierConfig"],
        "events": ["EventClassifier"],
        "model": ["TimeArrow"],
    },
)

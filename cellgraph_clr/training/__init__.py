"""The engine that trains every system; it knows no cells.

A system says what it learns as a `Task`: `networks()`, `draw(step)`, `loss(networks, batch)`. `train` runs it through Lightning:
batches by the number of their step (in workers, where asked), AdamW, checkpoints, figures, callbacks, loggers. A `Recipe` is the
learner around it: a frozen configuration, `fit`, `save`, `load`.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "objects": ["built"],
        "recipe": ["Fitted", "Recipe"],
        "run": ["Trained", "Watch", "train"],
        "runtime": ["Runtime"],
        "task": ["Lowered", "Schedule", "Task", "generators"],
    },
)

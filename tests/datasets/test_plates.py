"""Generated plates: the pairs differ in what they should alone."""

import numpy as np

from cellgraph_clr.datasets.plates import phenotype_plate


def test_pairs_differ_in_brightness_or_density():
    plate = phenotype_plate(14, 2, side=256, random_state=0)
    assert repr(plate) == "<Plate of 14 samples, 14 wells, 28 fields, channels DNA, actin, pH3>"
    cover = [np.mean([(plate.labels(i) > 0).mean() for i in plate.rows([f"sample_{k:02d}"])]) for k in range(4)]
    inside = [
        np.mean([plate.image(i)[0][plate.labels(i) > 0].mean() for i in plate.rows([f"sample_{k:02d}"])])
        for k in range(4)
    ]
    assert abs(cover[1] / cover[0] - 1) < 0.1
    assert inside[1] / inside[0] > 1.4
    assert cover[3] / cover[2] > 2
    assert abs(inside[3] / inside[2] - 1) < 0.25  # gains vary

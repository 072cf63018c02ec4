import pytest
import torch

from cellgraph_clr._core.errors import MissingFileError
from cellgraph_clr.training.checkpoints import SafeCheckpoints


def test_what_lightning_saves_comes_back(tmp_path):
    state = torch.arange(6.0).reshape(2, 3)
    saved = {
        "state": {0: {"step": torch.tensor(3.0), "row": state[1]}, 1: {}},
        "betas": (0.9, 0.999),
        "nothing": None,
        "list": [1, 0.1, True, "a"],
    }
    SafeCheckpoints().save_checkpoint(saved, tmp_path / "run.ckpt")
    back = SafeCheckpoints().load_checkpoint(tmp_path / "run.ckpt")
    assert torch.equal(back["state"][0].pop("row"), saved["state"][0].pop("row"))
    assert back == saved
    with pytest.raises(MissingFileError):
        SafeCheckpoints().load_checkpoint(tmp_path / "other.ckpt")

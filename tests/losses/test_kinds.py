"""Losses of tensors that do not go together: named errors, whatever loss."""

import pytest
import torch

from cellgraph_clr import losses
from cellgraph_clr._core.errors import CellGraphError, OptionError
from cellgraph_clr.losses import functional

PAIRS = (
    "InfoNCEp",
    "InfoNCE",
    "MILNCE",
    "CompositeInfoNCE",
    "SupCon",
    "SupConIn",
    "NTXent",
    "VICReg",
)
OF_SCORES = ("infonce_p", "infonce", "mil_nce", "composite_infonce", "supcon_out", "supcon_in")
EYE = torch.eye(4, dtype=torch.bool)
Z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
BAD = {
    "integers": (Z.long(), Z),
    "candidates of integers": (Z, Z.int()),
    "float32 and float64": (Z, Z.double()),
    "float16 and float64": (Z.half(), Z.double()),
    "complex": (Z.to(torch.complex64), Z),
    "bool": (Z > 0, Z),
    "another device": (Z, Z.to("meta")),
    "arrays": (Z.numpy(), Z.numpy()),
    "None": (None, Z),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("name", PAIRS)
def test_vectors_of_pairs_go_together(name, kind):
    with pytest.raises(OptionError):
        getattr(losses, name)()(*BAD[kind], EYE)
    with pytest.raises(OptionError):
        getattr(losses, name)()(*BAD[kind], EYE, ~EYE & False)


@pytest.mark.parametrize("name", PAIRS)
def test_masks_lie_beside_the_vectors(name):
    loss = getattr(losses, name)()
    for mask in (EYE.to("meta"), EYE.numpy(), None, [[True]]):
        with pytest.raises(CellGraphError):
            loss(Z, Z, mask)
    with pytest.raises(CellGraphError):
        loss(Z, Z, EYE, EYE.to("meta"))


@pytest.mark.parametrize("name", PAIRS)
def test_halves_go_with_float32(name):
    loss = getattr(losses, name)()
    assert torch.isfinite(loss(Z.half(), Z, EYE))
    assert torch.isfinite(loss(Z.bfloat16(), Z.half(), EYE))
    assert loss(Z.double(), Z.double(), EYE).dtype == torch.float64


@pytest.mark.parametrize("name", OF_SCORES)
def test_scores_are_numbers(name):
    for scores in (
        torch.eye(4).long(),
        torch.eye(4).to(torch.complex64),
        torch.eye(4).numpy(),
    ):
        with pytest.raises(OptionError):
            getattr(functional, name)(scores, EYE)


def test_log_noise_is_a_tensor_of_numbers():
    for noise in ([0.0] * 4, torch.zeros(4, device="meta")):
        with pytest.raises(OptionError):
            losses.InfoNCEp()(Z, Z, EYE, log_noise=noise)


def test_soft_losses_take_what_can_be_converted():
    prior = torch.full((3,), 1 / 3)
    targets = torch.eye(3).repeat(2, 1)[:4]
    assert torch.isfinite(functional.soft_infonce(Z, targets.double(), prior)).all()
    for logits, other in ((Z.long(), targets), (Z, targets.numpy()), (Z, targets.to("meta")), (None, targets)):
        with pytest.raises(OptionError):
            functional.soft_infonce(logits, other, prior)
        with pytest.raises(OptionError):
            functional.soft_cross_entropy(logits, other)
    for noise in (targets.numpy(), targets.to("meta")):
        with pytest.raises(OptionError):
            functional.soft_infonce(Z, targets, prior, noise_targets=noise)
    with pytest.raises(OptionError):
        functional.soft_infonce(Z, targets, prior.numpy())


def test_the_others_too():
    for bad in (Z[None].long(), Z.numpy()[None], None):
        with pytest.raises(OptionError):
            functional.decorrelation(bad)
    with pytest.raises(OptionError):
        functional.log_esp(torch.eye(2).long(), torch.ones(2, dtype=torch.long))
    with pytest.raises(OptionError):
        functional.mutual_information(torch.eye(3).long(), torch.eye(3) > 0)
    with pytest.raises(OptionError):
        functional.vicreg(Z, Z.double(), EYE)

"""Laws of all losses: second derivatives are right or refused, precision does not depend on what is around them."""

import itertools

import pytest
import torch

from cellgraph_clr import losses
from cellgraph_clr._core.precision import widened
from cellgraph_clr.losses import functional
from cellgraph_clr.losses._offered import contaminated
from cellgraph_clr.losses.multi_positive import _rows_in_torch

N, C, D, K = 32, 40, 8, 5
ONE = torch.zeros(N, C, dtype=torch.bool)
ONE[torch.arange(N), torch.arange(N)] = True
SEVERAL = ONE | (torch.rand(N, C, generator=torch.Generator().manual_seed(1)) < 0.1)
EXCLUDE = (torch.rand(N, C, generator=torch.Generator().manual_seed(2)) < 0.1) & ~SEVERAL
WEIGHTS = {"invariance": 2.0, "variance": 2.0, "covariance": 1.0}  # small: 65536 times the gradient fits in float16
PRIOR = torch.tensor([0.1, 0.2, 0.3, 0.2, 0.2])
PAIR_LOSSES = {
    "InfoNCEp": SEVERAL, "InfoNCE": ONE, "SupCon": SEVERAL, "SupConIn": SEVERAL, "MILNCE": SEVERAL,
    "CompositeInfoNCE": SEVERAL, "NTXent": SEVERAL,
}  # fmt: skip
ROW_LOSSES = {
    "infonce_p": SEVERAL, "infonce": ONE, "supcon_out": SEVERAL, "supcon_in": SEVERAL, "mil_nce": SEVERAL,
    "composite_infonce": SEVERAL,
}  # fmt: skip
INFONCE_P = {
    "by p": {"normalize": "p"}, "n_true": {"n_true": 2}, "purity": {"purity": 0.7, "normalize": "p"},
    "auto": {"method": "auto"},
}  # fmt: skip
CLOSED_FORM = {
    *(f"{name} {option}" for name in ("infonce_p", "InfoNCEp") for option in INFONCE_P),
    *PAIR_LOSSES, *(f"{name} learned" for name in PAIR_LOSSES), "SoftInfoNCE", "SoftInfoNCE learned", "infonce_p",
    "soft_infonce", "soft_infonce gathered", "mutual_information infonce_p",
}  # fmt: skip


def targets(z):
    w = torch.softmax(torch.randn(len(z), K, generator=torch.Generator().manual_seed(3)), 1)
    return w.double() if z.dtype == torch.float64 else w


def row_loss(name, positives):
    return lambda scores: getattr(functional, name)(scores, positives, EXCLUDE).mean()


def with_options(options):
    return lambda scores: functional.infonce_p(scores, SEVERAL, EXCLUDE, **options).mean()


def module_with(options):
    return lambda a, c: losses.InfoNCEp(0.3, **options)(a, c, SEVERAL, EXCLUDE)


def information(bound):
    return lambda scores: functional.mutual_information(scores, ONE, bound=bound)


def call(loss, log_temperature, *inputs):
    owner = "composite.log_temperature" if isinstance(loss, losses.NTXent) else "log_temperature"
    return torch.func.functional_call(loss, {owner: log_temperature}, inputs)


def learned(name, positives):
    return lambda a, c, t: call(getattr(losses, name)(learn_temperature=True), t, a, c, positives, EXCLUDE)


def gathered(z):
    everyone = torch.cat([targets(z)[:7].flip(1), targets(z)])
    return functional.soft_infonce(z, targets(z), PRIOR, noise_targets=everyone)


# name -> loss of tensors, their shapes
CASES = {
    **{
        name: (lambda a, c, n=name, p=positives: getattr(losses, n)(0.3)(a, c, p, EXCLUDE), [(N, D), (C, D)])
        for name, positives in PAIR_LOSSES.items()
    },
    **{f"{name} learned": (learned(name, positives), [(N, D), (C, D), ()]) for name, positives in PAIR_LOSSES.items()},
    "VICReg": (lambda a, c: losses.VICReg(**WEIGHTS)(a, c, SEVERAL), [(N, D), (C, D)]),
    "vicreg": (lambda a, c: functional.vicreg(a, c, SEVERAL, **WEIGHTS), [(N, D), (C, D)]),
    "SoftInfoNCE": (lambda z: losses.SoftInfoNCE(PRIOR)(z, targets(z)), [(N, K)]),
    "SoftInfoNCE learned": (
        lambda z, t: call(losses.SoftInfoNCE(PRIOR, learn_temperature=True), t, z, targets(z)),
        [(N, K), ()],
    ),
    "soft_infonce gathered": (lambda z: gathered(z).mean(), [(N, K)]),
    "soft_infonce": (lambda z: functional.soft_infonce(z, targets(z), PRIOR).mean(), [(N, K)]),
    "soft_cross_entropy": (lambda z: functional.soft_cross_entropy(z, targets(z)).mean(), [(N, K)]),
    **{name: (row_loss(name, positives), [(N, C)]) for name, positives in ROW_LOSSES.items()},
    **{f"infonce_p {name}": (with_options(o), [(N, C)]) for name, o in INFONCE_P.items()},
    **{f"InfoNCEp {name}": (module_with(o), [(N, D), (C, D)]) for name, o in INFONCE_P.items()},
    "log_esp": (lambda f: functional.log_esp(f, SEVERAL.sum(1)).mean(), [(N, C)]),
    "decorrelation": (functional.decorrelation, [(4, D, 30)]),
    "decorrelation learned": (lambda x, t: functional.decorrelation(x, widened(t).exp()), [(4, D, 30), ()]),
    "soft_cross_entropy learned": (
        lambda z, t: functional.soft_cross_entropy(z, targets(z), widened(t).exp()).mean(),
        [(N, K), ()],
    ),
    **{f"mutual_information {e}": (information(e), [(N, C)]) for e in ("jsd", "dv", "nce", "infonce_p")},
}
every_loss = pytest.mark.parametrize("name", CASES)


def drawn(name, dtype):
    g = torch.Generator().manual_seed(0)
    values = [0.3 * torch.randn(shape, generator=g) for shape in CASES[name][1]]
    return [v.bfloat16().to(dtype).requires_grad_() for v in values]  # numbers that every precision holds


def slopes(name, inputs, upstream=1.0, **options):
    return torch.autograd.grad(CASES[name][0](*inputs) * upstream, inputs, **options)


def test_every_loss_is_held_to_the_laws():
    names = {n for n in losses.__all__ if n != "functional"} | set(functional.__all__)
    assert {name.split()[0] for name in CASES} == names
    tempered = {name for name in names if hasattr(getattr(losses, name, None), "temperature")} | {"NTXent"}
    assert {name.split()[0] for name in CASES if name.endswith("learned")} >= tempered


def penalty(name, inputs, form):
    """Return the squared length of the gradient of a loss, or of its square, in vectors that are scaled first."""
    loss = CASES[name][0](*[x * (1 + x.square().sum()) for x in inputs])
    gradient = torch.autograd.grad(loss if form == "plain" else loss.square(), inputs, create_graph=True)
    return sum(g.square().sum() for g in gradient)


@pytest.mark.parametrize("form", ["plain", "squared"])
@every_loss
def test_a_second_derivative_is_right_or_raises(name, form):
    inputs = drawn(name, torch.float64)
    along = [torch.randn_like(x) for x in inputs]
    if name in CLOSED_FORM:
        with pytest.raises(RuntimeError, match="Expected a first derivative of this loss, found a second one"):
            torch.autograd.grad(penalty(name, inputs, form), inputs)
        with pytest.raises(RuntimeError, match="Expected a first derivative"):
            penalty(name, inputs, form).backward()
        return
    second = torch.autograd.grad(penalty(name, inputs, form), inputs)
    found = sum((s * v).sum() for s, v in zip(second, along, strict=True))
    step = 1e-6
    up, down = (
        penalty(name, [(x + h * v).detach().requires_grad_() for x, v in zip(inputs, along, strict=True)], form)
        for h in (step, -step)
    )
    assert float(found) == pytest.approx(float((up - down).detach()) / (2 * step), rel=1e-5)


@every_loss
def test_autocast_around_a_loss_changes_nothing(name):
    inputs = drawn(name, torch.float32)
    plain, reference = CASES[name][0](*inputs), slopes(name, inputs)
    with torch.autocast("cpu", torch.bfloat16):
        loss = CASES[name][0](*inputs)
    gradient = torch.autograd.grad(loss, inputs)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, plain)
    for ours, theirs in zip(gradient, reference, strict=True):
        assert (ours - theirs).norm() <= 1e-6 * theirs.norm()


@pytest.mark.parametrize(("dtype", "upstream"), [(torch.bfloat16, 1.0), (torch.float16, 65536.0)], ids=str)
@every_loss
def test_gradients_of_half_precision_are_rounded_once_and_last(name, dtype, upstream):
    reference = [g * upstream for g in slopes(name, drawn(name, torch.float32))]
    inputs = drawn(name, dtype)
    assert CASES[name][0](*inputs).dtype == torch.float32
    for ours, theirs in zip(slopes(name, inputs, upstream), reference, strict=True):
        assert ours.dtype == dtype
        assert torch.isfinite(ours).all()
        torch.testing.assert_close(ours.float(), theirs.to(dtype).float(), rtol=torch.finfo(dtype).eps, atol=1e-6)


DEGENERATE = torch.tensor([[0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]).bool()
LEFT_OUT = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1]]).bool()
IN_TORCH = {
    **{name: getattr(functional, name) for name in ("supcon_out", "supcon_in", "mil_nce", "composite_infonce")},
    "infonce_p elsewhere than on the CPU": _rows_in_torch,
    "infonce_p of purity elsewhere": lambda f, pos, out: _rows_in_torch(contaminated(f, pos, out, 0.6), pos, out),
    "log_esp": lambda f, positives, exclude: functional.log_esp(f.masked_fill(exclude, -torch.inf), positives.sum(1)),
}


@pytest.mark.parametrize("name", IN_TORCH)
def test_second_derivatives_are_right_without_positives_or_noise(name):
    f = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    form = IN_TORCH[name]
    assert torch.autograd.gradcheck(lambda x: form(x, DEGENERATE, LEFT_OUT), f)
    assert torch.autograd.gradgradcheck(lambda x: form(x, DEGENERATE, LEFT_OUT), f)


@pytest.mark.parametrize("gap", [0, 5, 15])
def test_second_derivatives_of_the_torch_form_of_infonce_p(gap):
    """Against the covariance of the inclusion indicators, summed over all subsets (METHODS 1.4)."""
    g = torch.Generator().manual_seed(gap)
    chosen = torch.tensor([[True, True, True] + [False] * 6])
    f = (3 * torch.randn(1, 9, dtype=torch.float64, generator=g) + gap * chosen).requires_grad_()
    found = torch.autograd.functional.hessian(lambda x: _rows_in_torch(x, chosen, ~chosen & chosen).sum(), f)[0, :, 0]
    subsets = list(itertools.combinations(range(9), 3))
    inside = torch.zeros(len(subsets), 9, dtype=torch.float64)
    for row, subset in zip(inside, subsets, strict=True):
        row[list(subset)] = 1
    weight = torch.softmax(inside @ f.detach()[0], 0)
    centred = inside - weight @ inside
    torch.testing.assert_close(found, (centred * weight[:, None]).T @ centred, atol=1e-9, rtol=1e-7)


def test_a_second_derivative_in_the_temperature_alone_is_refused():
    a, c = torch.randn(N, D), torch.randn(C, D)
    loss = losses.InfoNCEp(0.3, learn_temperature=True)
    (slope,) = torch.autograd.grad(loss(a, c, SEVERAL), loss.log_temperature, create_graph=True)
    with pytest.raises(RuntimeError, match="Expected a first derivative"):
        slope.backward()

"""The engine, with a task that knows no cells: a line through noise."""

import logging
from dataclasses import dataclass, field

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from cellgraph_clr._core.errors import ModelFileError, NonFiniteError, OptionError, OutputError, TaskError
from cellgraph_clr.training.run import Runtime, Watch, Watches, train
from cellgraph_clr.training.task import Schedule, generators

CPU = Runtime(device="cpu", progress=False)


@dataclass(eq=False)
class Line:
    """Two networks, the first with dropout, learn a sum; what they are given is kept."""

    seed: int = 3
    schedule: Schedule = field(default_factory=lambda: Schedule(6, 0.05, 0.1))
    dropout: float = 0.5
    broken: tuple[str, int] | None = None  # which number is not finite, and when
    seen: list = field(default_factory=list)

    def networks(self):
        body = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(self.dropout))
        return {"body": body, "head": nn.Linear(8, 1)}

    def draw(self, step):
        rng, generator = generators(self.seed, step)
        x = torch.randn(5, 3, generator=generator)
        return {"x": x, "noise": torch.from_numpy(rng.normal(size=5)), "step": step, "threads": torch.get_num_threads()}

    def loss(self, networks, batch):
        h = networks["body"](batch["x"])
        y = networks["head"](h)[:, 0]
        self.seen.append((batch["step"], batch["threads"], h.dtype, y.dtype))
        value = (y - batch["x"].sum(1) - 0.01 * batch["noise"].float()).square().mean()
        figures = {"twice": 2 * value.detach(), "step": float(batch["step"])}
        if self.broken and self.broken[1] == batch["step"]:
            what = self.broken[0]
            return (value * torch.nan, {"loss": 1.0}) if what == "value" else (value, {"loss": value * torch.inf})
        return value, figures


class Stop(lightning.Callback):
    """Ctrl-C after so many steps."""

    def __init__(self, after):
        self.after = after

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.after:
            raise KeyboardInterrupt


class Notes(lightning.Callback):
    """What a user's callback may see: figures, rates, modes."""

    def __init__(self):
        self.told, self.rates, self.decay = [], [], []

    def on_train_batch_start(self, trainer, *_):
        groups = trainer.optimizers[0].param_groups
        self.rates.append([g["lr"] for g in groups])
        self.decay.append({g["weight_decay"] for g in groups})

    def on_train_batch_end(self, trainer, *_):
        self.told.append({k: float(v) for k, v in trainer.callback_metrics.items()})


def bits(trained):
    return {k: v.numpy().tobytes() for n in trained.networks.values() for k, v in n.state_dict().items()}


def same(one, other):
    assert one.history == other.history
    assert bits(one) == bits(other)


def test_workers_change_no_bit():
    straight = train(Line(), CPU)
    assert straight.history["step"] == list(range(6))
    for n in (1, 2):
        same(train(Line(), Runtime(device="cpu", progress=False, num_workers=n)), straight)


def test_batches_are_drawn_with_one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        task = Line()
        train(task, CPU)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert {threads for _, threads, *_ in task.seen} == {1}


@pytest.mark.parametrize("every", [1, 2, 100])
def test_an_interrupted_run_ends_as_a_straight_one(tmp_path, every):
    saved = tmp_path / "run.ckpt"
    straight = train(Line(), CPU)
    with pytest.raises(KeyboardInterrupt):
        train(Line(), CPU, Watch(saved, every, [Stop(3)]))
    assert saved.exists() == (every < 100)
    again = Line()
    same(train(again, CPU, Watch(saved, every)), straight)
    first = {1: 2, 2: 2, 100: 0}[every]  # callbacks of users come before the saving of their step
    assert [step for step, *_ in again.seen] == list(range(first, 6))
    assert saved.exists()
    over = Line()
    same(train(over, CPU, Watch(saved, every)), straight)
    assert over.seen == []  # nothing is left to do


def test_numbers_of_networks_depend_on_the_step():
    """Dropout of a step is that of its number: other steps drop others, whatever was drawn before."""
    masks = []

    class Same(Line):
        drawn = 0

        def draw(self, step):
            return super().draw(0) | {"step": step}

        def loss(self, networks, batch):
            masks.append(networks["body"](torch.ones(40, 3)) == 0)
            torch.rand(self.drawn)
            return super().loss(networks, batch)

    class Other(Same):
        drawn = 7

    still = {"schedule": Schedule(3, 1e-12, 0.0)}
    train(Same(**still), CPU)
    assert not torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[1], masks[2])
    train(Other(**still), CPU)
    for one, other in zip(masks[:3], masks[3:], strict=True):
        assert torch.equal(one, other)
    train(Same(seed=4, **still), CPU)
    assert not torch.equal(masks[6], masks[0])


def test_networks_come_back_in_evaluation_mode():
    trained = train(Line(), CPU)
    assert not any(m.training for n in trained.networks.values() for m in n.modules())
    other = train(Line(seed=4), CPU)
    assert bits(trained) != bits(other)


def test_a_checkpoint_is_that_of_its_run(tmp_path):
    saved = tmp_path / "run.ckpt"
    train(Line(), CPU, Watch(saved), fingerprint="a")
    with pytest.raises(ModelFileError, match="one of another run"):
        train(Line(), CPU, Watch(saved), fingerprint="b")
    with pytest.raises(ModelFileError, match="one of another run"):
        train(Line(seed=4), CPU, Watch(saved), fingerprint="a")  # other first weights


def test_a_run_that_stalled_is_over(tmp_path):
    class Flat(Line):
        def loss(self, networks, batch):
            value, figures = super().loss(networks, batch)
            return value, figures | {"loss": 1.0}

    schedule = Schedule(20, 0.01, 0.0, patience=2)
    saved = tmp_path / "run.ckpt"
    one, again = Flat(schedule=schedule), Flat(schedule=schedule)
    trained = train(one, CPU, Watch(saved))
    assert len(one.seen) == len(trained.history["loss"]) == 4
    same(train(again, CPU, Watch(saved)), trained)
    assert again.seen == []


def test_users_see_every_step(tmp_path):
    notes = Notes()
    logger = CSVLogger(tmp_path / "logs", flush_logs_every_n_steps=1)
    keeper = ModelCheckpoint(tmp_path / "kept", every_n_train_steps=3, save_top_k=-1)
    trained = train(Line(), CPU, Watch(None, 100, [notes, keeper], logger))
    assert [t["loss"] for t in notes.told] == pytest.approx(trained.history["loss"])
    assert [t["twice"] for t in notes.told] == pytest.approx([2 * v for v in trained.history["loss"]])
    rows = np.genfromtxt(next((tmp_path / "logs").rglob("metrics.csv")), delimiter=",", names=True)
    np.testing.assert_allclose(rows["loss"], trained.history["loss"], rtol=1e-5)
    np.testing.assert_array_equal(rows["step"], trained.history["step"])
    assert len(list((tmp_path / "kept").iterdir())) == 2
    same(trained, train(Line(), CPU))  # nobody's watching changes a bit


def test_networks_alone_run_in_bfloat16():
    full, half = Line(), Line()
    one = train(full, CPU)
    other = train(half, Runtime(device="cpu", precision="bf16", progress=False))
    assert {d for *_, a, b in full.seen + half.seen for d in (a, b)} == {torch.float32}
    assert one.history["loss"] != other.history["loss"]
    assert other.history["loss"] == pytest.approx(one.history["loss"], rel=0.1)
    assert {p.dtype for n in other.networks.values() for p in n.parameters()} == {torch.float32}


@pytest.mark.parametrize("what", ["value", "figure"])
def test_a_loss_that_is_not_finite_ends_a_run(tmp_path, what):
    saved = tmp_path / "run.ckpt"
    with pytest.raises(NonFiniteError, match="a finite loss, found (nan|inf).*Lower the learning rate"):
        train(Line(broken=(what, 2)), CPU, Watch(saved, 1))
    same(train(Line(), CPU, Watch(saved, 1)), train(Line(), CPU))  # what was saved before is good


def rates_of(schedule):
    notes = Notes()
    train(Line(schedule=schedule), CPU, Watch(None, 100, [notes]))
    assert notes.decay == [{schedule.weight_decay}] * schedule.n_steps
    return np.array(notes.rates)


def test_one_cycle_is_that_of_torch():
    found = rates_of(Schedule(7, 0.05, 0.3, rates={"body": 0.1}))
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=1)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=8)
    expected = []
    for _ in range(7):
        expected.append(cycle.get_last_lr()[0])
        optimizer.step()
        cycle.step()
    np.testing.assert_allclose(found, np.outer(expected, [0.1, 1]))
    assert cycle.get_last_lr()[0] < 1e-4 * expected[0]  # the step after the last would be the end of the cycle


def test_a_cosine_falls_from_the_highest_rate():
    found = rates_of(Schedule(7, 0.05, 0.3, "cosine", rates={"head": 2.0}))
    expected = 0.05 * (1 + np.cos(np.pi * np.arange(7) / 7)) / 2
    np.testing.assert_allclose(found, np.outer(expected, [1, 2]))


def test_weights_are_those_of_adamw():
    task = Line(dropout=0.0, schedule=Schedule(3, 0.05, 0.3, "cosine", rates={"head": 0.5}))
    trained = train(task, CPU)
    torch.manual_seed(task.seed)
    networks = task.networks()
    groups = [{"params": list(n.parameters()), "lr": r} for n, r in zip(networks.values(), (0.05, 0.025), strict=True)]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.3)
    for step in range(3):
        for group, top in zip(optimizer.param_groups, (0.05, 0.025), strict=True):
            group["lr"] = top * (1 + np.cos(np.pi * step / 3)) / 2
        value = task.loss(networks, task.draw(step))[0]
        assert trained.history["loss"][step] == pytest.approx(value.item(), rel=1e-5)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    for name, network in networks.items():
        for key, weight in network.state_dict().items():
            torch.testing.assert_close(trained.networks[name].state_dict()[key], weight)


def test_a_run_leaves_global_generators_and_loggers_alone():
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - it is the global one that is looked at
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    levels = [logging.getLogger(name).level for name in ("lightning.pytorch", "lightning.fabric")]
    train(Line(), CPU)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert [logging.getLogger(name).level for name in ("lightning.pytorch", "lightning.fabric")] == levels
    with pytest.raises(KeyboardInterrupt):
        train(Line(), CPU, Watch(None, 100, [Stop(2)]))
    assert torch.equal(torch.get_rng_state(), before[0])


def test_generators_are_functions_of_all_their_numbers():
    (a, s), (b, t), (c, u) = (generators(3, k) for k in (1, 1, 2))
    first = a.random(3)
    np.testing.assert_array_equal(first, b.random(3))
    assert not np.array_equal(first, c.random(3))
    drawn = [torch.rand(3, generator=g) for g in (s, t, u)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_bad_options_are_named(tmp_path):
    with pytest.raises(OptionError, match="`callbacks` as a list of Lightning callbacks, found function"):
        Watch(callbacks=[print_nothing])
    with pytest.raises(OptionError, match="`callbacks`.*found int"):
        Watches(callbacks=[3])
    with pytest.raises(OptionError, match="`checkpoint_every`"):
        Watch(every=0)
    with pytest.raises(OptionError, match=r"`checkpoint` as a file, found the folder"):
        Watch(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match=r"`checkpoint` as a folder, found the file"):
        Watches(tmp_path / "file")
    for kind in (Watch, Watches):
        with pytest.raises(OutputError, match="to be writable, found Not a directory"):
            kind(tmp_path / "file" / "x")
    assert Watches(tmp_path).named("fold_1").checkpoint == tmp_path / "fold_1.ckpt"
    assert Watches().named("fold_1").checkpoint is None
    for bad in ({"num_workers": -1}, {"n_processes": 0}, {"precision": "16"}):
        with pytest.raises(OptionError, match=f"`{next(iter(bad))}`"):
            Runtime(**bad)
    with pytest.raises(OptionError, match="a usable `device`"):
        train(Line(), Runtime(device="gpu"))


def print_nothing():
    """Not a callback."""


class Misfit(Line):
    """A task that gives other networks, or another loss."""

    given = None

    def networks(self):
        return super().networks() if self.given is not None else {"nothing": torch.nn.Identity()}

    def loss(self, networks, batch):
        value, figures = super().loss(networks, batch)
        return self.given(value, figures)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, "weights in `Task.networks`, found nothing"),
        (lambda value, _: value, r"from `Task.loss`, found Tensor \(\)"),
        (lambda value, figures: (value.expand(3), figures), r"found a tuple of 2, the first Tensor \(3,\)"),
        (lambda value, figures: (value.detach(), figures), r"that depends on the networks"),
        (lambda value, figures: (float(value.detach()), figures), "the first float"),
    ],
)
def test_tasks_that_do_not_fit_are_named(given, found):
    task = Misfit()
    task.given = given
    with pytest.raises(TaskError, match=found):
        train(task, Runtime(progress=False))


def test_one_callback_and_loggers_by_another_name_are_refused():
    with pytest.raises(OptionError, match="`callbacks` as a list of Lightning callbacks, found Stop"):
        Watch(callbacks=Stop(3))
    for logger in (True, 3, ["csv"]):
        with pytest.raises(OptionError, match="`logger` as a list of Lightning loggers"):
            Watch(logger=logger)


class Keeper(lightning.Callback):
    """Keeps what no checkpoint can hold."""

    def state_dict(self):
        return {"seen": {1, 2}}


def test_states_that_no_checkpoint_can_hold_are_named(tmp_path):
    with pytest.raises(OptionError, match=r"states that a checkpoint can hold, found Keeper.*`state_dict`"):
        train(Line(), Runtime(progress=False), Watch(tmp_path / "run", 1, [Keeper()]))
    with pytest.raises(OptionError, match="`checkpoint` as a path, found 5"):
        Watch(checkpoint=5)


def test_a_run_of_another_precision_is_another_run(tmp_path):
    watch = Watch(tmp_path / "run")
    train(Line(), Runtime(progress=False), watch)
    with pytest.raises(ModelFileError, match="one of another run"):
        train(Line(), Runtime(progress=False, precision="bf16"), watch)

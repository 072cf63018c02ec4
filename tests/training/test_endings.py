"""Runs whose processes are killed: a named error in time, a whole checkpoint to go on from, nobody left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from torch.multiprocessing.spawn import ProcessRaisedException

from cellgraph_clr.training.endings import _lost
from cellgraph_clr.training.run import Runtime, Watch, train
from tests.training.test_run import Line

LIMIT_S = 240  # far more than two processes need to start

SCRIPT = '''
import os
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

from cellgraph_clr._core.errors import LostProcessError
from cellgraph_clr.training.distributed import process
from cellgraph_clr.training.run import Runtime, Watch, train
from cellgraph_clr.training.task import Schedule, generators

torch.set_num_threads(1)


class Line:
    """A network that learns a sum, and one of whose processes is sent a signal at step 5."""

    seed, schedule = 3, Schedule(8, 0.05, 0.1)

    def __init__(self, rank=None, sent=None):
        self.rank, self.sent = rank, sent

    def networks(self):
        return {"body": nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))}

    def draw(self, step):
        if step == 5 and self.rank == "draws":
            os.kill(os.getpid(), self.sent)
        if self.rank == "trains":  # more than a pipe holds
            return {"x": torch.randn(5, 3), "step": step, "ballast": bytes(10**6)}
        return {"x": torch.randn(5, 3, generator=generators(self.seed, step)[1]), "step": step}

    def loss(self, networks, batch):
        if batch["step"] == 5 and self.rank == "trains":
            time.sleep(1)  # until those that draw wait for it
            os.kill(os.getpid(), signal.SIGKILL)
        if batch["step"] == 5 and process()[0] == self.rank:
            os.kill(os.getpid() if self.sent else os.getppid(), self.sent or signal.SIGKILL)
        return (networks["body"](batch["x"])[:, 0] - batch["x"].sum(1)).square().mean(), {}


def two(task, watch):
    return train(task, Runtime(device="cpu", progress=False, n_processes=2), watch)


def bits(trained):
    return [w.numpy().tobytes() for w in trained.networks["body"].state_dict().values()]


def named(call):
    try:
        call()
    except LostProcessError as error:
        print(error)


def killed_and_resumed(saved):
    named(lambda: two(Line(1, signal.SIGKILL), Watch(saved, 2)))
    straight = train(Line(), Runtime(device="cpu", progress=False))
    resumed = two(Line(), Watch(saved, 2))
    print("the same:", bits(resumed) == bits(straight), resumed.history == straight.history)


def ended(saved):
    named(lambda: two(Line(0, signal.SIGTERM), Watch()))


def parent_killed(saved):
    two(Line(1), Watch(saved, 2))


def drawing(saved):
    task = Line("draws", signal.SIGKILL)
    named(lambda: train(task, Runtime(device="cpu", progress=False, num_workers=1), Watch(saved, 100)))


def trainer_killed(saved):
    train(Line("trains"), Runtime(device="cpu", progress=False, num_workers=2))


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
'''


def members(group):
    """Return the processes of a group that are alive."""
    out = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it ended meanwhile
            continue
        out += [path.parent.name] if int(of) == group and state != "Z" else []
    return out


def ran(case, tmp_path):
    """Return what a script printed in a session of its own, which nobody outlives."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-W", "ignore", script, case, tmp_path / "run.ckpt"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as run:
        try:
            printed = run.communicate(timeout=LIMIT_S)[0]
            until = time.monotonic() + 30
            while members(run.pid) and time.monotonic() < until:
                time.sleep(0.1)
            assert members(run.pid) == []
        finally:
            if members(run.pid):
                os.killpg(run.pid, signal.SIGKILL)
    return printed


def test_a_run_whose_process_was_killed_goes_on_to_the_same_weights(tmp_path):
    printed = ran("killed_and_resumed", tmp_path)
    assert (
        "Expected processes that live to the end of the run, found process 1 terminated with signal SIGKILL." in printed
    )
    assert f"The run is whole in {str(tmp_path / 'run.ckpt')!r} up to its last saving" in printed
    assert "the same: True True" in printed


def test_a_process_that_is_asked_to_end_ends_the_run(tmp_path):
    printed = ran("ended", tmp_path)
    assert "found process 0 terminated with signal SIGTERM. Pass a `checkpoint`" in printed


def test_a_run_that_is_asked_to_end_says_so_as_a_process_does(tmp_path):
    class Asked(Line):
        def loss(self, networks, batch):
            if batch["step"] == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().loss(networks, batch)

    before, path = signal.getsignal(signal.SIGTERM), tmp_path / "run.ckpt"
    with pytest.raises(SystemExit) as stopped:
        train(Asked(), Runtime(device="cpu", progress=False), Watch(path, 100))
    assert stopped.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before
    resumed, straight = (train(Line(), Runtime(device="cpu", progress=False), Watch(p)) for p in (path, None))
    assert resumed.history == straight.history


def test_processes_end_with_the_one_that_started_them(tmp_path):
    assert ran("parent_killed", tmp_path) == ""


def test_a_killed_process_that_draws_batches_is_named(tmp_path):
    printed = ran("drawing", tmp_path)
    assert "found one killed that draws batches. Nothing was saved in" in printed


def test_processes_that_draw_end_with_the_one_that_trains(tmp_path):
    assert ran("trainer_killed", tmp_path) == ""


def test_an_interrupt_is_left_to_the_process_that_trains():
    """A terminal sends it to all: those that draw would die of it while the other waits for them."""
    left = []

    class Told(Line):
        def draw(self, step):
            return {**super().draw(step), "left": signal.getsignal(signal.SIGINT) == signal.SIG_IGN}

        def loss(self, networks, batch):
            left.append(batch.pop("left"))
            return super().loss(networks, batch)

    train(Told(), Runtime(device="cpu", progress=False, num_workers=1))
    assert left == [True] * Line().schedule.n_steps


def test_the_end_of_a_process_is_heard_of_in_every_run():
    """Else a run waits for ever for the rest of a message that a killed process began."""
    heard = []

    class Listening(Line):
        def loss(self, networks, batch):
            heard.append(signal.getsignal(signal.SIGCHLD))
            return super().loss(networks, batch)

    for _ in range(3):
        before = signal.getsignal(signal.SIGCHLD)
        train(Listening(), Runtime(device="cpu", progress=False, num_workers=1))
        assert signal.getsignal(signal.SIGCHLD) == before
    assert len(heard) == 3 * Line().schedule.n_steps
    assert all(callable(handler) for handler in heard)


@pytest.mark.parametrize("error", [RuntimeError, ConnectionResetError])
def test_errors_of_the_one_that_draws_batches_stay_what_they_are(error):
    class Broken(Line):
        def draw(self, step):
            raise error("of the task")

    with pytest.raises(error, match="of the task") as caught:
        train(Broken(), Runtime(device="cpu", progress=False, num_workers=1))
    assert caught.value is not None  # still held, with the frames that saw it
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("codes", "found"),
    [((1, -signal.SIGKILL), "process 1 terminated with signal SIGKILL"), ((1, -signal.SIGTERM), None), ((1, 0), None)],
)
def test_one_that_waited_in_vain_may_be_seen_first(codes, found):
    error = ProcessRaisedException("Connection closed by peer", 0, 1)
    assert _lost(error, [type("Ended", (), {"exitcode": c})() for c in codes]) == found

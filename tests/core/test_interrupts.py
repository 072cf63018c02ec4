"""Ctrl-C waits, and comes."""

import signal
import threading

import pytest

from cellgraph_clr._core.interrupts import interrupts_wait


def test_it_comes_at_the_end_of_the_block(request):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background lets it be ignored
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    former, reached = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), interrupts_wait():
        signal.raise_signal(signal.SIGINT)
        reached.append("the end")
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is former


def test_errors_pass_and_nothing_comes_by_itself():
    with interrupts_wait():
        pass
    with pytest.raises(ValueError, match="its own"), interrupts_wait():
        raise ValueError("its own")


def test_other_threads_may_use_it():
    done = []

    def work():
        with interrupts_wait():
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]

"""Kernels of notebooks that are forked from one process, in which what all of them import is imported once.

Every notebook has a process of its own, with its own names, folder, environment and warnings; only the imports are shared.
`python -m tests.kernels FOLDER` is that process. A kernel that Jupyter starts is a small program that asks it for a fork, and
lives as long as the fork does.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

NAME = "forked"
SOCKET = "ask"
LIMIT_S = 240  # far more than the imports need
ASKS = """
import json, os, socket, sys
asked = socket.socket(socket.AF_UNIX)
asked.connect(sys.argv[1])
asked.sendall(json.dumps({"file": sys.argv[2], "folder": os.getcwd(), "environment": dict(os.environ)}).encode() + b"\\n")
asked.recv(1)  # nothing is said until the other end is gone
"""


class Forked:
    """Starts the process; inside, Jupyter finds the kernel `NAME`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> "Forked":
        kernel = self.folder / "kernels" / NAME
        kernel.mkdir(parents=True)
        (self.folder / "asks.py").write_text(ASKS)
        words = [sys.executable, "-S", str(self.folder / "asks.py"), str(self.folder / SOCKET), "{connection_file}"]
        told = {"argv": words, "display_name": NAME, "language": "python"}
        (kernel / "kernel.json").write_text(json.dumps(told))
        with (self.folder / "said").open("w") as said:
            command = [sys.executable, "-m", "tests.kernels", str(self.folder)]
            environment = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
            root = Path(__file__).parent.parent
            environment["PYTHONPATH"] = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
            self.process = subprocess.Popen(command, stdout=said, stderr=said, cwd=self.folder, env=environment)
        until = time.monotonic() + LIMIT_S
        while not (self.folder / SOCKET).exists():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until
            time.sleep(0.05)
        self.paths = os.environ.get("JUPYTER_PATH")
        os.environ["JUPYTER_PATH"] = os.pathsep.join([str(self.folder), *([self.paths] if self.paths else [])])
        return self

    def said(self) -> str:
        """Return what the process wrote: warnings of imports, which a notebook would show."""
        return (self.folder / "said").read_text()

    def __exit__(self, *_: object) -> None:
        if self.paths is None:
            del os.environ["JUPYTER_PATH"]
        else:
            os.environ["JUPYTER_PATH"] = self.paths
        self.process.terminate()
        self.process.wait()


def imports() -> None:
    """Import what every notebook does, and what the library does when it is called."""
    import warnings

    warnings.filterwarnings("ignore", message="IProgress not found")
    for name in ("ipykernel.kernelapp", "matplotlib.pyplot", "pandas", "scanpy"):
        import_module(name)
    import cellgraph_clr as cgc

    for part in dir(cgc):
        for name in dir(getattr(cgc, part)):
            getattr(getattr(cgc, part), name)


def become_kernel(connection: socket.socket) -> None:
    """Be the kernel that was asked for, in the folder and environment of the one that asks."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):  # a kernel sends what it says
        os.dup2(nowhere, stream)
    asked = json.loads(connection.makefile().readline())
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])

    def end_with_the_one_that_asks() -> None:
        connection.recv(1)
        os._exit(1)

    threading.Thread(target=end_with_the_one_that_asks, daemon=True).start()
    import matplotlib as mpl
    from ipykernel.kernelapp import IPKernelApp

    mpl.rcParams["backend"] = "module://matplotlib_inline.backend_inline"  # what a new kernel tells matplotlib
    IPKernelApp.launch_instance(argv=["-f", asked["file"]])


def main(folder: Path) -> None:
    """Import, then fork for everyone who asks."""
    imports()
    place = socket.socket(socket.AF_UNIX)
    place.bind(str(folder / f".{SOCKET}"))
    place.listen()
    (folder / f".{SOCKET}").rename(folder / SOCKET)
    while True:
        connection, _ = place.accept()
        if os.fork() == 0:
            place.close()
            try:
                become_kernel(connection)
            finally:
                os._exit(0)
        connection.close()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # kernels that ended
                pass


if __name__ == "__main__":
    main(Path(sys.argv[1]))

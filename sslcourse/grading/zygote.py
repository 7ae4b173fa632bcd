"""Inside the box: a process that has imported what a lesson imports, and forks a kernel for each submission.

It starts in a second what takes a new kernel five. It talks JSON lines on stdin and stdout with the `Box` that started
it, and runs no student's code itself. Commands:

    {"spawn": connection file, "limits": {...}}  ->  {"spawned": pid}, and later, unasked, {"ended": status}
    {"clean": true}  ->  {"clean": whether no process and no file of the kernel is left}
"""

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from pathlib import Path

import psutil

PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 4, 36, 38
TICK = 0.02  # seconds between looks at children


def main() -> None:
    """Import, then serve until stdin ends. Arguments: the setup cell's source, folders to wipe, whom to become."""
    settings = json.loads(sys.argv[1])
    control = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    prepare(settings["setup"])
    say(control, {"ready": os.getpid()})
    serve(control, [Path(folder) for folder in settings["wipe"]], settings["uid"])


def prepare(setup: str) -> None:
    """Import all that kernels need, in one thread; forked memory is shared until written to, so keep gc from it."""
    import ipykernel.kernelapp  # noqa: F401
    import matplotlib_inline.backend_inline  # noqa: F401
    import torch

    import sslcourse.grading.hand_over  # noqa: F401

    torch.set_num_threads(1)
    exec(compile(setup, "setup", "exec"), {"__name__": "__main__"})
    torch.ones(2, requires_grad=True).sum().backward()  # autograd imports and registers on first use
    prctl(PR_SET_DUMPABLE, 0)  # a kernel, which may have our user id, must not trace or change us
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    gc.collect()
    gc.freeze()


def prctl(option: int, value: int) -> None:
    """Linux's prctl; elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def say(control, message: dict) -> None:
    control.write(json.dumps(message) + "\n")
    control.flush()


def serve(control, wipe: list[Path], uid: int | None) -> None:
    """Obey commands and report a kernel's end, until whoever started us is gone."""
    pid = None
    while True:
        if pid is not None and (status := ended(pid)) is not None:
            say(control, {"ended": status})
            pid = None
        if not select.select([0], [], [], TICK if pid else None)[0]:
            continue
        command = read_line()
        if command is None:
            kill_all(uid)
            return
        if "spawn" in command:
            pid = fork_kernel(command["spawn"], command["limits"], uid)
            say(control, {"spawned": pid})
        else:
            pid = None
            say(control, {"clean": kill_all(uid) and wiped(wipe) and no_shared_memory()})


def read_line() -> dict | None:
    """One command from stdin, unbuffered, so that select sees what is left; None at its end."""
    line = b""
    while not line.endswith(b"\n"):
        if not (byte := os.read(0, 1)):
            return None
        line += byte
    return json.loads(line)


def ended(pid: int) -> int | None:
    """Reap all dead children; the status of this one if it is among them."""
    found = None
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if child == 0:
            return found
        if child == pid:
            found = status


def fork_kernel(connection_file: str, limits: dict, uid: int | None) -> int:
    """A child that becomes an IPython kernel with these limits and, where we may, another user id."""
    if pid := os.fork():
        return pid
    try:
        become_kernel(connection_file, limits, uid)
    finally:
        os._exit(1)


def become_kernel(connection_file: str, limits: dict, uid: int | None) -> None:
    silence()
    os.closerange(3, 4096)
    os.setsid()
    os.chdir(os.environ["HOME"])
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    limits["RLIMIT_AS"] += virtual_memory()
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, name), (value, value))
    start_kernel(connection_file)


def silence() -> None:
    """Standard streams lead nowhere from here on."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)


def virtual_memory() -> int:
    """Bytes of address space that this process has already, through its libraries."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except FileNotFoundError:  # no /proc: macOS
        return 2**35


def start_kernel(connection_file: str) -> None:
    """IPython's kernel; what cells print goes nowhere, because only what checks hand over counts."""
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    config = Config()
    config.IPKernelApp.no_stdout = config.IPKernelApp.no_stderr = True
    config.IPKernelApp.outstream_class = None
    config.HistoryManager.enabled = False
    app = IPKernelApp.instance(config=config, connection_file=connection_file, log_level=50)
    app.initialize([])
    app.start()


def kill_all(uid: int | None) -> bool:
    """Kill every process that came from a kernel, however it hid; whether none is left."""
    for _ in range(200):
        slaughter(uid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        time.sleep(0.005)
    return False


def slaughter(uid: int | None) -> None:
    """SIGKILL for all of them: at one stroke where they have a process or user namespace of their own."""
    if os.getpid() == 1:
        kill(-1)
    elif uid is not None:
        if (pid := os.fork()) == 0:
            os.setresuid(uid, uid, uid)
            kill(-1)
            os._exit(0)
        os.waitpid(pid, 0)
    else:
        for process in psutil.Process().children(recursive=True):  # orphans come to us, who are their subreaper
            kill(process.pid)


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wiped(folders: list[Path]) -> bool:
    """Empty these folders; whether they are."""
    for folder in folders:
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, onerror=open_and_retry)
            else:
                path.unlink()
    return not any(any(folder.iterdir()) for folder in folders)


def open_and_retry(remove, path, _error) -> None:
    """A folder without permissions is no place to hide things."""
    try:
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o700)
        shutil.rmtree(path) if os.path.isdir(path) else remove(path)
    except OSError:
        pass  # `wiped` sees that it is still there, and the box is thrown away


def no_shared_memory() -> bool:
    """Whether no System V memory, queue or semaphore outlived its process; only a box has its own to look at."""
    if os.getpid() != 1:
        return True
    lists = [Path("/proc/sysvipc", kind) for kind in ("shm", "msg", "sem")]
    return all(len(path.read_text().splitlines()) <= 1 for path in lists if path.exists())


if __name__ == "__main__":
    main()

"""Inside the box: a process that has imported what a lesson imports, and forks a kernel for each submission.

A forked kernel starts in a second, a new one in five. The zygote exchanges JSON lines with the `Box` that started it,
on stdin and stdout, and runs no student's code itself. Commands:

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
TICK = 0.02  # seconds between two checks of children


def main() -> None:
    """Import, then serve until stdin ends. Argument: JSON of setup, wipe (folders) and uid."""
    settings = json.loads(sys.argv[1])
    control = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not look like a reply
    prepare(settings["setup"])
    send(control, {"ready": os.getpid()})
    serve(control, [Path(folder) for folder in settings["wipe"]], settings["uid"])


def prepare(setup: str) -> None:
    """Import all that kernels need, in one thread, and keep gc from writing to memory that forks share."""
    import ipykernel.kernelapp  # noqa: F401
    import matplotlib_inline.backend_inline  # noqa: F401
    import torch

    import sslcourse.grading.hand_over  # noqa: F401

    torch.set_num_threads(1)
    exec(compile(setup, "setup", "exec"), {"__name__": "__main__"})
    torch.ones(2, requires_grad=True).sum().backward()  # autograd imports and registers on first use
    prctl(PR_SET_DUMPABLE, 0)  # a kernel, which may have our user id, must not trace this process
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    gc.collect()
    gc.freeze()


def prctl(option: int, value: int) -> None:
    """Linux's prctl; elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def send(control, message: dict) -> None:
    """Write a message as one line."""
    control.write(json.dumps(message) + "\n")
    control.flush()


def serve(control, wipe: list[Path], uid: int | None) -> None:
    """Obey commands and report a kernel's end, until stdin ends. control: where replies are written."""
    pid = None
    while True:
        if pid is not None and (status := ended(pid)) is not None:
            send(control, {"ended": status})
            pid = None
        if not select.select([0], [], [], TICK if pid else None)[0]:
            continue
        command = read_line()
        if command is None:
            kill_all(uid)
            return
        if "spawn" in command:
            pid = fork_kernel(command["spawn"], command["limits"], uid)
            send(control, {"spawned": pid})
        else:
            pid = None
            send(control, {"clean": kill_all(uid) and wiped(wipe) and no_shared_memory()})


def read_line() -> dict | None:
    """One command from stdin, unbuffered, so that select sees what is left; None at its end."""
    line = b""
    while not line.endswith(b"\n"):
        if not (byte := os.read(0, 1)):
            return None
        line += byte
    return json.loads(line)


def ended(pid: int) -> int | None:
    """Reap all dead children; the exit status of the child `pid` if it is among them, else None."""
    exit_status = None
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return exit_status
        if child == 0:
            return exit_status
        if child == pid:
            exit_status = status


def fork_kernel(connection_file: str, limits: dict, uid: int | None) -> int:
    """Fork an IPython kernel with these limits and, unless uid is None, this user id; returns its pid."""
    if pid := os.fork():
        return pid
    try:
        become_kernel(connection_file, limits, uid)
    finally:
        os._exit(1)


def become_kernel(connection_file: str, limits: dict, uid: int | None) -> None:
    """In the child: give up all that a kernel may not have, then run one."""
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
    """Point the standard streams to /dev/null."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)


def virtual_memory() -> int:
    """Bytes of address space that this process uses already, mostly for its libraries."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except FileNotFoundError:  # no /proc: macOS
        return 2**35


def start_kernel(connection_file: str) -> None:
    """Run IPython's kernel. What cells print is dropped, because only what checks hand over counts."""
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
    """Kill every process that a kernel started, however it hid; True where none is left."""
    for _ in range(200):
        kill_kernels(uid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        time.sleep(0.005)
    return False


def kill_kernels(uid: int | None) -> None:
    """SIGKILL for all processes of kernels, at once where they have a process namespace or a user of their own."""
    if os.getpid() == 1:
        kill(-1)
    elif uid is not None:
        if (pid := os.fork()) == 0:
            os.setresuid(uid, uid, uid)
            kill(-1)
            os._exit(0)
        os.waitpid(pid, 0)
    else:
        for process in psutil.Process().children(recursive=True):  # this process is the subreaper of orphans
            kill(process.pid)


def kill(pid: int) -> None:
    """SIGKILL, to a process that may have ended already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wiped(folders: list[Path]) -> bool:
    """Empty these folders; True where they are empty now."""
    for folder in folders:
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, onerror=open_and_retry)
            else:
                path.unlink()
    return not any(any(folder.iterdir()) for folder in folders)


def open_and_retry(remove, path, _error) -> None:
    """For rmtree: set the permissions that removing a path needs, and try again."""
    try:
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o700)
        shutil.rmtree(path) if os.path.isdir(path) else remove(path)
    except OSError:
        pass  # `wiped` sees that it is still there, and the box is thrown away


def no_shared_memory() -> bool:
    """Whether no System V memory, queue or semaphore is left. Without a namespace of our own, it is not checked."""
    if os.getpid() != 1:
        return True
    lists = [Path("/proc/sysvipc", kind) for kind in ("shm", "msg", "sem")]
    return all(len(path.read_text().splitlines()) <= 1 for path in lists if path.exists())


if __name__ == "__main__":
    main()

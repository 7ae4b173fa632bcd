"""A kernel in a box: bubblewrap where it works, resource limits everywhere; nothing in it outlives a submission."""

import contextlib
import json
import os
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from sslcourse.errors import CourseError
from sslcourse.grading import redact

MEGABYTE = 2**20
MEMORY, DISK, PROCESSES = 4096 * MEGABYTE, 256 * MEGABYTE, 128  # what one submission may use
START_SECONDS = 120  # to import torch, perhaps from a cold disk
UNCONTAINED = (
    "Answers can read what your account can read, the right answers among it, write where it may write, use the "
    "network, and kill your processes. Time, memory and output are limited, and no verdict can be forged. For "
    "strangers' code, install bubblewrap, or grade in a container or virtual machine"
)


@dataclass(frozen=True)
class Kernel:
    """A running kernel: how a client connects to it."""

    connection: dict


def bubblewrap() -> str | None:
    """Why bubblewrap cannot be used here; None where it can."""
    if sys.platform != "linux":
        return "bubblewrap is for Linux only"
    if not shutil.which("bwrap"):
        return "bubblewrap is not installed"
    with tempfile.TemporaryDirectory() as folder:
        command = [*Box(Path(folder), "", contained=True).bubblewrap(), "true"]
        done = subprocess.run(command, capture_output=True, text=True)
    return None if done.returncode == 0 else f"bubblewrap does not work here ({done.stderr.strip()[:200]})"


class Box:
    """A zygote, contained or not, that forks one kernel after another, each in a clean box.

    folder: an empty folder with a short path, because socket names are limited in length. setup: source of the lesson's
    setup cell. Raises CourseError where it cannot be started.
    """

    def __init__(self, folder: Path, setup: str, contained: bool):
        self.tree, self.run, self.home = folder / "tree", folder / "run", folder / "home"
        for path in (self.tree, self.run, self.home):
            path.mkdir()
        os.chmod(folder, 0o755)
        self.setup, self.contained = setup, contained
        may_setuid = os.geteuid() == 0 and (contained or all(map(open_to_all, (sys.prefix, sys.base_prefix, folder))))
        # Root can have kernels run as a user who owns nothing else.
        self.uid = 20000 + os.getpid() % 40000 if may_setuid else None
        self.process: subprocess.Popen | None = None
        self.baseline = 0
        self.alive = False

    def start(self) -> None:
        """Start the zygote and wait until it has imported everything."""
        if not any(self.tree.iterdir()):
            redact.write_tree(self.tree)
        inside = Path("/box/run") if self.contained else self.run
        wipe = ["/box/home", "/dev/shm", str(inside)] if self.contained else [str(self.home), str(self.run)]
        settings = json.dumps({"setup": self.setup, "wipe": wipe, "uid": self.uid})
        command = [sys.executable, "-m", "sslcourse.grading.zygote", settings]
        self._own(self.run, self.home)
        with tempfile.TemporaryFile() as log:
            self.process = subprocess.Popen(
                [*self.bubblewrap(), *command] if self.contained else command,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                cwd="/" if self.contained else self.home, env=None if self.contained else self.environment(),
            )  # fmt: skip
            if self._read(START_SECONDS) is None:
                self.stop()
                log.seek(0)
                reason = log.read().decode(errors="replace").strip()[-500:]
                raise CourseError(f"The kernel's box could not be started: {reason or 'no reason is given'}.")
        self.baseline = max((rss for _, rss in self._processes()), default=0)

    def environment(self) -> dict[str, str]:
        """The environment variables of zygote and kernels: all that they are told about this machine."""
        tree, run, home = ("/box/tree", "/box/run", "/box/home") if self.contained else (self.tree, self.run, self.home)
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home), "USER": "student", "LANG": "C.UTF-8", "TMPDIR": str(home),
            "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1",
            "JUPYTER_RUNTIME_DIR": str(run), "IPYTHONDIR": f"{home}/ipython", "MPLCONFIGDIR": f"{home}/matplotlib",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }  # fmt: skip

    def bubblewrap(self) -> list[str]:
        """The command in front of the zygote's: no network, own processes, a read-only system, scratch in memory."""
        command = ["bwrap", "--die-with-parent", "--as-pid-1", "--clearenv"]
        command += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        if self.uid is None:
            command += ["--unshare-user"]
        else:  # the zygote must change user and clean up after its kernels, which have no capability
            command += ["--cap-drop", "ALL"]
            for capability in ("SETUID", "SETGID", "KILL", "DAC_OVERRIDE", "FOWNER"):
                command += ["--cap-add", f"CAP_{capability}"]
        for path in ("/bin", "/sbin", "/lib", "/lib32", "/lib64"):
            if os.path.islink(path):
                command += ["--symlink", os.readlink(path), path]
            else:
                command += ["--ro-bind-try", path, path]
        for path in ("/usr", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"):
            command += ["--ro-bind-try", path, path]
        for path in map(Path, dict.fromkeys((sys.base_prefix, sys.prefix))):
            if not path.is_relative_to("/usr"):
                for parent in reversed(path.parents[:-1]):  # those that bubblewrap makes itself, only root may enter
                    command += ["--dir", str(parent)]
                command += ["--ro-bind", str(path), str(path)]
        installed = Path(sys.prefix)
        if redact.PACKAGE.is_relative_to(installed) or redact.PACKAGE.is_relative_to("/usr"):
            command += ["--tmpfs", str(redact.PACKAGE)]  # hides the package, which holds the answers
        command += ["--proc", "/proc", "--dev", "/dev"]
        command += ["--dir", "/box"]
        for path in ("/box/home", "/dev/shm"):
            command += ["--perms", "1777", "--size", str(DISK), "--tmpfs", path]
        if not any(Path(path).is_relative_to("/tmp") for path in (sys.base_prefix, sys.prefix)):
            command += ["--symlink", "/box/home", "/tmp"]
        command += ["--ro-bind", str(self.tree), "/box/tree", "--bind", str(self.run), "/box/run"]
        command += ["--chdir", "/box/home"]
        for name, value in self.environment().items():
            command += ["--setenv", name, value]
        return command

    def spawn(self, cpu_seconds: int) -> Kernel:
        """A new kernel that accepts connections; where the box is not running, it is started first."""
        if self.process is None:
            self.start()
        inside = "/box/run/k" if self.contained else str(self.run / "k")
        ports = {f"{name}_port": n for n, name in enumerate(("shell", "iopub", "stdin", "control", "hb"), 1)}
        key = os.urandom(16).hex()
        connection = {"transport": "ipc", "ip": inside, "key": key, "signature_scheme": "hmac-sha256", **ports}
        file = self.run / "kernel.json"
        file.write_text(json.dumps(connection))
        self._own(file)
        self._write({"spawn": f"{Path(inside).parent}/kernel.json", "limits": limits(cpu_seconds)})
        deadline = time.monotonic() + START_SECONDS
        self.alive = bool(self._read(START_SECONDS))
        while self.alive and not all((self.run / f"k-{n}").exists() for n in ports.values()):
            self.update()
            if time.monotonic() > deadline:
                self.alive = False
            time.sleep(0.005)
        if not self.alive:
            raise CourseError("A kernel could not be started in its box.")
        return Kernel(connection | {"ip": str(self.run / "k")})

    def update(self, seconds: float = 0) -> None:
        """Set `alive` to False if the zygote reports, within so many seconds, that the kernel has ended."""
        if message := self._read(seconds):
            self.alive = self.alive and "ended" not in message

    def excess(self) -> str | None:
        """What the submission uses more of than it may; None where it keeps within all limits."""
        processes = self._processes()
        if sum(max(0, rss - self.baseline) for _, rss in processes) > MEMORY:
            return f"more than {MEMORY // MEGABYTE} MB of memory"
        if len(processes) > PROCESSES:
            return f"more than {PROCESSES} processes"
        if sum(size_of(path) for path in (self.run, self.home)) > DISK:
            return f"more than {DISK // MEGABYTE} MB of disk"
        return None

    def clean(self) -> None:
        """End the kernel and all it started, and empty its folders; stop the box where anything is left."""
        if self.process is None:
            return
        self._write({"clean": True})
        deadline = time.monotonic() + 10
        while (message := self._read(max(0, deadline - time.monotonic()))) and "clean" not in message:
            pass
        if not message or not message["clean"]:
            self.stop()

    def stop(self) -> None:
        """End the box and everything in it."""
        process, self.process, self.alive = self.process, None, False
        if process is None:
            return
        descendants = self._descendants(process)
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            process.stdin.close()  # at which the zygote kills its kernels, and ends
            process.wait(2)
        for descendant in descendants:
            with contextlib.suppress(psutil.NoSuchProcess):
                descendant.kill()
        process.kill()
        process.wait()
        for folder in (self.run, self.home):
            subprocess.run(["/bin/rm", "-rf", str(folder)], check=False)  # unlike rmtree, rm copes with any depth
            folder.mkdir(exist_ok=True)
        self._own(self.run, self.home)

    def _own(self, *paths: Path) -> None:
        """Make these the property of the user that kernels run as, if that is another."""
        if self.uid is not None:
            for path in paths:
                os.chown(path, self.uid, self.uid)

    def _processes(self) -> list[tuple[int, int]]:
        """(pid, resident bytes) of every process in the box."""
        processes = []
        for process in self._descendants(self.process):
            with contextlib.suppress(psutil.NoSuchProcess):
                processes.append((process.pid, process.memory_info().rss))
        return processes

    @staticmethod
    def _descendants(process: subprocess.Popen) -> list[psutil.Process]:
        """A process' children, their children, and so on."""
        try:
            return psutil.Process(process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def _write(self, message: dict) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def _read(self, seconds: float) -> dict | None:
        """The zygote's next message; None where none comes in time, or the zygote is gone."""
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return None
        line = self.process.stdout.readline()
        if not line:
            self.alive = False
        return json.loads(line) if line else None


def limits(cpu_seconds: int) -> dict[str, int]:
    """setrlimit's limits of each of a kernel's processes; RLIMIT_AS is added to what its libraries map."""
    values = {
        "RLIMIT_AS": MEMORY, "RLIMIT_CPU": cpu_seconds, "RLIMIT_FSIZE": 64 * MEGABYTE, "RLIMIT_NOFILE": 512,
        "RLIMIT_NPROC": PROCESSES, "RLIMIT_CORE": 0, "RLIMIT_MSGQUEUE": 0,
    }  # fmt: skip
    if os.geteuid() != 0:  # it counts all threads of this user
        values["RLIMIT_NPROC"] += threads_of_user()
    return {name: value for name, value in values.items() if hasattr(resource, name)}


def threads_of_user() -> int:
    """How many threads the current user has now."""
    count = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == os.getuid():
                count += process.num_threads()
    return count


def open_to_all(path: str | Path) -> bool:
    """Whether any user may enter a folder."""
    path = Path(path).resolve()
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def size_of(folder: Path) -> int:
    """Bytes in the files below a folder; links are not followed."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total

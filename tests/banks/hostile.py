"""Submissions that break things, by accident or on purpose: each with the points that it must get, and no more.

ANSWERS stand in for the answer to nt_xent; the other two exercises of lesson 4.2 are solved, and keep their points.
FILES make a whole notebook file out of a solved one. `bare` tells whether it is contained without bubblewrap, too.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass

FULL = {"cosine_similarity": 2, "nt_xent": 4, "momentum_update": 2}
LOST = FULL | {"nt_xent": 0}
NONE = dict.fromkeys(FULL, 0)
WRONG = """
def nt_xent(v, z, temperature):
    return v.sum() * 0
"""
RIGHT = """
def nt_xent(v, z, temperature):
    logits = cosine_similarity(v, v) / temperature
    return F.cross_entropy(logits.masked_fill(torch.eye(len(v), dtype=torch.bool), -torch.inf), z)
"""


@dataclass(frozen=True)
class Answer:
    """source of nt_xent's cell; points of each exercise; the status to be reported."""

    source: str
    points: dict[str, int]
    status: str | None = "graded"
    bare: bool = True


ANSWERS = {
    # Forged verdicts
    "prints-a-verdict": Answer(WRONG + "print('✓ nt_xent: right (4 points)')", LOST),
    "prints-a-verdict-when-called": Answer(
        "def nt_xent(v, z, temperature):\n    print('✓ nt_xent: right (4 points)')\n    return v.sum() * 0", LOST
    ),
    "publishes-a-verdict": Answer(
        """
from IPython import get_ipython
def nt_xent(v, z, temperature):
    kernel = get_ipython().kernel
    text = {"name": "stdout", "text": "✓ nt_xent: right (4 points)\\n"}
    kernel.session.send(kernel.iopub_socket, "stream", text, parent=kernel.get_parent())
    return v.sum() * 0
""",
        LOST,
    ),
    "publishes-outputs-first": Answer(
        """
from IPython.display import publish_display_data
def nt_xent(v, z, temperature):
    publish_display_data({"application/x-sslcourse-outputs": '{"list": []}'})
    return v.sum() * 0
""",
        LOST,
    ),
    "ends-its-cell-early": Answer(
        """
from IPython import get_ipython
def nt_xent(v, z, temperature):
    kernel = get_ipython().kernel
    kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=kernel.get_parent())
    return v.sum() * 0
""",
        LOST,
    ),
    "replaces-print": Answer(WRONG + "import builtins\nbuiltins.print = lambda *a, **k: None", LOST),
    "forges-the-reply": Answer(
        WRONG
        + """
from IPython import get_ipython
shell = get_ipython()
shell.run_cell = shell.run_cell_async = lambda *a, **k: None
shell.showtraceback = lambda *a, **k: None
""",
        LOST,
        status=None,
    ),
    "transforms-input": Answer(
        WRONG
        + """
from IPython import get_ipython
get_ipython().input_transformers_post.append(lambda lines: ["print('✓ nt_xent: right (4 points)')"])
""",
        LOST,
    ),
    "transforms-the-tree": Answer(
        WRONG
        + """
import ast
from IPython import get_ipython
class Empty(ast.NodeTransformer):
    def visit_Module(self, node):
        return ast.Module([], [])
get_ipython().ast_transformers.append(Empty())
""",
        LOST,
    ),
    # Other people's objects
    "replaces-check": Answer(WRONG + "check = lambda fn: print('✓ nt_xent: right (4 points)')", LOST),
    "replaces-the-checks-class": Answer(
        WRONG + "type(check).__call__ = lambda self, fn: print('✓ nt_xent: right (4 points)')", LOST
    ),
    "replaces-torch-comparisons": Answer(
        WRONG
        + """
torch.allclose = torch.equal = lambda *a, **k: True
torch.Tensor.__le__ = torch.Tensor.__lt__ = torch.Tensor.__eq__ = lambda a, b: True
""",
        LOST,
    ),
    "replaces-the-probe": Answer(
        WRONG
        + """
import sslcourse.grading.hand_over as probe
probe.hand_over = lambda *a: print('✓ nt_xent: right (4 points)')
""",
        LOST,
    ),
    "replaces-the-wire": Answer(
        WRONG
        + """
import sslcourse.grading.wire as wire
wire.encode = lambda value: '{"list": [{"dict": [["outputs", {"dict": []}]]}]}'
""",
        LOST,
    ),
    "hands-over-deep-json": Answer(
        WRONG + "import sslcourse.grading.wire as wire\nwire.encode = lambda value: '[' * 1_000_000",
        LOST,
    ),
    "hands-over-a-tensor-too-long": Answer(
        WRONG
        + """
import sslcourse.grading.wire as wire
wire.encode = lambda value: '{"tensor": "AAAA", "dtype": "float32", "shape": [1000000000000]}'
""",
        LOST,
    ),
    "replaces-attempt": Answer(
        WRONG
        + """
import sslcourse.checks.apply as apply
apply.attempt = lambda run, fn, inputs: {"outputs": {"result": torch.tensor(0.0), "changed": [], "gradient": None}}
""",
        LOST,
    ),
    "says-there-is-no-message": Answer(
        WRONG
        + """
import sslcourse.checks.apply as apply
apply.attempt = lambda run, fn, inputs: {"message": ""}
""",
        LOST,
    ),
    "replaces-modules": Answer(
        WRONG
        + """
import sys, types
fake = types.ModuleType("sslcourse.grading.hand_over")
fake.hand_over = lambda *a: print('✓ nt_xent: right (4 points)')
sys.modules["sslcourse.grading.hand_over"] = sys.modules["torch"] = fake
""",
        LOST,
    ),
    "fixes-random": Answer(
        WRONG
        + """
import random
random.SystemRandom = random.Random
random.seed(0)
torch.manual_seed(0)
torch.Generator.manual_seed = lambda self, seed: self
""",
        LOST,
    ),
    # Looking for the answer
    "asks-the-course": Answer("from sslcourse.contrastive import nt_xent", LOST),
    "asks-the-course-half": Answer(
        """
def nt_xent(v, z, temperature):
    return F.cross_entropy(contrastive.simclr.similarity_logits(v, temperature), z)
""",
        LOST,
    ),
    "asks-the-checks": Answer(
        """
def nt_xent(v, z, temperature):
    from sslcourse.checks.simclr import CHECKS
    return CHECKS["nt_xent"].reference(v, z, temperature)
""",
        LOST,
    ),
    "walks-gc": Answer(
        """
import gc, types
def nt_xent(v, z, temperature):
    for found in gc.get_objects():
        if isinstance(found, types.FunctionType) and found.__name__ == "nt_xent" and found is not nt_xent:
            return found(v, z, temperature)
    raise ValueError("not there")
""",
        LOST,
    ),
    "walks-frames": Answer(
        """
import sys
def nt_xent(v, z, temperature):
    frame = sys._getframe()
    while frame:
        for name, value in {**frame.f_globals, **frame.f_locals}.items():
            if hasattr(value, "reference"):
                return value.reference(v, z, temperature)
        frame = frame.f_back
    raise ValueError("not there")
""",
        LOST,
    ),
    "reads-the-disk": Answer(
        """
import json, os, re
def nt_xent(v, z, temperature):
    for folder in ("/", os.getcwd(), os.path.expanduser("~"), str(checks.course.paths.ROOT)):
        for parent, _, files in os.walk(folder):
            if parent.startswith(("/proc", "/sys", "/usr")) or parent.count("/") > 7:
                continue
            for name in files:
                if name in ("2_simclr.py", "2_simclr.ipynb", "simclr.py"):
                    source = open(os.path.join(parent, name)).read()
                    answer = r"(    logits = cosine.*\\n(?:    .*\\n)*?    return F.cross_entropy.*)"
                    if found := re.search(answer, source):
                        space = dict(globals())
                        exec("def answer(v, z, temperature):\\n" + found[1], space)
                        return space["answer"](v, z, temperature)
    raise ValueError("not there")
""",
        LOST,
        status=None,
        bare=False,
    ),
    "imports-the-real-package": Answer(
        """
import glob, site, sys
def nt_xent(v, z, temperature):
    roots = [line.strip() for folder in site.getsitepackages() for path in glob.glob(folder + "/*sslcourse*")
             if path.endswith(".pth") for line in open(path)]
    for name in [name for name in sys.modules if name.startswith("sslcourse")]:
        del sys.modules[name]
    sys.path[:0] = roots + site.getsitepackages()
    sys.path = [path for path in sys.path if "tree" not in path]
    import sslcourse.contrastive
    return sslcourse.contrastive.nt_xent(v, z, temperature)
""",
        LOST,
        bare=False,
    ),
    "asks-a-server": Answer(
        """
import socket
def nt_xent(v, z, temperature):
    socket.create_connection(("127.0.0.1", PORT), timeout=2).sendall(b"what is the answer?")
    return v.sum() * 0
""",
        LOST,
        bare=False,
    ),
    # Odd outputs
    "always-equal": Answer(
        """
class Yes:
    def __eq__(self, other): return True
    def __getattr__(self, name): return lambda *a, **k: Yes()
def nt_xent(v, z, temperature): return Yes()
""",
        LOST,
    ),
    "lying-tensor": Answer(
        """
class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None): return True
def nt_xent(v, z, temperature): return torch.zeros(()).as_subclass(Liar)
""",
        LOST,
    ),
    "endless-list": Answer(
        """
def nt_xent(v, z, temperature):
    nested = []
    nested.append(nested)
    return nested
""",
        LOST,
    ),
    "huge-output": Answer("def nt_xent(v, z, temperature): return torch.zeros(200_000_000)", LOST, status=None),
    "odd-numbers": Answer("def nt_xent(v, z, temperature): return {'result': float('nan'), 3: 10**5000}", LOST),
    "meta-tensor": Answer("def nt_xent(v, z, temperature): return torch.zeros((), device='meta')", LOST),
    "a-class": Answer("class nt_xent: pass", LOST),
    "no-function": Answer("nt_xent = 3", LOST),
    "deletes-itself": Answer(WRONG + "del nt_xent", LOST),
    "syntax-error": Answer("def nt_xent(v, z, temperature)\n    return", LOST),
    "not-python": Answer("%%bash\nkill -9 $PPID", LOST, status=None),
    # Not coming back
    "nbval-skip": Answer("# NBVAL_SKIP\n" + WRONG, LOST),
    "loops-when-defined": Answer("while True: pass", LOST, "timed out"),
    "loops-when-called": Answer("def nt_xent(v, z, temperature):\n    while True: pass", LOST, "timed out"),
    "loops-and-catches": Answer(
        """
def nt_xent(v, z, temperature):
    while True:
        try:
            while True: pass
        except BaseException: pass
""",
        LOST,
        "timed out",
    ),
    "asks-the-user": Answer("def nt_xent(v, z, temperature): return float(input('answer: '))", LOST),
    "exits": Answer("import os\nos._exit(0)", LOST, "crashed"),
    "exits-when-called": Answer("def nt_xent(v, z, temperature):\n    import os\n    os._exit(0)", LOST, "crashed"),
    "sys-exit": Answer("def nt_xent(v, z, temperature):\n    import sys\n    sys.exit(0)", LOST),
    "interrupts": Answer("def nt_xent(v, z, temperature): raise KeyboardInterrupt", LOST),
    "kills-itself": Answer(
        "def nt_xent(v, z, temperature):\n    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)",
        LOST,
        "crashed",
    ),
    "stops-itself": Answer("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", LOST, "timed out"),
    "segfaults": Answer("def nt_xent(v, z, temperature):\n    import ctypes\n    ctypes.string_at(0)", LOST, "crashed"),
    "kills-its-parent": Answer(
        "import os, signal\ntry: os.kill(os.getppid(), signal.SIGKILL)\nexcept OSError: pass\n" + WRONG, LOST, None
    ),
    "kills-everything": Answer(
        "import os, signal\ntry: os.kill(-1, signal.SIGKILL)\nexcept OSError: pass\n" + WRONG, LOST, None, bare=False
    ),
    "writes-its-parents-memory": Answer(
        """
import os
def nt_xent(v, z, temperature):
    with open(f"/proc/{os.getppid()}/mem", "r+b") as memory:
        memory.seek(int(open(f"/proc/{os.getppid()}/maps").readline().split("-")[0], 16))
        memory.write(b"0")
    raise ValueError("the parent's memory could be written")
""",
        LOST,
        bare=False,
    ),
    "removes-its-sockets": Answer(
        """
import glob, os
for path in glob.glob(os.environ["JUPYTER_RUNTIME_DIR"] + "/*"): os.remove(path)
"""
        + WRONG,
        LOST,
        None,
    ),
    # Using too much
    "sleeping-thread": Answer(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n" + WRONG, LOST
    ),
    "daemon": Answer(
        """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "98765"])
    os._exit(0)
"""
        + WRONG,
        LOST,
    ),
    "fork-bomb": Answer(
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", LOST, status=None, bare=False
    ),
    "many-processes": Answer(
        """
import os, time
for _ in range(400):
    if os.fork() == 0:
        time.sleep(1000)
"""
        + WRONG,
        LOST,
        status=None,
    ),
    "memory": Answer("def nt_xent(v, z, temperature): return torch.ones(10_000_000_000)", LOST),
    "memory-of-many": Answer(
        """
import os, time
for _ in range(6):
    if os.fork() == 0:
        kept = torch.ones(250_000_000)
        time.sleep(1000)
time.sleep(1000)
""",
        LOST,
        None,
    ),
    "disk": Answer(
        """
def nt_xent(v, z, temperature):
    for n in range(40):
        with open(f"big-{n}", "wb") as file:
            file.write(bytes(50_000_000))
    return v.sum() * 0
""",
        LOST,
        status=None,
    ),
    "shared-memory": Answer(
        "from multiprocessing.shared_memory import SharedMemory\nSharedMemory(create=True, size=10**6)\n" + WRONG,
        LOST,
    ),
    "many-messages": Answer(
        """
from IPython.display import publish_display_data
def nt_xent(v, z, temperature):
    for _ in range(100_000): publish_display_data({"text/plain": "x" * 1000})
    return v.sum() * 0
""",
        LOST,
        status=None,
    ),
    "garbage-on-the-socket": Answer(
        """
from IPython import get_ipython
def nt_xent(v, z, temperature):
    parts = [b"garbage", b"<IDS|MSG>", b"", b"{", b"", b"", b""]
    for _ in range(3): get_ipython().kernel.iopub_socket.send_multipart(parts)
    return v.sum() * 0
""",
        LOST,
        status=None,
    ),
    # Harmless, and right
    "prints-20000-times": Answer(
        "for n in range(20_000): print(n, flush=True)\n"
        + RIGHT.replace("    logits", "    print('x', flush=True)\n    logits"),
        FULL,
    ),
    "prints-100-MB": Answer("print('x' * 100_000_000)\n" + RIGHT, FULL),
    "warns-200-times": Answer(RIGHT + "if 0: [" + "1is 1, " * 200 + "]", FULL),
    "deep-source": Answer(RIGHT + "if 0: a" + ".b" * 100_000, LOST, status=None),
    "says-it-is-another-cell": Answer("# %% nt_xent-check\n" + RIGHT, FULL),
    "answers-with-an-exception-after": Answer(RIGHT + "1 / 0", FULL),
}  # fmt: skip


@dataclass(frozen=True)
class File:
    """make: solved notebook, as a dict -> bytes of the file; points of each exercise; the status to be reported."""

    make: Callable[[dict], bytes]
    points: dict[str, int]
    status: str = "graded"


FILES: dict[str, File] = {}


def file(points: dict[str, int], status: str = "graded"):
    """Enter the decorated function, which changes a copy of a solved notebook, or makes other bytes of it."""

    def enter(make: Callable[[dict], bytes | None]):
        def written(notebook: dict) -> bytes:
            changed = copy.deepcopy(notebook)
            content = make(changed)
            return json.dumps(changed).encode() if content is None else content

        FILES[make.__name__.replace("_", "-")] = File(written, points, status)
        return make

    return enter


def cell(notebook: dict, id: str) -> dict:
    return next(found for found in notebook["cells"] if found["id"] == id)


@file(FULL)
def latin_1(notebook):
    cell(notebook, "nt_xent")["source"] = ["# größer\n", RIGHT]
    return json.dumps(notebook, ensure_ascii=False).replace("✓", "v").encode("latin-1", "replace")


@file(FULL)
def byte_order_mark(notebook):
    return json.dumps(notebook).encode("utf-8-sig")


@file(FULL)
def utf_16(notebook):
    return json.dumps(notebook).encode("utf-16")


@file(FULL)
def nbformat_3(notebook):
    cells = [{**found, "input": found.pop("source")} for found in notebook["cells"]]
    for found in cells:
        del found["id"]
    return json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}).encode()


@file(FULL)
def no_ids(notebook):
    for found in notebook["cells"]:
        del found["id"]


@file(FULL)
def no_ids_and_no_metadata(notebook):
    for found in notebook["cells"]:
        del found["id"]
        found["metadata"] = {}


@file(FULL)
def no_check_cells(notebook):
    notebook["cells"] = [found for found in notebook["cells"] if not found["id"].endswith("-check")]


@file(FULL)
def forged_check_cells(notebook):
    for found in notebook["cells"]:
        if found["id"].endswith("-check"):
            found["source"], found["outputs"] = "raise SystemExit", []


@file(FULL)
def extra_cells_that_crash(notebook):
    crash = {"cell_type": "code", "source": "import os\nos._exit(1)", "metadata": {"tags": ["setup"]}, "outputs": []}
    notebook["cells"] = [crash | {"id": "mine"}, *notebook["cells"], crash | {"id": "setup-2"}]


@file(FULL)
def changed_setup(notebook):
    cell(notebook, "setup")["source"] = "import os\nos._exit(1)"


@file(FULL)
def cells_in_reverse(notebook):
    notebook["cells"].reverse()


@file(FULL)
def equal_ids_and_answers(notebook):
    notebook["cells"].append(cell(notebook, "nt_xent"))


@file(LOST)
def equal_ids_and_two_answers(notebook):
    notebook["cells"].append(cell(notebook, "nt_xent") | {"source": WRONG})


@file(LOST)
def two_functions_and_no_ids(notebook):
    no_ids_and_no_metadata(notebook)
    notebook["cells"].append({"cell_type": "code", "source": WRONG, "metadata": {}, "outputs": []})


@file(LOST)
def answer_as_text(notebook):
    cell(notebook, "nt_xent")["cell_type"] = "markdown"


@file(LOST)
def answer_deleted(notebook):
    notebook["cells"].remove(cell(notebook, "nt_xent"))


@file(LOST)
def odd_source(notebook):
    cell(notebook, "nt_xent")["source"] = {"not": ["a", "source"]}


@file(FULL)
def odd_fields(notebook):
    notebook["cells"].append({"id": 3, "metadata": [], "source": None})
    notebook["metadata"] = "none"


@file(LOST)
def odd_characters(notebook):
    cell(notebook, "nt_xent")["source"] = "# \x00 \ud800\n" + WRONG


@file(NONE, "too large")
def large(notebook):
    cell(notebook, "nt_xent")["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 50_000_000}]


@file(NONE, "unreadable")
def deep(notebook):
    return b'{"cells":' + b"[" * 200_000 + b"]" * 200_000 + b"}"


@file(NONE, "unreadable")
def empty(notebook):
    return b""


@file(NONE, "unreadable")
def cut_off(notebook):
    return json.dumps(notebook).encode()[:-2000]


@file(NONE, "unreadable")
def a_picture(notebook):
    return b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@file(NONE, "unreadable")
def no_cells(notebook):
    return b'{"cells": [], "nbformat": 4}'


@file(NONE, "unreadable")
def another_notebook(notebook):
    return b'{"cells": [{"cell_type": "code", "id": "a", "source": "1 + 1", "metadata": {}, "outputs": []}]}'


@file(NONE, "unreadable")
def a_list(notebook):
    return b"[1, 2]"

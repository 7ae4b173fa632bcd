"""Find what an instructor may want to look at in an answer. It is reported, and costs no points."""

import ast
import re
import warnings

from sslcourse.course import Lesson

MODULES = {
    *("IPython", "builtins", "ctypes", "gc", "importlib", "inspect", "io", "ipykernel", "multiprocessing", "os"),
    *("pathlib", "pickle", "resource", "shutil", "signal", "socket", "sslcourse", "subprocess", "sys", "tempfile"),
    *("threading", "traceback", "urllib", "zmq"),
}
NAMES = {
    *("check", "checks", "compile", "delattr", "eval", "exec", "get_ipython", "globals", "open", "setattr", "vars"),
    *("__builtins__", "__import__"),
}
MAGIC = re.compile(r"^\s*[%!]", re.MULTILINE)


def flags(sources: dict[str, str], lesson: Lesson) -> list[str]:
    """Sentences, such as "nt_xent uses os", each at most once; [] for most answers."""
    sentences = []
    for exercise, source in sources.items():
        sentences += [f"{exercise} {use}" for use in dict.fromkeys(suspicious(source, lesson))]
    return sentences


def suspicious(source: str, lesson: Lesson) -> list[str]:
    """What one answer's source does that an exercise does not ask for."""
    if MAGIC.search(source):
        return ["uses a shell or IPython command"]
    try:
        with warnings.catch_warnings(action="ignore"):  # an answer could fill the terminal with SyntaxWarnings
            nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # it cannot run either
    uses = []
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or "."]
            uses += [f"imports {module}" for module in modules if module.split(".")[0] in MODULES]
        elif isinstance(node, ast.Name) and node.id in NAMES | MODULES:
            uses.append(f"uses {node.id}")
        elif isinstance(node, ast.Attribute):
            uses += attribute(node, lesson)
    return uses


def attribute(node: ast.Attribute, lesson: Lesson) -> list[str]:
    """What is suspicious about an expression `value.attr`."""
    if node.attr in lesson.exercises:
        return [f"asks for the course's own {node.attr}"]
    if node.attr.startswith("__") and node.attr.endswith("__") and node.attr != "__init__":
        return [f"uses {node.attr}"]
    if isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
        return [f"changes {node.value.id}.{node.attr}"]
    return []

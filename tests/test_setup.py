"""pyproject, constraints and environment agree; setup outlives interruptions and says in sentences what is missing."""

import os
import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_browser import BROWSERS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins() -> dict[str, str]:
    """Package -> version, from constraints.txt; every line must be an exact pin."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    for requirement in found:
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), f"{requirement} is not an exact pin"
    names = [canonicalize_name(requirement.name) for requirement in found]
    assert len(names) == len(set(names)), "constraints.txt names a package twice"
    return {name: next(iter(item.specifier)).version for name, item in zip(names, found, strict=True)}


def needed(*extras: str) -> set[str]:
    """The packages that pyproject.toml names, for readers and for the given extras."""
    groups = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    return {canonicalize_name(Requirement(line).name) for group in groups for line in group}


def test_every_dependency_is_pinned():
    missing = needed(*PROJECT["optional-dependencies"]) - pins().keys()
    assert not missing, f"constraints.txt does not pin {sorted(missing)}"


def test_installed_versions_are_the_pinned_ones():
    """torch may carry a local part (2.14.1+cpu): the same release built for another device."""
    wrong = {}
    for name in needed("author", "test"):
        installed = metadata.version(name).split("+")[0]
        if installed != pins()[name]:
            wrong[name] = (installed, pins()[name])
    assert not wrong, f"installed, pinned: {wrong}; run `make test`, or pin again"


def test_what_the_dependencies_need_is_pinned_too():
    """One step further than pyproject: what torch, JupyterLab and the others need on this machine."""
    missing = set()
    for name in needed("author", "test"):
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                missing.add(canonicalize_name(requirement.name))
    by_platform = {name for name in missing if name.startswith(("nvidia-", "cuda-", "triton"))}
    assert not missing - by_platform - pins().keys()


def test_conda_gets_the_same():
    """environment.yml hands everything to pip under the same constraints: a second list of versions could drift."""
    everything = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = [item for item in everything if isinstance(item, str)]
    (pip,) = [item["pip"] for item in everything if isinstance(item, dict)]
    assert pip == ["-c constraints.txt", "-e .[author,test]"]
    assert {re.split("[=<>]", item)[0] for item in conda} == {"python", "pip"}
    (python,) = [item.split("=")[-1] for item in conda if item.startswith("python")]
    assert PROJECT["requires-python"] == f">={python}"


def fake(program: Path, body: str = "") -> None:
    """A program for PATH that answers as the given shell lines say."""
    program.unlink(missing_ok=True)
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


def fake_python(folder: Path, body: str) -> None:
    fake(folder / "python3", body)


@pytest.fixture
def checkout(tmp_path):
    """A bare checkout: what setup reads, and a bin folder that is the whole PATH (the shell's tools, no Python).

    It stands for a Linux machine with Chromium and bubblewrap, without a GPU.
    """
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "sh", "env", "rm", "mkdir", "touch", "cat", "chmod", "grep", "id", "sed", "make"):
        (tools / name).symlink_to(shutil.which(name))
    fake(tools / "uname", "echo Linux")
    for name in ("apt-get", "bwrap", "chromium"):
        fake(tools / name)
    return tmp_path


def make(checkout: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    left_out = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "CI")
    environment = {key: value for key, value in os.environ.items() if key not in left_out} | variables
    environment["PATH"] = str(checkout / "bin")
    command = [str(checkout / "bin/make"), *arguments]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=60)


def ours(text: str) -> list[str]:
    """The lines that are not make's."""
    return [line for line in text.splitlines() if not line.startswith("make")]


OLD = 'case "$2" in *print*) echo 3.9;; *) exit 1;; esac'
NO_VENV = 'case "$2" in *print*) echo 3.12;; *ensurepip*) exit 1;; esac'


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (None, "There is no Python on PATH: the course needs Python 3.11 or newer."),
        ("exit 127", "There is no Python on PATH: the course needs Python 3.11 or newer."),
        (OLD, "Python 3.9 is too old: the course needs Python 3.11 or newer on PATH."),
        (NO_VENV, "Python 3.12 is here without its venv module"),
    ],
)
@pytest.mark.parametrize("target", ["lab", "test"])
def test_setup_without_a_fit_python_says_so_in_one_sentence(checkout, body, sentence, target):
    if body:
        fake_python(checkout / "bin", body)
    result = make(checkout, target)
    told = ours(result.stderr)
    assert result.returncode != 0
    assert len(told) == 1 and told[0].startswith(f"sslcourse: {sentence}"), result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert not (checkout / ".venv").exists()


# A Python whose `-m venv` makes a .venv (and counts them) with programs that do as the files in the checkout say:
# `-m pip install` as pip, or as cpu where it asks for torch's CPU build (no file: no such build), pytest as pytest.
GOOD = r"""
case "$*" in
  *print*) echo 3.12;;
  *"-m venv"*) rm -rf .venv; mkdir -p .venv/bin; echo made >> made
    printf '#!/bin/sh\ncase "$*" in *+cpu*) . ./cpu;; *"pip install"*) . ./pip;; *pytest*) . ./pytest;; esac\n' \
      > .venv/bin/python
    printf '#!/bin/sh\necho lab "$@"\n' > .venv/bin/jupyter
    printf '#!/bin/sh\n' > .venv/bin/ruff
    chmod +x .venv/bin/*;;
esac
"""


def test_interrupted_setup_starts_over_and_a_finished_one_is_not_repeated(checkout):
    fake_python(checkout / "bin", GOOD)
    (checkout / "pip").write_text("kill -9 $PPID; exit 1")  # setup is killed while pip works
    assert make(checkout, "lab").returncode != 0
    assert not (checkout / ".venv/.ready").exists()

    (checkout / "pip").write_text("exit 1")  # the network is gone
    result = make(checkout, "lab")
    assert "pip could not install the course" in result.stderr and "Traceback" not in result.stderr
    assert not (checkout / ".venv/.ready").exists()

    (checkout / "pip").write_text("echo installed >> installed")
    result = make(checkout, "lab", "PORT=9999", "ARGS=--ip=0.0.0.0")
    assert result.returncode == 0, result.stderr
    assert "/lab/tree/notebooks/0_start_here.ipynb --port=9999" in result.stdout
    assert "--ip=0.0.0.0" in result.stdout
    assert (checkout / "made").read_text().count("made") == 3, "each interrupted environment is made anew"

    assert make(checkout, "lab").returncode == 0
    assert (checkout / "installed").read_text().count("installed") == 1, "a second `make lab` installs nothing"

    os.utime(checkout / "constraints.txt", (2e9, 2e9))
    (checkout / ".venv/.ready").touch()
    assert make(checkout, "lab").returncode == 0
    assert (checkout / "installed").read_text().count("installed") == 2, "new constraints are installed"
    assert (checkout / "made").read_text().count("made") == 3, "into the environment that is there"


def test_root_and_screenless_machines_get_the_flags_they_need(checkout):
    fake_python(checkout / "bin", GOOD)
    (checkout / "pip").write_text("exit 0")
    screen = [f"{name}=" for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")]
    output = make(checkout, "lab", *screen).stdout
    assert ("--allow-root" in output) == (os.getuid() == 0)
    assert "--no-browser" in output
    assert "--no-browser" not in make(checkout, "lab", *screen[1:], "DISPLAY=:0").stdout
    fake(checkout / "bin/uname", "echo Darwin")
    assert "--no-browser" not in make(checkout, "lab", *screen).stdout


TORCH = pins()["torch"]
ASKED = f"torchvision=={pins()['torchvision']}+cpu torch=={TORCH}+cpu"
# What pip leaves behind, by which setup knows that torch is there.
INSTALL = "mkdir -p .venv/lib/python3.12/site-packages/torch-{}.dist-info\necho installed >> installed"


@pytest.mark.parametrize("body", [None, "echo NVIDIA-SMI has failed; exit 9", "echo No devices found."])
def test_without_a_gpu_torch_comes_for_the_cpu(checkout, body):
    fake_python(checkout / "bin", GOOD)
    if body:
        fake(checkout / "bin/nvidia-smi", body)
    (checkout / "cpu").write_text('echo "$*" >> asked\n' + INSTALL.format(f"{TORCH}+cpu"))
    (checkout / "pip").write_text('echo "$*" >> asked')
    result = make(checkout, "lab")
    assert result.returncode == 0, result.stderr
    assert "sslcourse: torch comes in its small CPU build, as no NVIDIA GPU is found." in result.stdout.splitlines()
    cpu, everything = (checkout / "asked").read_text().splitlines()
    assert cpu.endswith(ASKED) and everything.endswith("-c constraints.txt -e ."), "the pins hold, then the rest comes"

    (checkout / "pytest").touch()
    for target in ("lab", "test", "test"):
        result = make(checkout, target)
        assert result.returncode == 0 and "torch comes" not in result.stdout, result.stderr
    assert (checkout / "installed").read_text().count("installed") == 1, "torch is not installed again"


def test_where_no_cpu_build_is_to_be_had_the_usual_one_comes_and_its_size_is_told(checkout):
    fake_python(checkout / "bin", GOOD)
    (checkout / "cpu").write_text("echo INFO: The conflict is caused by; echo ERROR: ResolutionImpossible >&2; exit 1")
    (checkout / "pip").write_text(INSTALL.format(TORCH))
    result = make(checkout, "lab")
    assert result.returncode == 0 and not result.stderr, result.stderr
    assert "conflict" not in result.stdout
    (told,) = [line for line in result.stdout.splitlines() if "CUDA" in line]
    reasons = f"though no NVIDIA GPU is found, as pip finds no CPU build of torch {TORCH}: about "
    assert told.startswith(f"sslcourse: torch comes with CUDA libraries {reasons}") and " GB " in told

    (checkout / "cpu").write_text("echo again >> again")
    (checkout / "pytest").touch()
    assert make(checkout, "test").returncode == 0
    assert not (checkout / "again").exists(), "what is installed is not exchanged"


def test_with_a_gpu_the_usual_torch_comes(checkout):
    fake_python(checkout / "bin", GOOD)
    fake(checkout / "bin/nvidia-smi", "echo 'GPU 0: NVIDIA H100'")
    (checkout / "cpu").write_text("echo asked >> asked")
    (checkout / "pip").touch()
    output = make(checkout, "lab").stdout
    assert "sslcourse: torch comes with CUDA libraries for your NVIDIA GPU: about " in output
    assert not (checkout / "asked").exists()


def test_a_mac_gets_the_usual_torch_without_a_word(checkout):
    fake_python(checkout / "bin", GOOD)
    fake(checkout / "bin/uname", "echo Darwin")
    (checkout / "cpu").write_text("echo asked >> asked")
    (checkout / "pip").touch()
    assert "torch comes" not in make(checkout, "lab").stdout
    assert not (checkout / "asked").exists()


def test_interrupting_pip_ends_setup_instead_of_bringing_the_large_torch(checkout):
    fake_python(checkout / "bin", GOOD)
    (checkout / "cpu").write_text("kill -INT $PPID; exit 1")  # Ctrl-C, which pip answers by failing
    (checkout / "pip").write_text("echo installed >> installed")
    result = make(checkout, "lab")
    assert result.returncode != 0 and "CUDA" not in result.stdout
    assert not (checkout / "installed").exists() and not (checkout / ".venv/.ready").exists()


NO_CHROMIUM = "sslcourse: Chromium is not installed: neither lessons nor slides are tested in a browser."
NO_BWRAP = "sslcourse: bubblewrap is not installed: hostile submissions are graded without it only, not in its box."
UBUNTU = Path("/etc/os-release").is_file() and "\nID=ubuntu" in "\n" + Path("/etc/os-release").read_text()
CHROMIUM = "chromium-browser" if UBUNTU else "chromium"  # the package


@pytest.mark.parametrize(
    ("missing", "sentences", "packages"),
    [
        (["chromium"], [NO_CHROMIUM], CHROMIUM),
        (["bwrap"], [NO_BWRAP], "bubblewrap"),
        (["chromium", "bwrap"], [NO_CHROMIUM, NO_BWRAP], f"{CHROMIUM} bubblewrap"),
    ],
)
def test_what_is_not_tested_is_said_before_anything_else(checkout, missing, sentences, packages):
    """Even before the Python that is missing, too; a machine without apt, as a Mac, gets no apt line."""
    for name in missing:
        (checkout / "bin" / name).unlink()
    told = ours(make(checkout, "test").stderr)
    assert told[:-1] == [*sentences, f"sslcourse: To have that tested, too: sudo apt install {packages}"]
    assert "There is no Python on PATH" in told[-1]

    (checkout / "bin/apt-get").unlink()
    assert ours(make(checkout, "test").stderr)[:-1] == sentences
    assert ours(make(checkout, "lab").stderr) == told[-1:], "readers need neither"

    result = make(checkout, "test", CI="1")
    (sentence,) = ours(result.stderr)
    assert result.returncode != 0
    assert sentence.startswith("sslcourse: CI must test everything") and f"lacks: {packages};" in sentence


@pytest.mark.parametrize("browser", BROWSERS)
def test_any_of_the_browsers_that_the_tests_take_will_do(checkout, browser):
    (checkout / "bin/chromium").rename(checkout / "bin" / browser)
    (sentence,) = ours(make(checkout, "test", CI="1").stderr)
    assert "There is no Python on PATH" in sentence


@pytest.mark.parametrize(("code", "rounds", "exit_code"), [("0", 3, 0), ("1", 1, 1), ("5", 3, 5)])
def test_what_was_not_tested_is_said_again_at_the_end(checkout, code, rounds, exit_code):
    """Whether tests pass or fail, and that decides over `make test`; a `-k` that means no test at all is a failure."""
    fake_python(checkout / "bin", GOOD)
    (checkout / "pip").touch()
    (checkout / "pytest").write_text(f'echo "ran $*" >&2; exit {code}')
    (checkout / "bin/chromium").unlink()
    result = make(checkout, "test", "ARGS=-k ledger")
    assert (result.returncode == 0) == (exit_code == 0)
    told = ours(result.stderr)
    last = told[:-1] if code == "5" else told
    assert told[0] == NO_CHROMIUM and last[-2] == NO_CHROMIUM and last[-1].endswith(f"apt install {CHROMIUM}")
    assert code != "5" or told[-1] == 'sslcourse: no test was run; is there one that "-k ledger" means?'
    runs = [line for line in told if line.startswith("ran")]
    assert len(runs) == rounds and all(line.endswith("-k ledger") for line in runs)


def test_a_round_without_tests_is_no_failure(checkout):
    """`-k demo` may mean tests of one round only."""
    fake_python(checkout / "bin", GOOD)
    (checkout / "pip").touch()
    (checkout / "pytest").write_text('case "$*" in *"-m lesson"*) exit 0;; *) exit 5;; esac')
    assert make(checkout, "test", "ARGS=-k demo").returncode == 0

"""Lessons in a real browser: everything runs, nothing shows an error, and each slider moves its figure.

In the smoke profile: what a browser can show does not depend on how long a network was trained.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

from sslcourse import course, devices, paths

SCREENSHOTS = paths.ROOT / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")  # as in .ci/preflight
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
needs_a_browser = pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("CI"), reason="no chromium on PATH (CI must have it)"
)
pytestmark = [pytest.mark.lesson, needs_a_browser]
# Every cell stays in the page, and nothing asks the network for news.
SETTINGS = {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}
# The notebook as the page holds it: code cells, those that ran, and the errors among their outputs.
STATE = """() => {
  const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells
    .filter(cell => cell.cell_type === 'code' && [].concat(cell.source).join('').trim());
  return {
    code: cells.length,
    ran: cells.filter(cell => cell.execution_count !== null).length,
    errors: cells.flatMap(cell => cell.outputs.filter(out => out.output_type === 'error')
      .map(out => `${cell.id}: ${out.ename}: ${out.evalue}`)),
  };
}"""
# Whether the notebook has its kernel: asked to run before, JupyterLab opens a dialog to choose one.
KERNEL = """() => {
  const context = window.jupyterapp.shell.currentWidget?.sessionContext;
  return Boolean(context?.isReady) && context.session?.kernel?.status === 'idle';
}"""
INDICATOR = ".jp-Notebook-ExecutionIndicator"
TRACEBACKS = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]'


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, seconds: float, sentence: str):
    """The first true value of what(), or a failure with this sentence."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(0.3)
    pytest.fail(f"After {seconds:.0f} s {sentence}")


@pytest.fixture
def lab(tmp_path):
    """JupyterLab on a copy of notebooks/, away from the user's own settings; -> (folder, URL of a notebook)."""
    root, settings = tmp_path / "notebooks", tmp_path / "config/labconfig/default_setting_overrides.json"
    shutil.copytree(paths.NOTEBOOKS, root)
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(SETTINGS))
    port, token = free_port(), secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += [f"--port={port}", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"]
    own = {"JUPYTER_CONFIG_DIR": tmp_path / "config", "JUPYTERLAB_WORKSPACES_DIR": tmp_path / "workspaces"}
    own |= {
        devices.PROFILE: "smoke",
        "JUPYTER_RUNTIME_DIR": tmp_path / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": tmp_path / "settings",
    }
    environment = os.environ | {key: str(value) for key, value in own.items()}
    with open(tmp_path / "lab.log", "w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def answers() -> bool:
        assert server.poll() is None, (tmp_path / "lab.log").read_text()[-3000:]
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=5).status == 200
        except OSError:
            return False

    try:
        wait_until(answers, 300, "JupyterLab does not answer.")
        yield root, lambda name: f"http://127.0.0.1:{port}/lab/tree/{name}?token={token}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture
def page():
    """A page in headless Chromium."""
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "There is no chromium on PATH; .ci/run installs it."
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        yield page
        browser.close()


def photograph(page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def run_all(page, url: str, seconds: float) -> None:
    """Open a notebook, run all cells, wait for the last; an error in any cell and any dialog fails the test."""
    page.goto(url)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=300_000)
    page.wait_for_function(KERNEL, timeout=300_000)
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")  # room for the notebook

    def done() -> bool:
        state = page.evaluate(STATE)
        assert not state["errors"], state["errors"]
        assert not (dialogs := page.locator(".jp-Dialog").all_inner_texts()), dialogs
        return state["ran"] == state["code"] > 0

    # By the command of Run > Run All Cells: while the page still moves, a click may hit the menu's next entry.
    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    wait_until(done, seconds, "the notebook still runs.")
    page.wait_for_selector(f"{INDICATOR}[data-status='idle']", timeout=300_000)


def move_slider(page, cell) -> None:
    """Move the first slider of a cell by the keyboard; the cell's pictures must change."""
    slider = cell.locator(".widget-slider").first
    label, handle = slider.inner_text(), slider.locator(".noUi-handle").first
    cell.scroll_into_view_if_needed()
    cell.locator(".jp-OutputArea img").first.wait_for(timeout=300_000)

    def pictures() -> list[str]:
        return cell.locator(".jp-OutputArea img").evaluate_all("images => images.map(image => image.src)")

    def place() -> str:
        """Where the handle is drawn: its value may be rounded to the same text before and after."""
        return slider.locator(".noUi-origin").first.get_attribute("style")

    before, begin = pictures(), place()
    handle.focus()
    at_the_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    for _ in range(5):
        page.keyboard.press("ArrowLeft" if at_the_end else "ArrowRight")
    assert place() != begin, f"the slider {label!r} does not move"
    wait_until(lambda: pictures() and pictures() != before, 120, f"the figure has not followed the slider {label!r}.")


@pytest.mark.parametrize("lesson", [pytest.param(lesson, id=lesson.file) for lesson in course.lessons()])
def test_lesson_in_the_browser(lab, page, finished, lesson):
    root, url = lab
    notebook = finished(lesson)
    for cell in notebook.cells:
        if cell.cell_type == "code":  # what is seen below was made here, not by the builder
            cell.outputs, cell.execution_count = [], None
    name = Path(lesson.module) / lesson.notebook.name
    nbformat.write(notebook, root / name)

    run_all(page, url(name.as_posix()), seconds=600)
    assert page.locator(TRACEBACKS).count() == 0, page.locator(TRACEBACKS).all_inner_texts()
    cells = page.locator(".jp-Notebook .jp-Cell")
    for place, index in (("top", 0), ("middle", cells.count() // 2)):
        cells.nth(index).evaluate("cell => cell.scrollIntoView({block: 'start'})")
        page.wait_for_timeout(500)
        photograph(page, f"{lesson.file}_{place}")

    with_sliders = page.locator(".jp-CodeCell", has=page.locator(".widget-slider"))
    assert with_sliders.count() == sum(shows_sliders(cell) for cell in notebook.cells)
    for number in range(with_sliders.count()):
        cell = with_sliders.nth(number)
        move_slider(page, cell)
        cell.evaluate("cell => cell.scrollIntoView({block: 'center'})")
        page.wait_for_timeout(1000)
        photograph(page, f"{lesson.file}_slider_{number}")
    assert not page.evaluate(STATE)["errors"]
    assert page.locator(TRACEBACKS).count() == 0, page.locator(TRACEBACKS).all_inner_texts()


def shows_sliders(cell) -> bool:
    """Whether a cell calls one of the widgets, which the figures' files name ..._slider, ..._sliders or ..._box."""
    return cell.cell_type == "code" and re.search(r"_figures\.\w+_(sliders?|box)\(", cell.source) is not None

"""Lessons in a real browser: everything runs, nothing shows an error, and the slider moves the figure."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from sslcourse import course, paths

SCREENSHOTS = paths.ROOT / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")  # as in .ci/preflight
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
needs_a_browser = pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("CI"), reason="no chromium on PATH (CI must have it)"
)
pytestmark = [pytest.mark.heavy, needs_a_browser]
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
    own |= {"JUPYTER_RUNTIME_DIR": tmp_path / "runtime", "JUPYTERLAB_SETTINGS_DIR": tmp_path / "settings"}
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
        wait_until(answers, 60, "JupyterLab does not answer.")
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
    """Open a notebook, Run > Run All Cells, wait for the last cell; an error in any cell fails the test."""
    page.goto(url)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=60_000)
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")  # room for the notebook
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    def done() -> bool:
        state = page.evaluate(STATE)
        assert not state["errors"], state["errors"]
        return state["ran"] == state["code"] > 0

    wait_until(done, seconds, "the notebook still runs.")
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=30_000)


def move_slider(page, label: str):
    """Move the last slider with this label by the keyboard; -> its cell, whose pictures must have changed."""
    cell = page.locator(".jp-CodeCell", has=page.locator(".widget-slider", has_text=label)).last
    handle = cell.locator(".widget-slider", has_text=label).locator(".noUi-handle").first
    cell.scroll_into_view_if_needed()
    cell.locator(".jp-OutputArea img").first.wait_for(timeout=30_000)

    def pictures() -> list[str]:
        return cell.locator(".jp-OutputArea img").evaluate_all("images => images.map(image => image.src)")

    before, value = pictures(), handle.get_attribute("aria-valuenow")
    handle.focus()
    at_the_end = value == handle.get_attribute("aria-valuemax")
    for _ in range(5):
        page.keyboard.press("ArrowLeft" if at_the_end else "ArrowRight")
    assert handle.get_attribute("aria-valuenow") != value, f"the slider {label!r} does not move"
    wait_until(lambda: pictures() and pictures() != before, 30, f"the figure has not followed the slider {label!r}.")
    return cell


@dataclass(frozen=True)
class Seen:
    """What the browser must show of a lesson: a slider's label; the last cell to run, or None for all of them."""

    slider: str
    until: str | None = None


LESSONS = {
    "1.1": Seen("step", until="kmeans-widget"),
    "3.1": Seen("degrees", until="turned-widget"),
    "2.1": Seen("Gibbs steps", until="gibbs-widget"),
    "2.3": Seen("weight", until="analogy-box"),
    "2.2": Seen("code 1", until="walk-widget"),
    "4.1": Seen("colour jitter", until="explorer"),
    "4.2": Seen("temperature"),
    "5.1": Seen("labels a class", until="budget-widget"),
}


@pytest.mark.parametrize("id", [lesson.id for lesson in course.lessons() if lesson.module])
def test_lesson_in_the_browser(lab, page, finished, id):
    root, url = lab
    lesson, seen = course.lesson(id), LESSONS[id]
    notebook = finished(lesson)
    if seen.until:
        last = [cell.id for cell in notebook.cells].index(seen.until)
        del notebook.cells[last + 1 :]
    for cell in notebook.cells:
        if cell.cell_type == "code":  # what is seen below was made here, not by the builder
            cell.outputs, cell.execution_count = [], None
    name = Path(lesson.module) / lesson.notebook.name
    nbformat.write(notebook, root / name)

    run_all(page, url(name.as_posix()), seconds=240)
    assert page.locator(TRACEBACKS).count() == 0, page.locator(TRACEBACKS).all_inner_texts()
    cells = page.locator(".jp-Notebook .jp-Cell")
    for place, index in (("top", 0), ("middle", cells.count() // 2)):
        cells.nth(index).evaluate("cell => cell.scrollIntoView({block: 'start'})")
        page.wait_for_timeout(500)
        photograph(page, f"{lesson.file}_{place}")

    cell = move_slider(page, seen.slider)
    cell.evaluate("cell => cell.scrollIntoView({block: 'center'})")
    page.wait_for_timeout(1000)
    photograph(page, f"{lesson.file}_slider")
    assert not page.evaluate(STATE)["errors"]
    assert page.locator(TRACEBACKS).count() == 0, page.locator(TRACEBACKS).all_inner_texts()

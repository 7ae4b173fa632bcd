"""Interactive views: a thin shell of controls over a pure function that draws a figure.

The figure is an ordinary picture in the cell's output, so that it stays in the notebook where no kernel runs. Where
there is no notebook, such as in `sslcourse run`, it is all there is: ipywidgets is not needed.
"""

import html
import io
import sys
import traceback
from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from sslcourse.errors import CourseError


class Control:
    """A control that a notebook shows, and whose value at first a plain script uses.

    kind: the name of an ipywidgets class. options: further arguments of it; its text is `description`.
    """

    def __init__(self, kind: str, value: Any, description: str, **options: Any):
        self.kind, self.value = kind, value
        self.options = {"description": description, "style": {"description_width": "initial"}, **options}
        if kind != "Dropdown":  # drawn anew when it is let go, not at each step on the way; a choice has no way
            self.options.setdefault("continuous_update", False)

    def widget(self):
        """The control as ipywidgets has it."""
        import ipywidgets

        return getattr(ipywidgets, self.kind)(value=self.value, **self.options)


def explore(draw: Callable[..., Figure], **controls: Control) -> Figure | None:
    """Show controls above draw(name=value, ...), drawn anew when one is let go.

    A first failure is raised; a later one is shown in red where the figure was, and the next good value clears it.
    Outside a notebook it returns the first figure.
    """
    figure = draw(**{name: control.value for name, control in controls.items()})
    if not in_notebook():
        return figure
    show_live(draw, figure, {name: control.widget() for name, control in controls.items()})
    return None


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process."""
    kernel = sys.modules.get("ipykernel.kernelapp")
    return kernel is not None and kernel.IPKernelApp.initialized()


def show_live(draw: Callable[..., Figure], first: Figure, widgets: dict) -> None:
    """Display widgets, and below them the first figure, which follows them from then on."""
    import ipywidgets
    from IPython.display import display

    columns = "1fr 1fr" if len(widgets) > 5 else "1fr"  # many sliders must not push the figure out of sight
    display(ipywidgets.GridBox(list(widgets.values()), layout={"grid_template_columns": columns}))
    handle = display(image(first), display_id=True)

    def redraw(_change) -> None:
        try:
            handle.update(image(draw(**{name: widget.value for name, widget in widgets.items()})))
        except CourseError as error:  # such as a word that was typed and is in no vocabulary
            handle.update(failure(str(error)))
        except Exception:  # a callback has nobody above it to whom an error could be raised
            handle.update(failure(traceback.format_exc(limit=-3)))

    for widget in widgets.values():
        widget.observe(redraw, names="value")


def image(figure: Figure):
    """A figure as the PNG that a notebook keeps."""
    from IPython.display import Image

    file = io.BytesIO()
    figure.savefig(file, format="png")
    return Image(file.getvalue())


def failure(text: str):
    """A traceback, in red."""
    from IPython.display import HTML

    return HTML(f'<pre style="color: #b00020">The figure could not be drawn.\n{html.escape(text)}</pre>')

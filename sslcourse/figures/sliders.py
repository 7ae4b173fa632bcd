"""Widgets: controls above a figure, which a pure function draws from their values.

The figure is an ordinary picture in the cell's output, so that it stays in the notebook where no kernel runs. A plain
script, such as `sslcourse run`, gets the figure alone, and does not need ipywidgets.
"""

import html
import sys
import traceback
from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from sslcourse.errors import CourseError
from sslcourse.figures.described import markup


class Control:
    """A control of a widget; a plain script uses its first value.

    kind: the name of an ipywidgets class; value: the first value; description: the text beside the control; options:
    further arguments of the class.
    """

    def __init__(self, kind: str, value: Any, description: str, **options: Any):
        self.kind, self.value = kind, value
        self.options = {"description": description, "style": {"description_width": "initial"}, **options}
        if kind != "Dropdown":  # redraw when a slider is let go, not on the way; a Dropdown lacks the option
            self.options.setdefault("continuous_update", False)

    def widget(self):
        """The control as an ipywidgets object."""
        import ipywidgets

        return getattr(ipywidgets, self.kind)(value=self.value, **self.options)


def explore(draw: Callable[..., Figure], **controls: Control) -> Figure | None:
    """Show controls above the figure draw(name=value, ...), which is drawn again when a value changes.

    Outside a notebook, return the first figure instead. An error in the first drawing is raised; a later one is shown
    in red in place of the figure, until a value works again.
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
    """Display widgets, and below them the first figure, which is drawn again when a widget's value changes."""
    import ipywidgets
    from IPython.display import display

    columns = "1fr 1fr" if len(widgets) > 5 else "1fr"  # many sliders must not push the figure out of sight
    display(ipywidgets.GridBox(list(widgets.values()), layout={"grid_template_columns": columns}))
    handle = display(image(first), display_id=True)

    def redraw(_change) -> None:
        try:
            handle.update(image(draw(**{name: widget.value for name, widget in widgets.items()})))
        except CourseError as error:  # such as a typed word that is in no vocabulary
            handle.update(failure(str(error)))
        except Exception:  # nobody would see an error that a callback raises
            handle.update(failure(traceback.format_exc(limit=-3)))

    for widget in widgets.values():
        widget.observe(redraw, names="value")


def image(figure: Figure):
    """A figure with its alternative text for the cell's output; always as large, or it would jump as sliders move."""
    from IPython.display import HTML

    return HTML(markup(figure))


def failure(text: str):
    """An error message or traceback in red, for the cell's output."""
    from IPython.display import HTML

    return HTML(f'<pre style="color: #b00020">The figure could not be drawn.\n{html.escape(text)}</pre>')

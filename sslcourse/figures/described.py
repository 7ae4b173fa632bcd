"""Figures with alternative text, for readers who cannot see them, and the words that such texts are made of."""

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.figure import Figure


class Described(Figure):
    """A figure with alternative text, which a notebook shows as HTML: JupyterLab drops that of an ordinary picture.

    alt: what is drawn, on which axes, and what is to be seen; a ValueError where it is empty.
    """

    def __init__(self, *arguments, alt: str, **options):
        super().__init__(*arguments, **options)
        self.alt = " ".join(alt.split())
        if not self.alt:
            raise ValueError("A figure needs alternative text (alt): what is drawn, its axes, and what is to be seen.")

    def _ipython_display_(self) -> None:
        """Show the figure in a notebook, as HTML alone: with the inline backend's picture it would be there twice."""
        from IPython.display import HTML, display

        display(HTML(markup(self, bbox_inches="tight")))  # without white margins, as the inline backend shows figures


def markup(figure: Described, **options) -> str:
    """A figure as an HTML element that holds the picture and its alternative text; options of `savefig`."""
    file = io.BytesIO()
    figure.savefig(file, format="png", **options)
    picture = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="{html.escape(figure.alt)}" src="data:image/png;base64,{picture}">'


def listed(names: Iterable[object]) -> str:
    """Names in one line: a, b and c."""
    *first, last = [" ".join(str(name).split()) for name in names]
    return f"{', '.join(first)} and {last}" if first else last


def short(value: float) -> str:
    """A number with about three digits."""
    return f"{value:,.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


def course(values: Sequence[float]) -> str:
    """Where a curve begins and ends, and how far it goes above or below that."""
    first, last = values[0], values[-1]
    text = f"from {short(first)} to {short(last)}"
    if max(values) > max(first, last):
        text += f", at most {short(max(values))}"
    if min(values) < min(first, last):
        text += f", at least {short(min(values))}"
    return text


def spelled(table: Mapping[str, Mapping[object, float]]) -> str:
    """A table {row: {column: number}} in one line: row: number (column), number (column); next row: ..."""
    lines = {
        name: ", ".join(f"{short(value)} ({column})" for column, value in row.items()) for name, row in table.items()
    }
    return "; ".join(f"{name}: {line}" for name, line in lines.items())

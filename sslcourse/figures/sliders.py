"""Interactive views: a thin shell of sliders over a pure function that draws a figure.

The figure is an ordinary picture in the cell's output, so that it stays in the notebook where no kernel runs.
"""

import html
import io
import traceback
from collections.abc import Callable

from IPython.display import HTML, Image, display
from matplotlib.figure import Figure
from torch import Tensor

from sslcourse.errors import CourseError


def explore(draw: Callable[..., Figure], **sliders) -> None:
    """Show sliders above draw(name=value, ...), drawn anew when one is let go. sliders: name -> ipywidgets control.

    A first failure is raised; a later one is shown in red where the figure was, and the next good value clears it.
    """
    import ipywidgets

    def values() -> dict:
        return {name: slider.value for name, slider in sliders.items()}

    first = image(draw(**values()))
    columns = "1fr 1fr" if len(sliders) > 5 else "1fr"  # many sliders must not push the figure out of sight
    display(ipywidgets.GridBox(list(sliders.values()), layout={"grid_template_columns": columns}))
    handle = display(first, display_id=True)

    def redraw(_change) -> None:
        try:
            handle.update(image(draw(**values())))
        except CourseError as error:  # such as a word that was typed and is in no vocabulary
            handle.update(failure(str(error)))
        except Exception:  # a callback has nobody above it to whom an error could be raised
            handle.update(failure(traceback.format_exc(limit=-3)))

    for slider in sliders.values():
        slider.observe(redraw, names="value")


def image(figure: Figure) -> Image:
    """A figure as the PNG that a notebook keeps."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return Image(file.getvalue())


def failure(text: str) -> HTML:
    """A traceback, in red."""
    return HTML(f'<pre style="color: #b00020">The figure could not be drawn.\n{html.escape(text)}</pre>')


def temperature(v: Tensor, z: Tensor) -> None:
    """A temperature slider over the similarity matrix of projections v (2B,d) with partners z (2B,)."""
    import ipywidgets

    from sslcourse import plots

    slider = ipywidgets.FloatLogSlider(
        0.2,
        min=-2,
        max=1,
        step=0.05,
        description="temperature",
        continuous_update=False,
        readout_format=".3g",
        style={"description_width": "initial"},
    )
    explore(lambda temperature: plots.temperature(v, z, temperature), temperature=slider)


def kmeans(x: Tensor, path: list[Tensor], plane: Tensor) -> None:
    """A slider over the steps of k-means: pictures x (N,28*28), centroids after each step, a plane (28*28,2)."""
    import ipywidgets

    from sslcourse import plots

    last = len(path) - 1  # shown first, so that the figure that stays where no kernel runs is the result
    slider = ipywidgets.IntSlider(last, min=0, max=last, description="step", continuous_update=False)
    explore(lambda step: plots.kmeans(x, path, plane, step), step=slider)


def turned(pictures: Tensor, answer: Callable, picture: int = 0) -> None:
    """Sliders that turn one of the pictures (N,C,H,W), and choose it, at first number `picture`.

    answer: pictures -> probabilities of the four turns (N,4).
    """
    import ipywidgets

    from sslcourse import plots

    degrees = ipywidgets.IntSlider(0, min=0, max=360, step=5, description="degrees", continuous_update=False)
    chosen = ipywidgets.IntSlider(picture, min=0, max=len(pictures) - 1, description="picture", continuous_update=False)
    explore(lambda degrees, picture: plots.turned(pictures, answer, degrees, picture), degrees=degrees, picture=chosen)


def gibbs(rbm, starts: dict[str, Tensor], steps: int = 200, step: int = 1) -> None:
    """A choice of starts (name -> v (D,)) and a slider over Gibbs steps of an RBM, from each start one chain.

    step: where the slider stands at first, and so the figure that stays where no kernel runs.
    """
    import ipywidgets

    from sslcourse.origins import rbm_figures

    chains = {name: rbm_figures.walk(rbm, v, steps) for name, v in starts.items()}
    style = {"description_width": "initial"}
    explore(
        lambda start, steps: rbm_figures.chain(rbm, chains[start], steps),
        start=ipywidgets.Dropdown(options=list(starts), description="start from", style=style),
        steps=ipywidgets.IntSlider(
            step, 0, steps, description="Gibbs steps", continuous_update=False, style=style, layout={"width": "60%"}
        ),
    )


def company(words: Tensor, verse: Tensor, vocabulary: tuple[str, ...]) -> None:
    """Two words to type, and a slider for the window in which their company is counted, over a corpus (T,)."""
    import ipywidgets

    from sslcourse import plots_words

    window = ipywidgets.IntSlider(3, 1, 15, description="window", continuous_update=False)
    first, second = (ipywidgets.Text(word, description="word", continuous_update=False) for word in ("wheat", "barley"))
    explore(
        lambda first, second, window: plots_words.companions(words, verse, vocabulary, (first, second), window),
        first=first,
        second=second,
        window=window,
    )


def analogy(lexicons: dict, a: str = "man", b: str = "woman", c: str = "king") -> None:
    """The analogy box: three words to type, a slider for the weight of the offset; one or more named lexicons."""
    import ipywidgets

    from sslcourse import plots_words

    typed = [
        ipywidgets.Text(word, description=name, continuous_update=False)
        for name, word in zip("abc", (a, b, c), strict=True)
    ]
    weight = ipywidgets.FloatSlider(
        1.0, min=0, max=3, step=0.1, description="weight", continuous_update=False, readout_format=".1f"
    )
    explore(
        lambda a, b, c, weight: plots_words.analogy(lexicons, a, b, c, weight),
        **dict(zip("abc", typed, strict=True)),
        weight=weight,
    )


def walk_code(decoder, codes: Tensor, y: Tensor) -> None:
    """Two sliders over a 2-D code: where we are among the codes (N,2) of labeled samples y (N,), and what is drawn."""
    import ipywidgets

    from sslcourse.origins import autoencoder_figures

    def slider(axis: int) -> ipywidgets.FloatSlider:
        low, high = codes[:, axis].quantile(codes.new_tensor([0.01, 0.99])).tolist()
        return ipywidgets.FloatSlider(
            value=(low + high) / 2,
            min=low,
            max=high,
            step=(high - low) / 40,
            description=f"code {axis + 1}",
            continuous_update=False,
            readout_format=".2f",
            layout={"width": "60%"},
        )

    sliders = {"code_1": slider(0), "code_2": slider(1)}
    explore(lambda code_1, code_2: autoencoder_figures.walk(decoder, codes, y, code_1, code_2), **sliders)


def views(pictures: Tensor, encoders: dict, number: int, strengths: dict[str, float]) -> None:
    """Ten sliders, one for each of figure 4's augmentations, and what encoders (name -> module) make of a picture.

    pictures (N,C,H,W) raw: which one is changed is a slider, too; the nearest is one of them. number and strengths: the
    picture and the augmentations to begin with.
    """
    import ipywidgets

    from sslcourse import augment, measures, plots_views

    features = {name: measures.embed(encoder, pictures) for name, encoder in encoders.items()}
    shape = {"continuous_update": False, "style": {"description_width": "10em"}, "layout": {"width": "auto"}}
    ten = {
        name: ipywidgets.FloatSlider(strengths.get(name, 0), min=0, max=1, step=0.05, description=name, **shape)
        for name in augment.FIGURE_4
    }
    chosen = {
        "picture": ipywidgets.IntSlider(number, min=0, max=len(pictures) - 1, description="picture", **shape),
        "chance": ipywidgets.IntSlider(0, min=0, max=20, description="chance", **shape),
    }

    def draw(picture: int, chance: int, **strengths: float):
        changed = augment.figure_4(measures.to_float(pictures[picture])[None], strengths, chance)
        return plots_views.explorer(pictures, picture, changed, encoders, features)

    explore(draw, **chosen, **ten)


def label_budget(draw: Callable[[int, int], Figure], budgets: list[int], draws: int) -> None:
    """A slider over labels a class, and one over draws of the labeled samples, above draw(labels, number)."""
    import ipywidgets

    style = {"description_width": "initial"}
    labels = ipywidgets.SelectionSlider(
        options=budgets, value=budgets[1], description="labels a class", continuous_update=False, style=style
    )
    number = ipywidgets.IntSlider(0, 0, draws - 1, description="draw", continuous_update=False, style=style)
    explore(draw, labels=labels, number=number)

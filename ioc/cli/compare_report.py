"""The page of `ioc detectors compare … --report`: alerts lost, gained and kept, each with its picture.

One HTML file that names no outside address: thumbnails are inside it.
"""

from functools import cache
from importlib.resources import files

import jinja2

from detectors.evaluation.comparing import OUTCOMES, Alert
from detectors.preprocess import decode_jpeg
from ioc.cli.compare_answer import Compared, Pictures
from ioc.cli.compare_truth import TRUTHS, Truth
from ioc.cli.evaluate_report import data_url, mark_of, thumbnail
from ioc.cli.evaluate_words import Both
from ioc.errors import InvalidRecord

__all__ = ["page"]

_MOST_SHOWN = 300  # thumbnails of 20 KB each
_OUTCOMES: dict[str, Both] = {
    "kept": ("giữ", "kept"),
    "lost": ("mất", "lost"),
    "gained": ("thêm", "gained"),
}
_TRUTHS: dict[str, Both] = {
    "real": ("có thật", "real"),
    "false": ("báo nhầm", "false"),
    "other": ("khói khác", "other smoke"),
    "unknown": ("chưa rõ", "unknown"),
}


def page(compared: Compared, pictures: Pictures) -> str:
    """Returns the whole HTML document."""
    return _template().render(
        compared=compared,
        outcomes=[(_OUTCOMES[name], [compared.counts.get((name, truth), 0) for truth in TRUTHS]) for name in OUTCOMES],
        truths=[_TRUTHS[truth] for truth in TRUTHS],
        alerts=[_Shown(alert, truth, pictures) for alert, truth in compared.alerts[:_MOST_SHOWN]],
        left=max(0, len(compared.alerts) - _MOST_SHOWN),
    )


class _Shown:
    """One alert as the template reads it."""

    def __init__(self, alert: Alert, truth: Truth, pictures: Pictures) -> None:
        self.alert = alert
        self.outcome, self.truth = _OUTCOMES[alert.outcome], _TRUTHS[truth]
        self.mood = _mood(alert, truth)
        self.mark = mark_of(alert.box, "alarm", alert.score)
        self.thumb = _thumb(pictures.jpegs.get(alert.frame))


def _mood(alert: Alert, truth: Truth) -> str:
    if truth not in ("real", "false") or alert.outcome == "kept":
        return "meh"
    return "good" if (alert.outcome == "gained") == (truth == "real") else "bad"


def _thumb(jpeg: bytes | None) -> str:
    try:
        return "" if jpeg is None else data_url(thumbnail(decode_jpeg(jpeg)))
    except InvalidRecord:
        return ""


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string((files("ioc.cli") / "compare_report.html.jinja").read_text(encoding="utf-8"))

"""The words of the boards in both languages. Grafana does not translate titles, so each language has its own board."""

from ioc.wall.panels import Language
from ioc.wall.text_fields import BoardTexts
from ioc.wall.texts_en import EN
from ioc.wall.texts_vi import VI

__all__ = ["TEXTS", "BoardTexts"]

TEXTS: dict[Language, BoardTexts] = {"vi": VI, "en": EN}

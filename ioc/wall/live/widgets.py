"""The pieces of the pages, made of NiceGUI's elements. Each shows a text of `shown` and sends only what differs."""

from collections.abc import Iterable, Sequence
from typing import Any

from nicegui import ui

from ioc.wall.live.map_layers import Extent, Layer
from ioc.wall.live.shown import AlertText, CameraText, Mark, TileText

__all__ = ["AlertRow", "CameraCard", "MapCard", "TileCard", "put", "wear"]


_LONG_NUMBER = 5  # characters: a longer one is written smaller


def put(label: ui.label | ui.badge, text: str) -> None:
    """Shows `text`; an equal one is not sent."""
    if label.text != text:
        label.set_text(text)


def wear(element: ui.element, classes: str) -> None:
    """Gives the element these classes and no others; equal ones are not sent."""
    if element.classes != classes.split():
        element.classes(replace=classes)


class _Marks:
    """A row of at most three marks."""

    def __init__(self) -> None:
        with ui.row().classes("wall-marks"):
            self._badges = [ui.badge("", color=None).classes("wall-mark") for _ in range(3)]

    def show(self, marks: Sequence[Mark]) -> None:
        for place, badge in enumerate(self._badges):
            mark = marks[place] if place < len(marks) else None
            put(badge, mark.text if mark else "")
            wear(badge, f"wall-mark look-{mark.look}" if mark else "wall-mark is-empty")


class TileCard:
    """One figure."""

    def __init__(self) -> None:
        with ui.card().classes("wall-tile").props("flat") as self._card:
            self._name = ui.label("").classes("tile-name")
            with ui.row().classes("tile-figure"):
                self._number = ui.label("").classes("tile-number")
                self._unit = ui.label("").classes("tile-unit")
                self._marks = _Marks()
            self._target = ui.label("").classes("tile-line")
            with ui.row().classes("tile-foot"):
                self._trend = ui.label("").classes("tile-line")
                self._as_of = ui.label("").classes("tile-line tile-as-of")

    def show(self, text: TileText | None) -> None:
        """None: the place stays empty."""
        if text is None:
            wear(self._card, "wall-tile is-empty")
            return
        wear(self._card, f"wall-tile look-{text.look}{' is-long' if len(text.number) > _LONG_NUMBER else ''}")
        put(self._name, text.name)
        put(self._number, text.number)
        put(self._unit, text.unit)
        self._marks.show((text.standing, *text.marks))
        put(self._target, text.target)
        put(self._trend, text.trend)
        put(self._as_of, text.as_of)


class CameraCard:
    """One camera: its newest picture, boxes upon it, and since when there is none."""

    def __init__(self) -> None:
        with ui.card().classes("wall-camera").props("flat") as self._card:
            self._image = ui.interactive_image("", content="", sanitize=False, events=[]).classes("camera-picture")
            self._labels = ui.label("").classes("camera-labels")
            with ui.row().classes("camera-caption"):
                self._name = ui.label("").classes("camera-name")
                self._words = ui.label("").classes("camera-words")

    def show(self, text: CameraText | None) -> None:
        """None: the place stays empty."""
        if text is None:
            wear(self._card, "wall-camera is-empty")
            return
        look = "is-blind" if text.is_blind else "has-boxes" if text.overlay else ""
        look += " is-unseen" if text.is_unseen else ""
        wear(self._card, f"wall-camera {look} {'' if text.picture else 'is-dark'}".strip())
        source = f"/thumb/{text.camera_id}/{text.picture}.jpg" if text.picture else ""
        if self._image.source != source:
            self._image.set_source(source)
        if self._image.content != text.overlay:
            self._image.set_content(text.overlay)
        put(self._labels, text.labels)
        put(self._name, text.name)
        put(self._words, text.words)


class AlertRow:
    """One incident."""

    def __init__(self) -> None:
        with ui.card().classes("wall-alert is-empty").props("flat") as self._card:
            self._severity = ui.badge("", color=None).classes("wall-mark")
            self._title = ui.label("").classes("alert-title")
            self._place = ui.label("").classes("alert-place")
            self._since = ui.label("").classes("alert-since")
            self._holder = ui.label("").classes("alert-holder")

    def show(self, text: AlertText | None) -> None:
        """None: the place stays empty."""
        if text is None:
            wear(self._card, "wall-alert is-empty")
            return
        form = f"{' is-exercise' if text.is_exercise else ''}{' is-candidate' if text.is_candidate else ''}"
        wear(self._card, f"wall-alert look-{text.severity.look}{form}")
        put(self._severity, text.severity.text)
        wear(self._severity, f"wall-mark look-{text.severity.look}")
        put(self._title, f"{text.number}. {text.title}")
        put(self._place, text.place)
        put(self._since, text.since)
        put(self._holder, text.holder)


class MapCard:
    """Leaflet without tiles, on our own base layer."""

    def __init__(self, base: Iterable[Layer], extent: Extent, legend: str) -> None:
        options = dict.fromkeys(
            ("zoomControl", "attributionControl", "dragging", "scrollWheelZoom", "doubleClickZoom", "keyboard"), False
        )
        center = ((extent.south + extent.north) / 2, (extent.west + extent.east) / 2)
        with ui.card().classes("wall-map").props("flat"):
            self._map = ui.leaflet(center=center, zoom=10, options={**options, "zoomSnap": 0.1})
            ui.label(legend).classes("map-legend")
        self._map.clear_layers()  # the library begins with tiles from outside; nothing was sent yet
        self._on_map: dict[str, Any] = {}
        for layer in base:
            self._map.generic_layer(name=layer.factory, args=list(layer.arguments))
        corners = [[extent.south, extent.west], [extent.north, extent.east]]
        self._map.on("init", lambda: self._map.run_map_method("fitBounds", corners))

    def show(self, layers: Iterable[Layer]) -> None:
        wanted = {layer.key: layer for layer in layers}
        for key in [key for key in self._on_map if key not in wanted]:
            self._map.remove_layer(self._on_map.pop(key))
        for key, layer in wanted.items():
            if key not in self._on_map:
                self._on_map[key] = self._map.generic_layer(name=layer.factory, args=list(layer.arguments))

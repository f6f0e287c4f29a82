"""The two pages: the wall at `/`, the leader's phone at `/p`. Every viewer has its own elements and shares all else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.responses import PlainTextResponse, Response
from nicegui import ui

from ioc.wall.live.hub import Hub
from ioc.wall.live.map_layers import Extent, Layer, camera_layers, incident_layers
from ioc.wall.live.shown import Shown, shown_of, ticker_word
from ioc.wall.live.snapshot import Owner, Snapshot
from ioc.wall.live.views import CAMERAS, FIGURES, MAP, OVERVIEW, Program, program_of, slice_of
from ioc.wall.live.widgets import AlertRow, CameraCard, MapCard, TileCard, put, wear
from ioc.wall.live.wording import pick
from ioc.wall.names import family_name
from ioc.wall.panels import Language

__all__ = ["Site", "add_pages"]

MAX_VIEWERS = 100  # two megabytes each: they must fit the service's memory limit
TICKER_ROWS = 3
OVERVIEW_TILES, SECTOR_TILES = 8, 12
OVERVIEW_CAMERAS, MOSAIC_CAMERAS = 4, 12
MAP_ALERTS = 6
PHONE_WORSE, PHONE_ALERTS = 20, 20


@dataclass(slots=True)
class Site:
    """What all viewers share. `base`, `extent`: the map; `units`: names of units and agencies by code; `head`: links of
    style and script."""

    hub: Hub
    name_vi: str
    name_en: str
    families: tuple[str, ...]
    owners: Mapping[str, Owner]
    units: Mapping[str, tuple[str, str]]
    base: tuple[Layer, ...]
    extent: Extent
    monotonic: Callable[[], float]
    head: str
    _words: dict[Language, tuple[int, Shown]] = field(default_factory=dict)

    def shown(self, snapshot: Snapshot, language: Language) -> Shown:
        """The words of a snapshot, made once for all viewers of a language."""
        known = self._words.get(language)
        if known is None or known[0] != snapshot.revision:
            known = self._words[language] = (
                snapshot.revision,
                shown_of(snapshot, self.owners, self.units, language),
            )
        return known[1]


def add_pages(site: Site) -> None:
    """Registers both pages with NiceGUI."""

    @ui.page("/", title=f"IOC · {site.name_vi}")
    def wall(view: str = "", rotate: str = "", lang: str = "vi") -> Response | None:
        if site.hub.viewers >= MAX_VIEWERS:
            return _full()
        program = program_of(view[:500], rotate[:10], site.families)
        _keep(site, _Wall(site, program, "en" if lang == "en" else "vi"))
        return None

    @ui.page("/p", title=f"IOC · {site.name_vi}")
    def phone(lang: str = "vi") -> Response | None:
        if site.hub.viewers >= MAX_VIEWERS:
            return _full()
        _keep(site, _Phone(site, "en" if lang == "en" else "vi"))
        return None


def _full() -> Response:
    text = f"Đã đủ {MAX_VIEWERS} người xem · {MAX_VIEWERS} viewers are watching already\n"
    return PlainTextResponse(text, status_code=503, headers={"Retry-After": "60"})


def _keep(site: Site, page: "_Wall | _Phone") -> None:
    page.tell(site.hub.snapshot)
    site.hub.watch(page, page.tell)
    ui.context.client.on_delete(lambda: site.hub.unwatch(page))


def _begin(site: Site, language: Language, name: str) -> None:
    ui.add_head_html(site.head)
    ui.add_body_html(f'<script>document.body.dataset.lang="{language}";document.body.classList.add("{name}")</script>')


class _Frame:
    """Head and warnings, which both pages have."""

    def __init__(self, site: Site, language: Language) -> None:
        self._language = language
        with ui.element("header").classes("wall-head"):
            name = site.name_vi if language == "vi" else site.name_en
            ui.label(f"IOC · {name}").classes("head-title")
            self.view = ui.label("").classes("head-view")
            self._summary = ui.label("").classes("head-summary")
            self._sound()
            with ui.row().classes("head-time"):
                ui.label(pick(language, "cập nhật", "updated")).classes("head-word")
                self._clock = ui.label("").classes("wall-clock")
                self._day = ui.label("").classes("wall-day")
        with ui.element("div").classes("wall-old").props("role=alert"):
            ui.label(
                pick(language, "⚠ TRANG NÀY ĐÃ CŨ – KHÔNG CÒN CẬP NHẬT TỪ", "⚠ THIS PAGE IS OLD – NOT UPDATED SINCE")
            )
            ui.label("").classes("wall-old-since")
        with ui.element("div").classes("wall-blind is-empty").props("role=alert") as self._blind:
            self._blind_text = ui.label("")
        self._ids = ui.label("").classes("wall-alert-ids")

    def _sound(self) -> None:
        texts = {
            "on": pick(self._language, "♪ Âm báo: BẬT", "♪ Sound: ON"),
            "muted": pick(self._language, "♪ Âm báo: TẮT", "♪ Sound: MUTED"),
            "blocked": pick(self._language, "♪ Âm báo bị trình duyệt chặn", "♪ Sound blocked by the browser"),
        }
        button = ui.element("div").classes("wall-sound").props("role=button tabindex=0")
        for state, text in texts.items():
            button.props[f"data-{state}"] = text

    def show(self, shown: Shown) -> None:
        put(self._summary, shown.summary)
        put(self._clock, shown.at)
        put(self._day, shown.day)
        put(self._blind_text, f"⚠ {shown.blind}" if shown.blind else "")
        wear(self._blind, "wall-blind" if shown.blind else "wall-blind is-empty")
        # "?" until on-call was heard: what was open before is no news then
        heard = [alert.incident_id for alert in shown.alerts if not alert.is_candidate]  # an early sight makes no sound
        put(self._ids, " ".join(heard) if shown.alerts_known else "?")


class _Wall:
    """One television. Only the view that is shown has elements; what is hidden costs nothing."""

    def __init__(self, site: Site, program: Program, language: Language) -> None:
        self._site, self._program, self._language = site, program, language
        self._turn = -1
        self._turned_s = 0.0
        self._view = ""
        self._tiles: list[TileCard] = []
        self._cameras: list[CameraCard] = []
        self._alerts: list[AlertRow] = []
        self._map: MapCard | None = None
        _begin(site, language, "page-wall")
        with ui.element("div").classes("wall" + (" is-kiosk" if program.every_s else "")):
            self._frame = _Frame(site, language)
            if program.every_s is None:
                self._links()
            self._main = ui.element("main").classes("wall-main")
            with ui.element("footer").classes("wall-ticker"):
                self._ticker = [AlertRow() for _ in range(TICKER_ROWS)]
                self._ticker_word = ui.label("").classes("ticker-word")

    def _links(self) -> None:
        other: Language = "en" if self._language == "vi" else "vi"
        with ui.element("nav").classes("wall-links"):
            for view in (OVERVIEW, FIGURES, CAMERAS, MAP):
                self._link(view)
            with (
                ui.dropdown_button(pick(self._language, "Lĩnh vực", "Sectors"), auto_close=True).props(
                    "flat dense no-caps"
                ),
                ui.element("div").classes("wall-sectors"),
            ):
                for view in self._site.families:
                    self._link(view)
            ui.link(pick(self._language, "▶ Tự xoay", "▶ Rotate"), f"/?rotate=30s&lang={self._language}")
            ui.link(pick(self._language, "Điện thoại", "Phone"), f"/p?lang={self._language}")
            ui.link(pick(other, "Tiếng Việt", "English"), f"/?view={','.join(self._program.views)}&lang={other}")

    def _link(self, view: str) -> None:
        ui.link(_view_name(view, self._language), f"/?view={view}&lang={self._language}")

    def tell(self, snapshot: Snapshot) -> None:
        now_s = self._site.monotonic()
        if self._turn < 0 or (self._program.every_s is not None and now_s - self._turned_s >= self._program.every_s):
            self._turn, self._turned_s = self._turn + 1, now_s
            self._build()
        shown = self._site.shown(snapshot, self._language)
        self._frame.show(shown)
        self._show(shown, snapshot)
        _fill(self._ticker, shown.alerts)
        put(self._ticker_word, ticker_word(shown, TICKER_ROWS, self._language))

    def _build(self) -> None:
        view = self._program.views[self._turn % len(self._program.views)]
        if view == self._view:
            return
        self._view = view
        self._tiles, self._cameras, self._alerts, self._map = [], [], [], None
        self._main.clear()
        wear(self._main, f"wall-main view-{view if view in (OVERVIEW, CAMERAS, MAP) else 'figures'}")
        with self._main:
            if view == OVERVIEW:
                with ui.element("section").classes("area-tiles"):
                    self._tiles = [TileCard() for _ in range(OVERVIEW_TILES)]
                with ui.element("section").classes("area-cameras"):
                    self._cameras = [CameraCard() for _ in range(OVERVIEW_CAMERAS)]
                self._map = MapCard(self._site.base, self._site.extent, _legend(self._language))
            elif view == CAMERAS:
                self._cameras = [CameraCard() for _ in range(MOSAIC_CAMERAS)]
            elif view == MAP:
                self._map = MapCard(self._site.base, self._site.extent, _legend(self._language))
                with ui.element("section").classes("area-alerts"):
                    self._alerts = [AlertRow() for _ in range(MAP_ALERTS)]
            else:
                self._tiles = [TileCard() for _ in range(SECTOR_TILES)]

    def _show(self, shown: Shown, snapshot: Snapshot) -> None:
        is_sector = self._view not in (OVERVIEW, FIGURES, CAMERAS, MAP)
        tiles = [tile for tile in shown.tiles if not is_sector or tile.family == self._view]
        rounds = self._turn // len(self._program.views)
        words = _view_name(self._view, self._language)
        if self._tiles:
            begin, end = slice_of(len(tiles), len(self._tiles), rounds if self._view != OVERVIEW else 0)
            words += f" · {begin + 1}–{end}/{len(tiles)}" if len(tiles) > len(self._tiles) else ""
            _fill(self._tiles, tiles[begin:end])
        if self._cameras:
            begin, end = slice_of(len(shown.cameras), len(self._cameras), rounds)
            _fill(self._cameras, shown.cameras[begin:end])
        _fill(self._alerts, shown.alerts)
        if self._map is not None:
            layers = [*camera_layers(snapshot.cameras), *incident_layers(snapshot.alerts, snapshot.cameras)]
            self._map.show(layers)
        put(self._frame.view, words)


class _Phone:
    """The leader's phone: what got worse, where, whose it is; which incidents are open and who has them."""

    def __init__(self, site: Site, language: Language) -> None:
        self._site, self._language = site, language
        _begin(site, language, "page-phone")
        with ui.element("div").classes("phone"):
            self._frame = _Frame(site, language)
            put(self._frame.view, pick(language, "Việc cần biết", "What needs attention"))
            ui.label(pick(language, "Sự cố đang mở", "Open incidents")).classes("phone-heading").props("role=heading")
            self._alert_word = ui.label("").classes("phone-word")
            self._alerts = [AlertRow() for _ in range(PHONE_ALERTS)]
            ui.label(pick(language, "Chỉ số xấu đi", "Figures that got worse")).classes("phone-heading").props(
                "role=heading"
            )
            self._worse_word = ui.label("").classes("phone-word")
            self._worse = [_WorseCard(language) for _ in range(PHONE_WORSE)]
            other: Language = "en" if language == "vi" else "vi"
            with ui.element("nav").classes("phone-links"):
                ui.link(pick(other, "Tiếng Việt", "English"), f"/p?lang={other}")
                ui.link(pick(language, "Màn hình lớn", "The wall"), f"/?lang={language}")

    def tell(self, snapshot: Snapshot) -> None:
        shown = self._site.shown(snapshot, self._language)
        self._frame.show(shown)
        _fill(self._alerts, shown.alerts)
        _fill(self._worse, shown.worse)
        none = pick(self._language, "Không có.", "None.")
        unknown = pick(self._language, "Chưa đọc được.", "Can't be read yet.")
        opened = sum(not alert.is_candidate for alert in shown.alerts)
        put(self._alert_word, unknown if not shown.alerts_known else _more(opened, PHONE_ALERTS, none))
        is_read = snapshot.parts["figures"].heard_at is not None
        put(self._worse_word, _more(len(shown.worse), PHONE_WORSE, none) if is_read else unknown)


class _WorseCard:
    """A figure that got worse, with whom to ask."""

    def __init__(self, language: Language) -> None:
        with ui.element("section").classes("worse is-empty") as self._section:
            self._tile = TileCard()
            names = (("Nơi", "Where"), ("Đơn vị", "Owner"), ("Từ khi", "Since"))
            self._lines = []
            for vi, en in names:
                with ui.row().classes("worse-line"):
                    ui.label(pick(language, vi, en)).classes("worse-name")
                    self._lines.append(ui.label("").classes("worse-text"))

    def show(self, text: Any) -> None:
        """None: the place stays empty."""
        wear(self._section, "worse" if text is not None else "worse is-empty")
        if text is not None:
            self._tile.show(text.tile)
            for label, words in zip(self._lines, (text.where, text.owner, text.since), strict=True):
                put(label, words)


def _fill(places: Any, texts: Any) -> None:
    """Shows each text in its place; what remains is emptied."""
    for number, place in enumerate(places):
        place.show(texts[number] if number < len(texts) else None)


def _legend(language: Language) -> str:
    vi = "● camera có hình   ○ mất hình   ◯ sự cố (số thứ tự), hướng nhìn; ◉ đã định vị, elip 95 %; chấm: chưa xác nhận"
    en = "● camera sees   ○ is blind   ◯ incident (its number), bearing; ◉ located, ellipse 95 %; dotted: unconfirmed"
    return pick(language, vi, en)


def _more(count: int, places: int, none: str) -> str:
    return none if count == 0 else f"{count}" if count <= places else f"{places} / {count}"


def _view_name(view: str, language: Language) -> str:
    names = {
        OVERVIEW: ("Toàn cảnh", "Overview"),
        FIGURES: ("Mọi chỉ số", "All figures"),
        CAMERAS: ("Camera", "Cameras"),
        MAP: ("Bản đồ sự cố", "Incident map"),
    }
    return pick(language, *names[view]) if view in names else family_name(view, language)

"""The demo on a terminal, and as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from ioc.cli.demo_state import DemoState, KpiView
from ioc.wall.panels import panel_of

__all__ = ["LiveView", "draw_picture"]

_PLAIN_EVERY_S = 5.0
_PICTURE_COLUMNS = 124
_THEME = TerminalTheme(
    (16, 24, 32),
    (222, 228, 232),
    [
        (16, 24, 32),
        (230, 90, 80),
        (80, 190, 140),
        (235, 180, 70),
        (90, 150, 230),
        (190, 130, 220),
        (80, 190, 210),
        (222, 228, 232),
    ],
)
# Rich's own template loads fonts from a content network; a picture of ours asks nobody for anything.
_SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>.{unique_id}-matrix {{ font-family: DejaVu Sans Mono, Menlo, Consolas, monospace; font-size: {char_height}px;
line-height: {line_height}px; }} .{unique_id}-title {{ font-size: 18px; font-family: sans-serif; }} {styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>{lines}</defs>{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""


class LiveView:
    """Shows a running demo: redrawn on a terminal, else a plain line every few seconds; nothing when silent."""

    def __init__(self, *, is_terminal: bool, is_silent: bool) -> None:
        self._console = Console()
        self._is_silent = is_silent
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if is_terminal else None
        self._last_plain_s = -_PLAIN_EVERY_S
        self._last_phase = ""

    def __enter__(self) -> "LiveView":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, state: DemoState) -> None:
        if self._live is not None:
            self._live.update(_screen(state), refresh=True)
        elif not self._is_silent:
            self._plain(state)

    def end(self, state: DemoState) -> None:
        """The last view, left standing."""
        if self._live is not None:
            self._live.stop()
        self._console.print(_screen(state))

    def _plain(self, state: DemoState) -> None:
        is_new_phase = state.phase != self._last_phase
        if not is_new_phase and state.seconds - self._last_plain_s < _PLAIN_EVERY_S:
            return
        self._last_phase, self._last_plain_s = state.phase, state.seconds
        summary = state.as_json()
        line = f"{state.phase}"
        if state.facts.addresses:
            line = (
                f"{state.seconds:5.1f} s {state.phase}: frames {summary['frames']}, "
                f"detections {summary['detections']}, incidents {summary['incidents']}, "
                f"alerts {summary['alerts_delivered']}, events {summary['events']}, "
                f"KPIs {summary['kpis_exported']}"
            )
        print(line, flush=True)
        if is_new_phase and state.phase == "running":
            for name, address in state.facts.addresses.items():
                print(f"  {name}: {address}", flush=True)
            if state.facts.token:
                print(f"  {_page_of(state.facts.addresses)} · token: {state.facts.token}", flush=True)


def draw_picture(state: DemoState, path: Path) -> None:
    """Writes the view as an SVG that needs nothing from outside."""
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        console = Console(
            record=True, width=_PICTURE_COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor"
        )
        console.print(_screen(state))
        path.write_text(
            console.export_svg(title="ioc demo", theme=_THEME, code_format=_SVG, unique_id="ioc-demo"), encoding="utf-8"
        )


# ---- the screen ----------------------------------------------------------------------------------------------------


def _screen(state: DemoState) -> RenderableType:
    parts: list[RenderableType] = [_header(state)]
    if state.facts.addresses:
        parts += [
            Columns([_pipeline(state), _addresses(state.facts.addresses)], expand=True),
            _kpis(state),
            _incidents(state),
        ]
    if state.facts.token and state.phase == "running":  # of no use once it has ended
        parts.append(Text(f"{_page_of(state.facts.addresses)} · token: {state.facts.token}", style="cyan"))
    if state.failure:
        parts.append(Text(state.failure, style="bold red"))
    return Group(*parts)


def _header(state: DemoState) -> RenderableType:
    title = Text.assemble(
        ("IOC ", "bold cyan"),
        ("Trung tâm điều hành thông minh · province in a box", "bold"),
        f"   {state.phase}",
        f"   {state.seconds:.0f} s" if state.seconds else "",
        f" / {state.planned_s:.0f} s" if state.planned_s and state.seconds else "",
    )
    if not state.planned_s:
        return Panel(title, border_style="cyan", subtitle="Ctrl-C: dừng · stop")
    bar = ProgressBar(total=state.planned_s, completed=min(state.seconds, state.planned_s), width=None)
    return Panel(Group(title, bar), border_style="cyan")


def _pipeline(state: DemoState) -> RenderableType:
    summary = state.as_json()
    events: Mapping[str, int] = summary["events"]
    balanced = events["in"] == events["accepted"] + events["duplicate"] + events["rejected"]
    table = Table.grid(padding=(0, 2))
    table.add_row("khung hình · frames", f"[bold]{summary['frames']}", _outcomes(state.facts.frames))
    table.add_row("phát hiện · detections", f"[bold]{summary['detections']}", f"{summary['candidates']} candidates")
    table.add_row(
        "sự kiện · events in",
        f"[bold]{events['in']}",
        f"= {events['accepted']} + {events['duplicate']} dup + {events['rejected']} rej "
        + ("[green]✓[/green]" if balanced else "[red]≠[/red]"),
    )
    table.add_row("cảnh báo · alerts", f"[bold]{summary['alerts_delivered']}", _delay(state))
    return Panel(table, title="dòng dữ liệu · pipeline", border_style="blue")


def _outcomes(frames: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(frames.items()))


def _delay(state: DemoState) -> str:
    delays = state.facts.alert_delays_s
    return f"first frame → notice {delays[0]:.1f} s" if delays else ""


def _page_of(addresses: Mapping[str, str]) -> str:
    """The departments' page."""
    return f"{addresses.get('gateway', '')}/self"


def _addresses(addresses: Mapping[str, str]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    shown = {
        "metrics": f"{addresses.get('worker', '')}/metrics",
        "wall": f"{addresses.get('wall', '')}/",
        "phone": f"{addresses.get('wall', '')}/p",
        "on-call": f"{addresses.get('oncall', '')}/",
        "gateway": _page_of(addresses),
        "Kafka": addresses.get("Kafka", ""),
    }
    for name, address in shown.items():
        table.add_row(name, f"[cyan]{address}")
    return Panel(table, title="địa chỉ · addresses", border_style="blue")


def _kpis(state: DemoState) -> RenderableType:
    """One figure of each family: all of them would fill several screens."""
    shown, all_of_them = len(state.facts.kpis_with_value()), len(state.facts.definitions)
    title = f"chỉ số · figures: {shown} / {all_of_them} có giá trị · show a value; one of each family:"
    table = Table(expand=True, border_style="blue", title=title, title_justify="left", title_style="bold")
    table.add_column("KPI", no_wrap=True, overflow="ellipsis", ratio=1)
    for name, justify in (
        ("window", "left"),
        ("value", "right"),
        ("num / den", "right"),
        ("target", "right"),
        ("", "left"),
    ):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # a literal of rich's own
    for kpi in _one_of_each_family(state.facts.kpis):
        table.add_row(kpi.definition.name_vi, kpi.window, _value(kpi), _parts(kpi), _target(kpi), _mark(kpi))
    return table


def _one_of_each_family(kpis: Sequence[KpiView]) -> list[KpiView]:
    """The first figure of each family, of those with a value and a target where there are any."""
    chosen: dict[str, KpiView] = {}
    for kpi in sorted(kpis, key=lambda kpi: (kpi.value is None, kpi.target is None)):
        chosen.setdefault(kpi.definition.family, kpi)
    return [chosen[family] for family in sorted(chosen)]


def _amount(kpi: KpiView, amount: float) -> str:
    if kpi.definition.unit == "ratio":
        return f"{amount:.1%}"
    if kpi.definition.unit == "seconds":
        return f"{amount:,.0f} s"
    return f"{amount / 1e6:,.0f} M" if amount >= 1e7 else f"{amount:,.0f}"


def _value(kpi: KpiView) -> str:
    return "–" if kpi.value is None else f"[bold]{_amount(kpi, kpi.value)}"


def _parts(kpi: KpiView) -> str:
    if kpi.denominator is None:
        return ""
    return f"n = {kpi.denominator:,.0f}" if kpi.numerator is None else f"{kpi.numerator:,.0f} / {kpi.denominator:,.0f}"


def _target(kpi: KpiView) -> str:
    return "" if kpi.target is None else _amount(kpi, kpi.target)


def _mark(kpi: KpiView) -> str:
    if kpi.is_stale:
        return "[yellow]CŨ · stale"
    panel = panel_of(kpi.definition)
    if kpi.target is None or kpi.value is None or panel.direction == "within_band":
        return ""
    is_met = kpi.value >= kpi.target if panel.direction == "higher_is_better" else kpi.value <= kpi.target
    if not is_met and panel.accumulates and panel.direction == "higher_is_better":
        return "… đang tăng · growing"
    return "[green]● đạt · met" if is_met else "[red]▼ không đạt · missed"


def _incidents(state: DemoState) -> RenderableType:
    table = Table(expand=True, border_style="blue", title="sự cố · incidents", title_justify="left", title_style="bold")
    for name in ("loại · kind", "camera", "nơi · place", "điểm · score", "trạng thái · state", "giấy phép · permit"):
        table.add_column(name)
    opened = [incident for incident in state.facts.incidents if incident["state"] != "candidate"]
    for incident in opened[:8]:
        table.add_row(
            f"[red]{incident['kind']}",
            str(incident["camera_id"]),
            str(incident["place_vi"]),
            f"{float(incident['peak_score'] or 0):.2f}",
            str(incident["state"]),
            str(incident["permit_rule"] or ""),
        )
    if len(opened) > 8:
        table.add_row("…", "", f"{len(opened) - 8} more", "", "", "")
    return table

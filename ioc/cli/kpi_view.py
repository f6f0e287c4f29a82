"""What `ioc kpi` prints: KPIs and explained figures, as JSON and as text. Ids only: no field of an event is shown."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from ioc.kpis import KpiDefinition, Part
from ioc.kpis.audit import Counted, Explanation, Wanted
from ioc.kpis.log import period_at
from ioc.windows import LOCAL_ZONE, microseconds_of, moment_of

__all__ = ["about", "about_text", "explanation_json", "explanation_text", "rule", "target_text"]

_FACTS_SHOWN = 5
_RULE_DEFAULTS = {name: field.default for name, field in Part.__dataclass_fields__.items()}


def about(kpi: KpiDefinition, on: date) -> dict[str, Any]:
    return {
        "id": kpi.id,
        "name_vi": kpi.name_vi,
        "name_en": kpi.name_en,
        "family": kpi.family,
        "unit": kpi.unit,
        "metric": kpi.metric,
        "form": kpi.form,
        "windows": list(kpi.windows),
        "group_by": kpi.group_by,
        "target": _target(kpi, on),
        "evidence": kpi.evidence_level,
        "rule_version": kpi.rule_version,
        "note": kpi.note,
    }


def _target(kpi: KpiDefinition, on: date) -> dict[str, Any] | None:
    target = kpi.target(on)
    if target is None:
        return None
    return {"value": target.value, "direction": target.direction, "basis": target.basis}


def rule(kpi: KpiDefinition) -> list[dict[str, Any]]:
    """The KPI's parts as the catalogue declares them, without what is left at its default."""
    told = []
    for part in kpi.parts:
        values = {name: getattr(part, name) for name in _RULE_DEFAULTS}
        always = ("entity", "where", "numerator", "denominator", "measure")
        told.append({n: v for n, v in values.items() if n in always or v != _RULE_DEFAULTS[n]})
    if kpi.population:
        told.append({"population": kpi.population})
    return told


def target_text(target: Mapping[str, Any] | None) -> str:
    if target is None or target["value"] is None:
        return "no target"
    return f"target {target['value']:g} {target['direction'].replace('_', ' ')}"


def about_text(told: Mapping[str, Any]) -> str:
    lines = [
        told["id"],
        f"  vi            {told['name_vi']}",
        f"  en            {told['name_en']}",
        f"  unit          {told['unit']} ({told['form']}), metric {told['metric']}",
        f"  windows       {', '.join(told['windows'])}; grouped by {told['group_by']}",
        f"  target        {target_text(told['target'])}" + (f" ({told['target']['basis']})" if told["target"] else ""),
        f"  evidence      {told['evidence']}",
        f"  rule version  {told['rule_version']}",
        *_rule_lines(told["rule"]),
    ]
    return "\n".join(lines + ([f"  note          {told['note']}"] if told["note"] else []))


def _rule_lines(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = []
    for part in parts:
        if "population" in part:
            lines.append(f"  denominator   the register: {part['population']}")
            continue
        lines.append(f"  counts        rows of {part['entity']}")
        for name, value in part.items():
            if name != "entity":
                lines.append(f"    {name:12}{', '.join(value) if isinstance(value, tuple) else value}")
    return lines


# ---- an explained figure -------------------------------------------------------------------------------------------


def explanation_json(
    kpi: KpiDefinition,
    window: str,
    moment: datetime,
    wanted: Wanted,
    explained: Explanation,
    *,
    limit: int,
) -> dict[str, Any]:
    """`entities` holds at most `limit` (0: all); the totals count all."""
    figure = explained.figure
    period = period_at(window, microseconds_of(moment))
    shown = slice(limit or None)
    as_of_us = figure.as_of_us if figure else None
    return {
        **about(kpi, moment.astimezone(LOCAL_ZONE).date()),
        "window": window,
        "period": period.name if period else None,
        "at": moment.astimezone(LOCAL_ZONE).isoformat(),
        "admin_unit": wanted.admin_unit or "*",
        "agency": wanted.agency,
        "dim": wanted.dim,
        "value": figure.value if figure else None,
        "numerator": figure.numerator if figure else None,
        "denominator": figure.denominator if figure else None,
        "as_of": None if as_of_us is None else _local(as_of_us),
        "stale": figure.is_stale if figure else None,
        "provenance": ("manual" if figure.is_manual else "auto") if figure else None,
        "rule": rule(kpi),
        "adds_up": explained.adds_up,
        "entities_total": len(explained.counted),
        "entities": [_entity(item) for item in explained.counted[shown]],
        "superseded_total": len(explained.superseded),
        "superseded": [_entity(item) for item in explained.superseded[shown]],
        "missing_total": len(explained.missing),
        "missing": [{"id": item.member, "heard": item.was_heard} for item in explained.missing[shown]],
    }


def _entity(item: Counted) -> dict[str, Any]:
    told: dict[str, Any] = {
        "entity": item.entity,
        "id": _id_text(item.entity_id),
        "side": item.side,
        "bucket": item.bucket,
    }
    if item.side == "sample":
        told["seconds"] = list(item.seconds)
    else:
        told |= {"numerator": item.numerator, "denominator": item.denominator}
    if item.value:
        told["counted_once"] = item.value
    if item.superseded_by:
        told["superseded_by"] = _id_text(item.superseded_by)
    told["facts"] = [
        {"source": f.source, "id": f.event_id, "type": f.event_type, "time": _local(f.at_us)} for f in item.facts
    ]
    return told


def _id_text(entity_id: str) -> str:
    """The parts of a composite id are kept apart by a control character."""
    return entity_id.replace("\x1f", " | ")


def _local(microseconds: int) -> str:
    return moment_of(microseconds).astimezone(LOCAL_ZONE).isoformat()


def explanation_text(told: Mapping[str, Any]) -> str:
    series = told["dim"] or told["agency"] or ("the total" if told["admin_unit"] == "*" else told["admin_unit"])
    window = told["window"] + (f", {told['period']}" if told["period"] and told["window"] != "now" else "")
    lines = [
        f"{told['id']}: {told['name_vi']} / {told['name_en']}",
        f"  series        {series}, {window}, at {told['at']}",
        f"  value         {_value_text(told)}",
        f"  target        {target_text(told['target'])}",
        f"  as of         {told['as_of'] or 'nothing told yet'}{' (stale)' if told['stale'] else ''}",
        f"  provenance    {told['provenance'] or '-'}",
        f"  rule version  {told['rule_version']}",
        *_rule_lines(told["rule"]),
        "",
        *_list("counted", told["entities"], told["entities_total"]),
        *_list("superseded", told["superseded"], told["superseded_total"]),
        *_missing_lines(told["missing"], told["missing_total"]),
        "what is listed adds up to the figure" if told["adds_up"] else "WHAT IS LISTED DOES NOT ADD UP TO THE FIGURE",
    ]
    return "\n".join(_plain(line) for line in lines)


def _value_text(told: Mapping[str, Any]) -> str:
    value = "none" if told["value"] is None else f"{told['value']:.6g}"
    above, below = told["numerator"], told["denominator"]
    if told["form"] == "p95":
        return f"{value} s, the 0.95 quantile of {0 if below is None else below:g} samples"
    return value + ("" if below is None else f"  ({above:g} / {below:g})")


def _list(name: str, items: Sequence[Mapping[str, Any]], total: int) -> list[str]:
    if not total:
        return [f"{name}: none"] if name == "counted" else []
    lines = [f"{name}: {total}" + (f", the first {len(items)} (--limit 0 for all)" if len(items) < total else "")]
    for item in items:
        amount = (
            ", ".join(f"{seconds:g} s" for seconds in item["seconds"])
            if item["side"] == "sample"
            else f"{item['numerator']:g} / {item['denominator']:g}"
        )
        notes = [item["bucket"]] if item["bucket"] else []
        notes += [f"counted once: {item['counted_once']}"] if "counted_once" in item else []
        notes += [f"superseded by {item['superseded_by']}"] if "superseded_by" in item else []
        lines.append(f"  {item['entity']} {item['id']}  {item['side']}  {amount}  {'  '.join(notes)}".rstrip())
        facts = item["facts"]
        lines += [f"      {f['time']}  {f['type']}  {f['source']}  id {f['id']}" for f in facts[-_FACTS_SHOWN:]]
        if len(facts) > _FACTS_SHOWN:
            lines.append(f"      and {len(facts) - _FACTS_SHOWN} older; --json tells them all")
    return lines


def _missing_lines(items: Sequence[Mapping[str, Any]], total: int) -> list[str]:
    if not total:
        return []
    lines = [f"of the register, not counted: {total}"]
    lines += [f"  {item['id']}  {'heard, but does not count' if item['heard'] else 'never heard'}" for item in items]
    return lines


def _plain(line: str) -> str:
    """`line` without anything that a terminal would obey: ids come from whoever could publish."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)

"""Whether today's contracts still hold what was published: producers that follow the published schema must stay right,
and rows already stored must still be found. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ioc.contracts.schema import version_of

__all__ = ["Break", "breaks", "first_difference"]

_IDENTITY = {
    "x-ioc-topic": "topic",
    "x-ioc-partition-key": "partition_key",
    "x-ioc-kind": "kind",
    "x-ioc-entity": "entity",
    "x-ioc-entity-key": "entity_key",
    "x-ioc-time-field": "time_field",
}
_BOUNDS = (
    ("minimum", 1, "giá trị nhỏ nhất"),
    ("maximum", -1, "giá trị lớn nhất"),
    ("minLength", 1, "độ dài nhỏ nhất"),
    ("maxLength", -1, "độ dài lớn nhất"),
)
"""Bounds, and the sign with which a greater value is a narrower one."""

_TEXTS = frozenset({"title", "description", "examples", "x-ioc-title-vi", "x-ioc-description-vi"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One incompatible change. `field` is "" where the type as a whole is meant."""

    type_name: str
    field: str
    en: str
    vi: str

    def __str__(self) -> str:
        return f"{self.type_name}{f'.{self.field}' if self.field else ''}: {self.en}"


def breaks(published: Mapping[str, Any], today: Mapping[str, Any] | None) -> Iterator[Break]:
    """Yields what `today`'s schema of the same CloudEvents type would break of the published one.

    `today` is None where the catalogue has no such type any more.
    """
    name, ce_type = published["x-ioc-name"], published["properties"]["type"]["const"]
    coming = f"{ce_type.rpartition('.v')[0] or ce_type}.v{version_of(ce_type) + 1}"
    if today is None:
        yield Break(
            type_name=name,
            field="",
            en=f"{ce_type} was published and is gone from event_types.yaml; put it back while departments send it, or "
            f"publish its heir and remove the published file by hand once nobody sends it",
            vi=f"{ce_type} đã công bố nhưng không còn trong event_types.yaml; hãy khôi phục khi các đơn vị còn gửi",
        )
        return
    for key, word in _IDENTITY.items():
        if published[key] != today[key]:
            yield Break(
                type_name=name,
                field=word,
                en=f"{word} was {_shown(published[key])} and is {_shown(today[key])}; restore it, or raise ce_type to "
                f"{coming}",
                vi=f"{word} đã công bố là {_shown(published[key])}; hãy khôi phục hoặc nâng ce_type lên {coming}",
            )
    bounded = sorted(set(today["x-ioc-fact-times"]) - set(published["x-ioc-fact-times"]))
    if bounded and bounded[0] in _data(published)["properties"]:
        yield Break(
            type_name=name,
            field=bounded[0],
            en=f"fact_times bounds it now and did not; restore it, or raise ce_type to {coming}",
            vi=f"fact_times nay giới hạn trường này; hãy khôi phục hoặc nâng ce_type lên {coming}",
        )
    yield from _field_breaks(name, _data(published), _data(today), coming)


def first_difference(published: Mapping[str, Any], today: Mapping[str, Any]) -> str:
    """Returns where the two differ in what they ask for, "" where only texts for people do."""
    return _difference(published, today, "")


def _difference(old: Any, new: Any, place: str) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            if key in _TEXTS and not place.endswith("properties"):  # a field may be named title
                continue
            inner = f"{place}.{key}".lstrip(".")
            if key not in old or key not in new:
                return inner
            if found := _difference(old[key], new[key], inner):
                return found
        return ""
    return "" if old == new else place or "the schema"


def _data(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    data: Mapping[str, Any] = schema["properties"]["data"]
    return data


def _required(data: Mapping[str, Any]) -> set[str]:
    """The fields that a fact must carry."""
    own = set(data.get("required", ()))
    return own | set(data["anyOf"][0]["required"]) if "anyOf" in data else own


def _field_breaks(name: str, old: Mapping[str, Any], new: Mapping[str, Any], coming: str) -> Iterator[Break]:
    def told(field: str, en: str, vi: str) -> Break:
        return Break(
            type_name=name,
            field=field,
            en=f"{en}; restore it, or raise ce_type to {coming}",
            vi=f"{vi}; hãy khôi phục hoặc nâng ce_type lên {coming}",
        )

    for field, before in old["properties"].items():
        now = new["properties"].get(field)
        if now is None:
            yield told(field, "the field was published and is gone", "trường đã công bố không còn")
            continue
        for en, vi in _narrowed(before, now):
            yield told(field, en, vi)
    for field in sorted(_required(new) - _required(old)):
        yield told(field, "is required now and was not", "nay bắt buộc, trước không")


def _narrowed(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields (en, vi) of each way in which a value that was right would be refused or read otherwise."""
    before, now = _type_of(old), _type_of(new)
    if before != now:
        yield f"its type was {before} and is {now}", f"kiểu đã công bố là {before}, nay là {now}"
        return
    gone = [value for value in old.get("enum", ()) if value not in new.get("enum", ())]
    if gone:
        yield f"the value {_shown(gone[0])} is not allowed any more", f"giá trị {_shown(gone[0])} không còn được phép"
    for key, sign, vi in _BOUNDS:
        if key in new and (key not in old or sign * new[key] > sign * old[key]):
            yield f"its {key} was {old.get(key, 'open')} and is {new[key]}", f"{vi} bị thu hẹp: {new[key]}"
    if _takes_null(old) and not _takes_null(new):
        yield "null was accepted and is not any more", "null không còn được nhận"


def _type_of(field: Mapping[str, Any]) -> str:
    """The catalogue's word for the field's type."""
    return str(field.get("x-ioc-type") or next((t for t in _listed(field.get("type")) if t != "null"), "any"))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _takes_null(field: Mapping[str, Any]) -> bool:
    if "enum" in field:
        return None in field["enum"]
    if "anyOf" in field:
        return {"type": "null"} in field["anyOf"]
    return not field.get("type") or "null" in _listed(field["type"])


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else repr(value) if value == "" else str(value)

"""Where an incident is, in a sentence: for notices and pages. Pure."""

from ioc.incidents import Incident
from ioc.places.reasons import REASONS

__all__ = ["place_words"]


def place_words(incident: Incident) -> tuple[str, str]:
    """Returns how an incident was located, how sure that is and who sees it, in Vietnamese and English; "" for a kind
    that has no place of its own."""
    if incident.located_by == "camera":
        vi, en = REASONS.get(incident.place_reason, ("", ""))
        vi, en = (f"Chưa định vị được: {vi}", f"No position yet: {en}") if vi else ("", "")
    else:
        vi, en = _found(incident)
    if incident.maybe_same:
        names = ", ".join(incident.maybe_same)
        vi, en = f"{vi} Có thể cùng đám cháy với: {names}.", f"{en} Maybe the same fire as: {names}."
    if incident.joined_into:
        vi, en = f"{vi} Đã gộp vào: {incident.joined_into}.", f"{en} Joined to: {incident.joined_into}."
    return vi.strip(), en.strip()


def _found(incident: Incident) -> tuple[str, str]:
    cameras = sorted({sighting.camera_id for sighting in incident.sightings})
    at = f"{incident.lat:.5f}, {incident.lon:.5f}"
    off_m = f"{incident.uncertainty_m or 0:,.0f} m"
    if incident.located_by == "ground":
        return (
            f"Vị trí {at} (± {off_m} với 95 %) theo các điểm khống chế trên ảnh của {cameras[0]}.",
            f"At {at} (± {off_m} with 95 %) by the control points in the picture of {cameras[0]}.",
        )
    if incident.located_by == "terrain":
        return (
            f"Vị trí {at} (± {off_m} với 95 %) theo hướng nhìn và đường địa hình của {cameras[0]}.",
            f"At {at} (± {off_m} with 95 %) by the bearing and the terrain line of {cameras[0]}.",
        )
    names = ", ".join(cameras)
    return (
        f"Vị trí {at} (± {off_m} với 95 %), giao hướng nhìn của {len(cameras)} camera: {names}.",
        f"At {at} (± {off_m} with 95 %), where the bearings of {len(cameras)} cameras cross: {names}.",
    )

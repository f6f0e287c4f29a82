"""Every number of the construction detector's rule."""

from dataclasses import dataclass

__all__ = ["ConstructionThresholds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstructionThresholds:
    """Times are counts of frames: a camera that is sampled four times a day sees a work grow over weeks, a demo's
    within minutes. Only whether a work still grows is asked in hours.

    Found on rendered scenes and years (seeds below 10,000) and looked at on three pairs of photographs of one site.
    """

    working_width_px: int = 640
    cell_px: int = 4
    reference_frames: int = 5
    stack_frames: int = 5  # their median: what is there in less than half of them never was
    refresh: float = 0.03  # share of a quiet cell that each stack puts into the reference: some 33 frames
    least_contrast: float = 0.4  # of the reference's, local: below it fog or rain hides what there is to see
    structure: float = 7.0  # spread, of 255: noise after averaging is under 2, swaying trees 3–6, a new edge 15–60
    noise_factor: float = 1.5  # times what this cell usually leaves over
    noise_rate: float = 0.03  # share of each new median in what is usual
    around_factor: float = 1.6  # times the mean around: fields that ripen leave something over, all of them
    around_cells: int = 41
    typical_factor: float = 2.0  # times the median of this frame: another season leaves something over everywhere
    max_typical: float = 30.0  # pairs of one site leave 12–15, aerial pairs of other years 17–26
    least_zone_share: float = 0.06  # a van on a plot 30 m wide is less
    least_cells: int = 5  # in the zone
    least_all_cells: int = 10  # with what rises from it
    enough_cells: int = 48  # in a large zone: 0.3 % of a 16:9 picture, whatever the zone's size
    least_thing_cells: int = 3  # in a zone that is to be kept free: a stall is 3 m wide
    pool_frames: int = 10
    watch_frames: int = 2
    alarm_frames: int = 8
    hold_frames: int = 3
    dwell_frames: int = 8  # what stands in a zone that is to be kept free for longer is no stop on the way
    active_structure: float = 5.5  # a digger leaves 6–20, an unchanged plot 3–6
    active_cells: int = 3
    active_share: float = 0.03  # of the zone
    active_same_hour: int = 2  # frames of this hour on other days that must lack it too
    active_hindsight: int = 3  # frames later it must be gone
    active_frames: int = 4  # of the last `active_of` at the same hour, until people are said to be at work then
    active_of: int = 6
    growth_lags: tuple[int, ...] = (20, 28, 36)  # frames: what stands is held against how it stood so long ago
    growth_spacing_s: float = 7200.0  # at least, between frames that are held against one another
    growth_cells: int = 4
    growth_share: float = 0.04  # of what stands there
    outline_frames: int = 20  # a footprint is told once it has stood so long where it stands
    outline_spread: float = 2.0  # cells, between the 15th and 85th of a hundred of them
    height_frames: int = 16
    resting_frames: int = 60  # after the last growth: what changes then is light and leaves
    finished_frames: int = 56
    slab_chroma: float = 10.0  # CIE Lab: earth and grass are 15–40
    slab_share: float = 0.08  # of the plot: slabs are 9–28 %, cleared ground shows up to 1 % so pale and grey
    roof_darker: float = 12.0  # CIE Lab lightness of 255, than the walls: roofs are 20–60, bare slabs −7 to −45
    cover_chroma: float = 22.0  # CIE Lab: plaster and concrete are 2–11, tarpaulins 28–45
    cover_unlike: float = 15.0  # than what is beside it
    cover_even: float = 12.0  # from top to bottom
    fence_m: tuple[float, float] = (1.2, 4.5)
    fence_share: float = 0.6  # of the plot's width; a house of one storey takes up to half
    sign_frames: int = 6  # of the last `sign_of`
    sign_of: int = 8

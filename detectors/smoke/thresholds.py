"""Every number of the smoke detector, and how it was found."""

from dataclasses import dataclass, replace

from detectors.smoke.candidates import Bounds
from detectors.smoke.guards import Doubts, Light

__all__ = ["SmokeThresholds"]

_RULE = Bounds(least_cells=4, max_width=0.45, into_terrain=0.03, below_terrain=0.35, activity=0.008)
_SURE = replace(_RULE, into_terrain=-0.02, below_terrain=1.0)
_DOUBTS = Doubts(least_clear=0.4, least_bright=0.14, max_unrest=0.007, least_unveiled=0.9, veil_unrest=0.005)
_LIGHT = Light(max_gain=1.3, grey_saturation=0.02, colour_saturation=0.06)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeThresholds:
    """Brightness, saturation and probabilities are 0–1, sizes are shares of the picture, the rest counts frames."""

    # The rule's numbers were found on 12 HPWREN sequences and 5 clean crops (8 sites, 484 frames) and on renderings.
    # Each was varied alone by a quarter to a half each way: 7 to 9 of 12 first alarms stay right and 0 to 1 of 6
    # negatives alarms, so none sits on an edge but the one that says so.
    working_width_px: int = 320  # the least at which a plume of 5 % of the width is still a dozen pixels
    network_width_px: int = 640
    cell_px: int = (
        4  # averaging 16 pixels brings sensor noise under `rise`; cells of 3 found 9 with 10 false for 8 with 4
    )
    rise: float = (
        0.03  # dark channel; measured.md's rule. 0.025 finds one more and alarms one clean crop; 0.04 is the same
    )
    drop: float = 0.02  # saturation; measured.md's rule. 0.03 loses one sequence, 0.01 triples the false incidents
    grey_drop: float = 0.10  # share of local contrast lost, where there is no colour; 0.05 is the same, 0.20 loses one
    slow_frames: int = 40  # 20 and 80 give the same
    fast_frames: int = 5
    warm_up_frames: int = 4
    absorb: float = 0.1  # how fast a region enters the slow background, of the usual
    # A labelled onset of 5 × 5 % is 12 cells; 6 cells lose one sequence and halve the false incidents. Smoke keeps
    # moving (activity). Pyronear refuses widths from 0.40; labelled plumes reach 0.43. Clouds touch ridges
    # (into_terrain, on an edge: 0.0 gave 11 false in 18 renderings, 0.04 loses far fires). Below: trees and cars near
    # the mast. The network keeps to the same places: without that it raised three times as many false alarms.
    bounds: Bounds = _RULE
    sure_bounds: Bounds = _SURE
    pool_frames: int = 6  # 4 of 6: measured.md
    alarm_frames: int = 4  # the rule's
    hold_frames: int = 2  # hysteresis: an alarm of the last two frames goes on with half
    watch_frames: int = 2
    reach: float = 0.01  # regions this near are one thing

    # Where the network looks: the strip of anything that could be, not only of what the rule takes (attention.py). Nine
    # squares of 160 pixels by turns cost as much and told 36 of 40 shots, 3 of them late; the strip 2 of them late.
    weak_rise: float = 0.014  # of 44 composites in time: 35 with this, 34 with 0.012 or 0.02
    sky_margin: float = 0.06
    # With the free weights, which have seen no site of the twelve: 0.35 finds 10 of 12 with 4 false in 8 h, 0.4 and
    # 0.45 10 with 2, 0.5 9 with 1. 3 of 5 frames is a frame earlier than 4 of 6, with as many nuisances.
    network_alarm: tuple[int, int] = (3, 5)
    alarm_probability: float = 0.4
    support_probability: float = 0.3  # of 2 of 6 frames, where the rule alarms too; 0.2: one fire, one false more
    support_frames: int = 2
    # Below the rule's terrain band lie the near slopes of steep views, and all that moves before a camera; above it a
    # base that a cell of the network rounds up to the skyline. There the network alone counts, only with no doubt, and
    # sure of itself. On the real ones nothing more alarms there from 0.65 on; dust on a near road reaches 0.74 to 0.8.
    # The skyline gave 2 composites of 44 more, and a far fire 12 frames earlier.
    sure_alarm: float = 0.8
    sure_watch: float = 0.45
    watch_probability: float = 0.2  # 0.3 showed 12 false items in 8 h instead of 17, and 2 composites of 44 too late
    watch_in_doubt: float = 2.0  # times as much: a bare plot in the wind reached 0.28 and a crest 0.33
    network_watch: tuple[int, int] = (2, 3)
    goes_on: float = 0.6  # hysteresis: of each probability, where it is open already and all over its region

    # Usual frames change by up to 8 %, another exposure by 20 % and more; infrared answers a mean saturation of 0.001,
    # the greyest colour sequence 0.16.
    light: Light = _LIGHT
    max_cover: float = 0.25  # no labelled plume covers more
    max_shift: float = 0.02  # the steady cameras here sway 0.004 at most
    least_shift: float = 0.004  # what the steady cameras sway; laying such frames over anew cost one real fire of eight
    least_response: float = 0.15  # of phase correlation: one view answers 0.40–1.0, half of unrelated views under 0.11
    least_spread: float = 0.02  # standard deviation of brightness: below it, fog, night or a covered lens
    # Below 0.4 of the structure of the clearest hours far smoke can't be seen. The dark channel of the ground differs
    # from the last frames by 0.002–0.005 on the twelve (0.008 for a while in one), by 0.006–0.015 in rendered rain, fog
    # and glare.
    # A veil that moves (rain, a low sun with its ghosts): structure below 0.9 in five of six strips, with a ground that
    # differs by 0.005 and more. Of 48 rendered rains and glares of tuning seeds 24 alarm without it, 8 with 0.85 and
    # none with 0.92; asked of the whole picture, a fire's own smoke was such a veil and came 7 frames late.
    doubts: Doubts = _DOUBTS
    # In doubt both need more, and the rule alone never alarms; by night and in fog only the network does. 0.75 and 0.6
    # let 8 of 112 nuisances through, dust mostly, where these let 5; fires came no later.
    unsteady: tuple[float, float] = (0.8, 0.72)
    unseen: tuple[float, float] = (0.9, 1.0)  # wet lenses and flares reach 0.81 to 0.84
    forget_clear: float = 0.0005  # a frame: a day of frames a minute keeps half
    reset_frames: int = 3

    def in_doubt(self, doubt: str) -> "SmokeThresholds":
        """Returns what an alarm and a watch item need under this doubt (see guards.doubt_of)."""
        if not doubt:
            return self
        alarm, support = self.unsteady if doubt == "unsteady_picture" else self.unseen
        watch = min(self.watch_in_doubt * self.watch_probability, alarm)
        return replace(self, alarm_probability=alarm, support_probability=support, watch_probability=watch)

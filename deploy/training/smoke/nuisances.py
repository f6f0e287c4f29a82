"""What moves and changes without fire: on a canvas of floats (H × W × 3, 0–255), frame by frame."""

import numpy as np
from numpy.typing import NDArray

from deploy.training.smoke.plumes import Noise
from ioc.opencv import cv2

__all__ = ["Camera", "Scenery"]

Canvas = NDArray[np.float32]
Field = NDArray[np.float32]


class Scenery:
    """Nuisances of the scene: before the lens. `chance` 0–1 says how likely each is."""

    def __init__(self, rng: np.random.Generator, noise: Noise, sky: Field, air: Canvas, chance: float) -> None:
        self._rng, self._sky, self._air, self._side = rng, sky, air, sky.shape[0]
        self._noise = noise
        axis = np.arange(self._side, dtype=np.float32)
        self._x, self._y = np.meshgrid(axis, axis)
        has = lambda share: bool(rng.random() < share * chance)  # noqa: E731
        self._parts = [
            make()
            for make, share in (
                (self._sway, 0.25),
                (self._sunlit, 0.35),
                (self._shadow, 0.45),
                (self._clouds, (0.8 if chance > 0.3 else 2.0) if sky.mean() > 0.02 else 0.0),
                (self._ghosts, 0.25),
                (self._mast, 0.2),
                (self._gleam, 0.3),
                (self._spot, 0.4),
                (self._veil, 0.35),
                (self._bank, 0.16),
                (self._things, 0.3),
                (self._birds, 0.1),
                (self._glitter, 0.06),
                (self._dust, 0.10),
                (self._lamps, 0.05),
            )
            if has(share)
        ]

    def draw(self, canvas: Canvas, t: float) -> Canvas:
        """Returns the canvas of frame `t` with all of them."""
        for part in self._parts:
            canvas = part(canvas, t)
        return canvas

    def _drift(self, low: float, high: float, *, big: float) -> object:
        rng = self._rng
        tile = self._noise.one(rng, low, high)
        scale = 256 / self._side / big
        flat = float(np.exp(rng.uniform(0, 1.2)))
        v = rng.normal(0, 1, 2) * float(np.exp(rng.uniform(np.log(0.3), np.log(25))))
        start = rng.uniform(0, 256, 2)
        x, y = self._x, self._y
        return lambda t: Noise.at(
            tile, (x + v[0] * t) * scale + start[0], (y + 0.3 * v[1] * t) * scale * flat + start[1]
        )

    def _sway(self):  # type: ignore[no-untyped-def]  # closures of one shape
        rng, ground = self._rng, 1 - self._sky
        where = np.clip(self._noise.one(rng)[: self._side, : self._side] * 2 + rng.normal(), 0, 1) * ground
        amount = float(rng.uniform(0.4, 2.2))

        def part(canvas: Canvas, t: float) -> Canvas:
            lean = self._noise.one(rng, 0.3)[: self._side, : self._side] * where * amount
            return cv2.remap(
                canvas, self._x + lean, self._y + 0.3 * lean, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )

        return part

    def _sunlit(self):  # type: ignore[no-untyped-def]
        """The sun moves on: slopes and each tree's shadow brighten or darken slowly and stay so."""
        rng = self._rng
        field = self._noise.one(rng, 0.0, 1.0)[: self._side, : self._side]
        if rng.random() < 0.5:
            field = np.clip(field * 3, -1.3, 1.3)
        a, rate = float(rng.uniform(0.03, 0.25)), float(rng.normal(0, 0.06))
        tone = 1 + rng.normal(0, 0.1, 3).astype(np.float32)
        ground = (1 - self._sky)[..., None]

        def part(canvas: Canvas, t: float) -> Canvas:
            level = a * np.clip(rate * t, -1, 1)
            return canvas * (1 + level * field[..., None] * tone * ground)

        return part

    def _shadow(self):  # type: ignore[no-untyped-def]
        rng = self._rng
        field = self._drift(0.4, 1.0, big=float(np.exp(rng.uniform(np.log(0.5), np.log(5)))))
        deep, hard, level = float(rng.uniform(0.08, 0.65)), float(rng.uniform(1.5, 12)), float(rng.normal(0, 0.8))
        ground = 1 - self._sky
        bluish = np.array((1 - 0.15 * rng.random(), 1, 1 + 0.06 * rng.random()), np.float32)

        def part(canvas: Canvas, t: float) -> Canvas:
            cover = 1 / (1 + np.exp(-hard * (field(t) + level)))
            return canvas * (1 - deep * (cover * ground)[..., None] * bluish)

        return part

    def _clouds(self):  # type: ignore[no-untyped-def]
        rng = self._rng
        big = float(np.exp(rng.uniform(np.log(0.4), np.log(4))))
        field, wisps = self._drift(0.3, 0.9, big=big), self._drift(0.0, 0.5, big=big * 0.5)
        hard, level, most = float(rng.uniform(0.8, 8)), float(rng.uniform(-1.8, 0.6)), float(rng.uniform(0.4, 1))
        white, dark = float(rng.uniform(180, 255)), float(rng.uniform(0, 60))
        skyward = cv2.GaussianBlur(self._sky, (0, 0), 1.0)
        if rng.random() < 0.15:  # lies on the ridge
            drop = int(rng.integers(2, 10))
            skyward = np.maximum(skyward, np.roll(skyward, drop, 0) * 0.8)

        def part(canvas: Canvas, t: float) -> Canvas:
            n = field(t)
            cover = (np.clip(0.5 + hard * 0.25 * (n + 0.4 * wisps(t) + level), 0, 1) * most * skyward)[..., None]
            tone = white - dark * np.clip(n + level, 0, 1.5)
            return canvas * (1 - cover) + tone[..., None] * cover

        return part

    def _veil(self):  # type: ignore[no-untyped-def]
        """Haze or fog without an edge, in front of what is far."""
        rng = self._rng
        field = self._drift(0.7, 1.0, big=float(rng.uniform(2, 6)))
        most, rate, base = float(rng.uniform(0.05, 0.6)), float(rng.normal(0, 0.03)), float(rng.uniform(0, 0.5))
        top = float(rng.uniform(-0.5, 1.2)) * self._side
        far = np.clip(1 - np.abs(self._y - top) / (self._side * float(rng.uniform(0.6, 2))), 0, 1)
        tint = self._air * float(rng.uniform(0.85, 1.08))

        def part(canvas: Canvas, t: float) -> Canvas:
            share = np.clip((base + rate * t + 0.35 * field(t)) * most * far, 0, 0.9)[..., None]
            return canvas * (1 - share) + tint * share

        return part

    def _bank(self):  # type: ignore[no-untyped-def]
        """A bank of fog in a valley: as wide as the picture, flat on top, slow."""
        rng = self._rng
        field = self._drift(0.5, 1.0, big=float(rng.uniform(1, 4)))
        line, thick = float(rng.uniform(0.2, 0.9)) * self._side, float(rng.uniform(0.03, 0.3)) * self._side
        rate, most = float(rng.normal(0, 0.6)), float(rng.uniform(0.2, 0.95))
        tint = self._air * float(rng.uniform(0.9, 1.12))
        ground = np.clip(1.2 - self._sky, 0, 1)

        def part(canvas: Canvas, t: float) -> Canvas:
            d = self._y - line - rate * t - field(t) * thick * 0.4
            share = (np.exp(-((d / thick) ** 2)) * most * ground)[..., None]
            return canvas * (1 - share) + np.minimum(tint, 255) * share

        return part

    def _things(self):  # type: ignore[no-untyped-def]
        """Vehicles and people: hard, small, passing or parked for a while."""
        rng, side = self._rng, self._side
        things = [
            (
                rng.uniform(0, side, 2),
                rng.normal(0, 1, 2) * np.exp(rng.uniform(np.log(0.1), np.log(60))) * (1, 0.3),
                np.exp(rng.uniform(np.log(1.5), np.log(26))),
                rng.uniform(20, 250) * rng.uniform(0.75, 1.25, 3),
                rng.integers(0, 30),
                rng.integers(1, 30),
            )
            for _ in range(int(rng.integers(1, 6)))
        ]

        def part(canvas: Canvas, t: float) -> Canvas:
            for place, speed, size, paint, begin, lasts in things:
                if begin <= t <= begin + lasts:
                    x, y = place + speed * (t - begin)
                    cv2.rectangle(
                        canvas, (int(x), int(y)), (int(x + size), int(y + size * 0.5)), tuple(map(float, paint)), -1
                    )
            return canvas

        return part

    def _ghosts(self):  # type: ignore[no-untyped-def]
        """Large things that go away, or come and stay: cars, cranes, hands, a bird on the mast. Both leave a mark."""
        rng, side = self._rng, self._side
        parts = []
        for _ in range(int(rng.integers(1, 4))):
            size = float(np.exp(rng.uniform(np.log(5), np.log(80))))
            corners = rng.uniform(0, side, 2) + rng.normal(0, 0.5 * size, (int(rng.integers(3, 8)), 2))
            shape = cv2.convexHull(corners.astype(np.int32))
            mask = np.zeros((side, side), np.float32)
            cv2.fillPoly(mask, [shape], 1.0)
            mask = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.4, 0.06 * size + 0.6)))[..., None]
            tone = rng.uniform(5, 240) * rng.uniform(0.8, 1.2, 3)
            face = tone.astype(np.float32) + 12 * self._noise.one(rng)[:side, :side][..., None]
            begin, end = (-1, int(rng.integers(1, 16))) if rng.random() < 0.5 else (int(rng.integers(1, 30)), 99)
            parts.append((mask, face, begin, end))

        def part(canvas: Canvas, t: float) -> Canvas:
            for mask, face, begin, end in parts:
                if begin <= t <= end:
                    canvas = canvas * (1 - mask) + face * mask
            return canvas

        return part

    def _mast(self):  # type: ignore[no-untyped-def]
        """A lattice mast or antennas before the lens: thin bright and dark bars that gleam, sway and cast shadows."""
        rng, side = self._rng, self._side
        x, wide, top = float(rng.uniform(0, side)), float(rng.uniform(6, 60)), float(rng.uniform(-0.3, 0.7)) * side
        bars = []
        for y in np.arange(top, side + 10, float(rng.uniform(5, 30))):
            bars.append(((x, y), (x + wide, y + rng.uniform(-1, 1) * 20)))
            bars.append(((x + wide, y), (x, y + rng.uniform(5, 25))))
        bars += [((x, top), (x - 4, side)), ((x + wide, top), (x + wide + 4, side))]
        tones = rng.uniform(20, 235, len(bars))
        thick = rng.integers(1, max(2, int(wide / 8)) + 1, len(bars))
        sway, wander = float(rng.uniform(0, 0.9)), float(rng.uniform(0, 30))
        trend = rng.normal(0, 2.5, len(bars))

        def part(canvas: Canvas, t: float) -> Canvas:
            canvas = np.ascontiguousarray(canvas)
            dx = rng.normal(0, sway)
            gleam = rng.normal(0, 1) * wander
            for n, (a, b) in enumerate(bars):
                tone = float(np.clip(tones[n] + trend[n] * t + gleam * (n % 3), 5, 255))
                ends = [(int((p[0] + dx) * 8), int(p[1] * 8)) for p in (a, b)]
                cv2.line(canvas, ends[0], ends[1], (tone, tone, tone), int(thick[n]), cv2.LINE_AA, 3)
            return canvas

        return part

    def _gleam(self):  # type: ignore[no-untyped-def]
        """What is bright there (roofs, rock, metal), or dark, turns brighter or darker by itself, at once or slowly."""
        rng, side = self._rng, self._side
        d = np.hypot(self._x - rng.uniform(0, side), self._y - rng.uniform(0, side))
        near = np.clip(1.5 - d / float(np.exp(rng.uniform(np.log(8), np.log(120)))), 0, 1)
        cut, is_dark = float(rng.uniform(0.3, 0.85)), rng.random() < 0.35
        begin, rate, most = float(rng.uniform(0, 25)), float(np.exp(rng.uniform(-3, 1))), float(rng.normal(0, 0.35))
        cache: list[NDArray[np.float32]] = []

        def part(canvas: Canvas, t: float) -> Canvas:
            if not cache:
                grey = canvas.mean(2)
                level = float(np.quantile(grey, 1 - cut if is_dark else cut))
                chosen = np.clip(((level - grey) if is_dark else (grey - level)) / 12, 0, 1)
                cache.append((chosen * near * (1 - self._sky)).astype(np.float32)[..., None])
            share = np.clip((t - begin) * rate, 0, 1) * most
            return canvas * (1 + share * cache[0]) if share else canvas

        return part

    def _spot(self):  # type: ignore[no-untyped-def]
        """One patch of sun between clouds, or one shadow: light is a factor, the ground's pattern stays."""
        rng, side = self._rng, self._side
        place, size = rng.uniform(0, side, 2), float(np.exp(rng.uniform(np.log(6), np.log(90))))
        flat, speed = float(rng.uniform(1, 5)), rng.normal(0, 1, 2) * np.exp(rng.uniform(-3, 2.2)) * (1, 0.2)
        rough, hard = self._drift(0.3, 0.9, big=float(rng.uniform(0.5, 2))), float(rng.uniform(1.5, 8))
        begin, rate = float(rng.uniform(-5, 25)), float(np.exp(rng.uniform(-2.5, 1)))
        most = float(rng.uniform(0.08, 0.6)) * (1 if rng.random() < 0.6 else -0.8)
        tone = np.array((1 - 0.3 * rng.random(), 1, 1 + 0.2 * rng.random()), np.float32)
        ground = 1 - self._sky

        def part(canvas: Canvas, t: float) -> Canvas:
            x, y = place + speed * t
            d = np.hypot((self._x - x) / size, (self._y - y) / size * flat) + 0.35 * rough(t)
            share = ground / (1 + np.exp(np.clip(hard * 2 * (d - 1), -30, 30)))
            return canvas * (1 + most * float(np.clip((t - begin) * rate, 0, 1)) * share[..., None] * tone)

        return part

    def _birds(self):  # type: ignore[no-untyped-def]
        """Birds, and insects on the glass: dark, blurred, now here, now there."""
        rng, side = self._rng, self._side
        big = float(np.exp(rng.uniform(np.log(1), np.log(45))))
        tone, most = float(rng.uniform(5, 110)), float(rng.uniform(0.3, 0.95))
        often = float(rng.uniform(0.1, 1))

        def part(canvas: Canvas, t: float) -> Canvas:
            if rng.random() > often:
                return canvas
            x, y = rng.uniform(0, side, 2)
            turn = rng.uniform(0, np.pi)
            dx, dy = self._x - x, self._y - y
            a, b = dx * np.cos(turn) + dy * np.sin(turn), (-dx * np.sin(turn) + dy * np.cos(turn)) * 2
            share = (np.clip(1.3 - np.hypot(a, b) / big, 0, 1) * most)[..., None]
            return canvas * (1 - share) + tone * share

        return part

    def _glitter(self):  # type: ignore[no-untyped-def]
        rng, side = self._rng, self._side
        line, thick = float(rng.uniform(0.3, 1)) * side, float(rng.uniform(0.04, 0.2)) * side
        where = (np.abs(self._y - line) < thick) & (self._sky < 0.5)
        dense, bright = float(rng.uniform(0.01, 0.2)), float(rng.uniform(30, 200))

        def part(canvas: Canvas, t: float) -> Canvas:
            canvas = canvas.copy()
            canvas[where & (rng.random((side, side)) < dense)] += bright
            return canvas

        return part

    def _dust(self):  # type: ignore[no-untyped-def]
        """Dust of a road or a field: the ground's own colour, low, moving on, soon gone."""
        rng, side = self._rng, self._side
        place, speed = rng.uniform((0, 0.45 * side), (side, side)), rng.normal(0, 1, 2) * (14, 2)
        size, begin = float(np.exp(rng.uniform(np.log(5), np.log(40)))), int(rng.integers(0, 26))
        lasts, most = int(rng.integers(1, 6)), float(rng.uniform(0.2, 0.7))
        rough = self._drift(0.3, 0.9, big=1.0)
        tint = np.array((125, 155, 180), np.float32) * float(rng.uniform(0.75, 1.25))

        def part(canvas: Canvas, t: float) -> Canvas:
            if not begin <= t <= begin + lasts:
                return canvas
            x, y = place + speed * (t - begin)
            d = ((self._x - x) / (size * 2)) ** 2 + ((self._y - y) / (size * 0.6)) ** 2
            share = (np.exp(-d) * most * np.clip(1 + 0.5 * rough(t), 0, 1.6))[..., None]
            return canvas * (1 - share) + tint * share

        return part

    def _lamps(self):  # type: ignore[no-untyped-def]
        rng, side = self._rng, self._side
        lamps = [
            (rng.uniform(0, side, 2), rng.normal(0, 6, 2), rng.uniform(0.8, 4), rng.uniform(3, 30)) for _ in range(4)
        ]

        def part(canvas: Canvas, t: float) -> Canvas:
            for place, speed, core, halo in lamps:
                x, y = place + speed * t
                d = np.hypot(self._x - x, self._y - y)
                canvas = canvas + (255 * np.exp(-((d / core) ** 2)) + 40 * np.exp(-d / halo))[..., None]
            return canvas

        return part


class Camera:
    """Nuisances of the lens, the sensor and the file; `take` makes the uint8 picture of a canvas with a margin."""

    def __init__(self, rng: np.random.Generator, side: int, margin: int) -> None:
        self._rng, self._side, self._margin = rng, side, margin
        self._shake = float(rng.choice((0.0, 0.15, 0.5, 1.5, 3.0), p=(0.35, 0.3, 0.2, 0.1, 0.05)))
        self._jump = (int(rng.integers(4, 40)), rng.normal(0, 3, 2)) if rng.random() < 0.06 else (10**6, np.zeros(2))
        self._wander, self._gain = float(rng.choice((0, 0.005, 0.02, 0.05))), 0.0
        self._step = (int(rng.integers(4, 40)), float(rng.normal(0, 0.18))) if rng.random() < 0.12 else (10**6, 0.0)
        self._white = (int(rng.integers(4, 40)), rng.normal(0, 0.05, 3)) if rng.random() < 0.1 else (10**6, np.zeros(3))
        self._noise = float(rng.choice((0.5, 1.5, 3, 8), p=(0.35, 0.4, 0.2, 0.05)))
        self._quality = int(rng.integers(30, 96)) if rng.random() < 0.85 else 0
        self._blur = float(rng.uniform(0.5, 1.5)) if rng.random() < 0.3 else 0.0
        self._is_grey = bool(rng.random() < 0.12)
        self._colour = float(rng.uniform(0.4, 1.5))
        self._gamma = float(np.exp(rng.normal(0, 0.22)))
        self._cast = np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)
        self._low = float(rng.uniform(0.12, 0.5)) if rng.random() < 0.06 else 1.0
        self._glare = self._sun() if rng.random() < 0.08 else None
        self._rain = int(rng.integers(20, 400)) if rng.random() < 0.05 else 0
        self._corner = self._vignette() if rng.random() < 0.12 else None
        self._speck = rng.normal(0, 1, (side + 64, side + 64, 3)).astype(np.float32)

    def _vignette(self) -> NDArray[np.float32]:
        rng, side = self._rng, self._side
        x, y = np.meshgrid(np.arange(side), np.arange(side))
        centre, reach = rng.uniform(-side, 2 * side, 2), float(rng.uniform(0.8, 1.7)) * side
        d = np.hypot(x - centre[0], y - centre[1])
        return np.clip((reach - d) / 25 + 0.5, 0, 1).astype(np.float32)[..., None]

    def _sun(self) -> tuple[NDArray[np.float64], float, float]:
        rng = self._rng
        return (
            rng.uniform(-0.3, 1.3, 2) * self._side,
            float(rng.uniform(0.1, 0.8)) * self._side,
            float(rng.normal(0, 4)),
        )

    def take(self, canvas: Canvas, t: int) -> NDArray[np.uint8]:
        """Returns side × side × 3, BGR."""
        rng, side, margin = self._rng, self._side, self._margin
        dx, dy = np.clip(rng.normal(0, self._shake, 2) + (self._jump[1] if t >= self._jump[0] else 0), -margin, margin)
        matrix = np.array([[1, 0, dx - margin], [0, 1, dy - margin]], np.float32)
        image = cv2.warpAffine(canvas, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        self._gain += float(rng.normal(0, self._wander))
        gain = np.exp(np.clip(self._gain, -0.3, 0.3) + (self._step[1] if t >= self._step[0] else 0)) * self._cast
        if t >= self._white[0]:
            gain = gain * np.exp(self._white[1])
        image = image * (gain * self._low).astype(np.float32)
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None]
        image = np.repeat(grey, 3, 2) if self._is_grey else grey + (image - grey) * self._colour
        image = 255 * np.clip(image / 255, 0, 1) ** self._gamma
        image = self._weather(image.astype(np.float32), t)
        y, x = rng.integers(0, 64, 2)
        image = image + self._noise * self._speck[y : y + side, x : x + side]
        taken = np.clip(image, 0, 255).astype(np.uint8)
        if self._quality:
            taken = cv2.imdecode(cv2.imencode(".jpg", taken, [cv2.IMWRITE_JPEG_QUALITY, self._quality])[1], 1)
        return np.asarray(taken, np.uint8)

    def _weather(self, image: Canvas, t: int) -> Canvas:
        rng, side = self._rng, self._side
        if self._glare is not None:
            place, reach, rate = self._glare
            x, y = np.meshgrid(np.arange(side), np.arange(side))
            d = np.hypot(x - place[0] - rate * t, y - place[1] - 0.4 * rate * t)
            image = image + (255 * np.exp(-((d / reach) ** 2)) + 60 * np.exp(-d / (2 * reach)))[..., None].astype(
                np.float32
            )
        if self._rain:
            for _ in range(self._rain):
                a, b = rng.integers(0, side, 2)
                cv2.line(image, (int(a), int(b)), (int(a) + 1, int(b) + int(rng.integers(3, 14))), (190, 190, 190), 1)
        if self._corner is not None:
            image = image * self._corner
        if self._blur:
            image = cv2.GaussianBlur(image, (0, 0), self._blur)
        return image

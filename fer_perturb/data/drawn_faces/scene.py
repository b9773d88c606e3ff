"""What stands around a drawn face: background, occluders, light and the camera's faults."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.drawn_faces.shapes import Floats, between, blend, bump, inside, line, take, zigzag

# What stands in front of a share of the faces.
OCCLUDERS = {"none": 0.84, "hand": 0.05, "bar": 0.04, "microphone": 0.04, "scarf": 0.03}
CLUTTER = 4  # shapes behind the head
NOISE = 1 << 18  # normal numbers that the images' noise is taken from


@dataclass(frozen=True)
class Shape:
    """An ellipse or a bar behind the head."""

    x: Floats
    y: Floats
    width: Floats  # half of it
    height: Floats  # half of it
    cos: Floats
    sin: Floats
    tone: Floats
    softness: Floats  # half width of the edge, in pixels


@dataclass(frozen=True)
class Scene:
    """A batch of surroundings: one row per face; lengths in pixels of a 48-pixel frame, tones 0 to 255."""

    backdrop: Floats
    backdrop_right: Floats  # change of tone from the middle to the frame's edge
    backdrop_down: Floats
    clutter: tuple[Shape, ...]
    occluder: NDArray[np.intp]  # index into OCCLUDERS
    occluder_x: Floats
    occluder_y: Floats
    occluder_size: Floats
    occluder_cos: Floats
    occluder_sin: Floats
    occluder_tone: Floats
    gain: Floats
    contrast: Floats
    light_right: Floats  # share by which the light grows from the middle to the frame's edge
    light_down: Floats
    blur: Floats  # 0 none to 1 a full 1-2-1 filter
    noise: Floats  # deviation in grey values
    noise_from: NDArray[np.intp]  # where in the noise this image's begins


def sample_scenes(n: int, size: int, rng: np.random.Generator) -> Scene:
    """Surroundings of `n` faces on images of `size` pixels a side."""

    def uniform(low: float, high: float) -> Floats:
        return rng.uniform(low, high, n).astype(np.float32)

    def normal(deviation: float) -> Floats:
        return (deviation * rng.normal(size=n).clip(-2.0, 2.0)).astype(np.float32)

    def shape() -> Shape:
        turn = rng.uniform(0.0, np.pi, n)
        bar = rng.random(n) < 0.45  # longer than the frame
        return Shape(
            x=uniform(-4.0, 52.0),
            y=uniform(-4.0, 52.0),
            width=uniform(2.0, 9.0),
            height=np.where(bar, np.float32(90.0), uniform(3.0, 14.0)),
            cos=np.cos(turn).astype(np.float32),
            sin=np.sin(turn).astype(np.float32),
            tone=uniform(15.0, 240.0),
            softness=uniform(0.6, 3.0),
        )

    occluder = rng.choice(len(OCCLUDERS), n, p=list(OCCLUDERS.values()))
    scarf = occluder == list(OCCLUDERS).index("scarf")
    # a scarf hangs nearly level, what is held comes from below or from the side
    turn = np.where(scarf, rng.uniform(-0.2, 0.2, n), rng.uniform(-1.9, 1.9, n))
    return Scene(
        backdrop=uniform(30.0, 225.0),
        backdrop_right=normal(20.0),
        backdrop_down=normal(20.0),
        clutter=tuple(shape() for _ in range(CLUTTER)),
        occluder=occluder,
        occluder_x=uniform(10.0, 38.0),
        occluder_y=np.where(scarf, uniform(28.0, 36.0), uniform(13.0, 42.0)),
        occluder_size=uniform(4.0, 7.0),
        occluder_cos=np.cos(turn).astype(np.float32),
        occluder_sin=np.sin(turn).astype(np.float32),
        occluder_tone=uniform(25.0, 225.0),
        gain=1.03 + normal(0.09),
        contrast=1.08 + normal(0.1),
        light_right=normal(0.13),
        light_down=normal(0.06),
        blur=np.maximum(normal(0.3), 0.0).astype(np.float32),
        noise=uniform(0.5, 4.0),
        noise_from=rng.integers(0, NOISE - size * size, n),
    )


def pixels(size: int) -> tuple[Floats, Floats]:
    """x (1, 1, size) and y (1, size, 1) of the pixels' middles, in pixels of a 48-pixel frame."""
    middles = ((np.arange(size) + 0.5) * (48 / size) - 0.5).astype(np.float32)
    return middles[None, None, :], middles[None, :, None]


def paint_background(scene: Scene, n: int, size: int) -> Floats:
    """(n, size, size) float32 grey values: a backdrop with soft clutter."""
    x, y = pixels(size)
    across, down = (x - 23.5) / 24, (y - 23.5) / 24
    canvas = np.empty((n, size, size), np.float32)
    canvas[:] = scene.backdrop + (scene.backdrop_right * across + scene.backdrop_down * down)
    for shape in scene.clutter:
        dx, dy = x - shape.x, y - shape.y
        a = (shape.cos * dx + shape.sin * dy) / shape.width
        b = (shape.cos * dy - shape.sin * dx) / shape.height
        blend(canvas, inside((np.sqrt(a * a + b * b) - 1.0) * shape.width, shape.softness) * 0.8, shape.tone)
    return canvas


def occlude(canvas: Floats, scene: Scene, size: int) -> None:
    """Lays the occluders over the faces that have one."""
    x, y = pixels(size)
    half = np.full((1, 1, 1), 24 / size, np.float32)
    for kind, paint in enumerate((None, paint_hand, paint_bar, paint_microphone, paint_scarf)):
        rows = np.flatnonzero(scene.occluder[:, 0, 0] == kind)
        if paint is None or not len(rows):
            continue
        some, part = take(scene, rows, 3), canvas[rows]
        dx, dy = x - some.occluder_x, y - some.occluder_y
        a = some.occluder_cos * dx + some.occluder_sin * dy
        b = some.occluder_cos * dy - some.occluder_sin * dx
        paint(part, a, b, half, some.occluder_size, some.occluder_tone)
        canvas[rows] = part


def paint_hand(canvas: Floats, x: Floats, y: Floats, half: Floats, size: Floats, tone: Floats) -> None:
    """A palm with a wrist, four fingers and a thumb; `size` is half the palm's width."""
    tone = tone * 0.6 + 70.0
    palm = np.maximum(np.sqrt(x * x + y * y * 0.8) - size, np.float32(-9.0))
    wrist = np.maximum(np.abs(x) - 0.72 * size, -y)
    shape = np.minimum(palm, wrist)
    for place, length in ((-0.72, 1.75), (-0.25, 2.1), (0.24, 2.05), (0.7, 1.65)):
        dx = x - place * size * (1.0 - 0.12 * y / size)
        dy = y - np.clip(y, -length * size, 0.0)
        shape = np.minimum(shape, np.sqrt(dx * dx + dy * dy) - 0.23 * size)
    along = (0.75 * x - 0.55 * y).clip(0.0, 1.5 * size)
    dx, dy = x - 0.8 * along, y + 0.6 * along - 0.3 * size
    shape = np.minimum(shape, np.sqrt(dx * dx + dy * dy) - 0.27 * size)
    covered = inside(shape, half)
    blend(canvas, covered, tone * (1.0 - 0.35 * inside(-1.1 - shape, half)))
    blend(canvas, covered * line(shape, half, -0.3, 0.8) * 0.5, tone * 0.4)


def paint_bar(canvas: Floats, x: Floats, y: Floats, half: Floats, size: Floats, tone: Floats) -> None:
    """A bar across the whole frame, `size` wide."""
    low = -0.5 * size
    blend(canvas, between(x, half, low, -low), tone * (1.0 + 0.1 * zigzag(y * 0.13)))


def paint_microphone(canvas: Floats, x: Floats, y: Floats, half: Floats, size: Floats, tone: Floats) -> None:
    """A ball of wire mesh on a handle; `size` is the ball's radius."""
    handle = inside(np.maximum(np.abs(x) - 0.38 * size - 0.06 * y, -y), half)
    blend(canvas, handle, 40.0 + 30.0 * bump((x / size + 0.15) ** 2 * 12.0))
    far = np.sqrt(x * x + y * y)
    glow = bump(((x + 0.35 * size) ** 2 + (y + 0.4 * size) ** 2) / (size * size))
    mesh = 1.0 + 0.12 * zigzag(x * 0.4) + 0.12 * zigzag(y * 0.4)
    blend(canvas, inside(far - size, half), (0.45 * tone + 30.0) * mesh + 70.0 * glow)


def paint_scarf(canvas: Floats, x: Floats, y: Floats, half: Floats, size: Floats, tone: Floats) -> None:
    """A knitted scarf from its wavy upper edge down."""
    edge = 0.8 * zigzag(x * 0.045) - 0.006 * x * x
    knit = 1.0 + 0.13 * zigzag(x * 0.28 + y * 0.1) + 0.1 * zigzag(y * 0.21 - 0.02 * x)
    blend(canvas, inside(edge - y, half), tone * knit)
    blend(canvas, line(y - edge, half, 0.4, 0.9) * 0.4, tone * 0.4)


def expose(canvas: Floats, scene: Scene, noise: Floats, size: int) -> NDArray[np.uint8]:
    """Light, lens and sensor: gain and gradient, contrast, blur, noise; (B, size, size) uint8."""
    x, y = pixels(size)
    canvas *= scene.gain + (scene.light_right * ((x - 23.5) / 24) + scene.light_down * ((y - 23.5) / 24))
    canvas -= 118.0
    canvas *= scene.contrast
    canvas += 118.0
    blurred = 0.5 * canvas[:, 1:-1] + 0.25 * (canvas[:, :-2] + canvas[:, 2:])
    canvas[:, 1:-1] += scene.blur * (blurred - canvas[:, 1:-1])
    blurred = 0.5 * canvas[:, :, 1:-1] + 0.25 * (canvas[:, :, :-2] + canvas[:, :, 2:])
    canvas[:, :, 1:-1] += scene.blur * (blurred - canvas[:, :, 1:-1])
    starts = scene.noise_from[:, 0, 0]
    grain = np.lib.stride_tricks.sliding_window_view(noise, size * size)[starts].reshape(canvas.shape)
    canvas += scene.noise * grain
    levels: Floats = np.rint(canvas.clip(0.0, 255.0))
    return levels.astype(np.uint8)

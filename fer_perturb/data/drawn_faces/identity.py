"""What chance gives each drawn face: its pose, and the head that keeps its shape whatever it expresses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Random numbers for `n` faces, (n,) float64 each; the order in which they are asked for decides them."""

    n: int
    rng: np.random.Generator

    def around(self, middle: float, deviation: float, reach: float = 2.0) -> Doubles:
        """Normal, at most `reach` deviations from the middle."""
        return middle + deviation * self.rng.normal(size=self.n).clip(-reach, reach)

    def normal(self, middle: float, deviation: float) -> Doubles:
        return self.rng.normal(middle, deviation, self.n)

    def uniform(self, low: float, high: float) -> Doubles:
        return self.rng.uniform(low, high, self.n)

    def happens(self, share: float) -> NDArray[np.bool_]:
        """True for about that share of the faces."""
        chosen: NDArray[np.bool_] = self.rng.random(self.n) < share
        return chosen

    def sometimes(self, share: float, low: float, high: float) -> Doubles:
        """Uniform for a share of the faces, 0 for the others."""
        return np.where(self.happens(share), self.uniform(low, high), 0.0)


@dataclass(frozen=True)
class Pose:
    """How the head is turned, in radians, and where it lies on the image (`Frame`)."""

    roll: Doubles
    yaw: Doubles
    pitch: Doubles
    scale: Doubles
    x0: Doubles
    y0: Doubles

    @property
    def nod(self) -> Doubles:
        """How far nodding moves what lies in the middle of the face, in head units."""
        nod: Doubles = 12.0 * np.sin(self.pitch)
        return nod


@dataclass(frozen=True)
class Identity:
    """Measures of a head at rest, in head units; widths are half of it."""

    head_width: Doubles
    head_top: Doubles
    chin: Doubles
    eye_distance: Doubles
    eye_height: Doubles
    eye_width: Doubles
    eye_open: Doubles
    brow_gap: Doubles
    brow_tilt: Doubles
    brow_arch: Doubles
    brow_thickness: Doubles
    tilt: Doubles
    nose_length: Doubles
    nose_width: Doubles
    mouth_height: Doubles
    mouth_width: Doubles
    lips: Doubles
    corner_rest: Doubles

    @property
    def radius(self) -> Doubles:
        """Of the cylinder that a turned head is taken for."""
        return self.head_width * 1.12

    def turned(self, u: Doubles, yaw: Doubles, out: float = 0.0) -> Doubles:
        """Where a turned head shows what lies at `u` on its cylinder, `out` head units in front of it."""
        shown: Doubles = u * np.cos(yaw) + (np.sqrt(self.radius**2 - u**2) + out) * np.sin(yaw)
        return shown

    def foreshortened(self, u: Doubles, yaw: Doubles) -> Doubles:
        """By what a width at `u` is multiplied on a turned head."""
        factor: Doubles = np.cos(yaw) - u / np.sqrt(self.radius**2 - u**2) * np.sin(yaw)
        return factor


def sample_pose(draws: Draws) -> Pose:
    """Poses as in photographs of people who look at the camera, or nearly so."""
    roll, yaw, pitch = draws.around(0.0, 0.09), draws.around(0.0, 0.13), draws.around(0.0, 0.07)
    scale = draws.around(1.06, 0.05)
    x0 = draws.around(23.5, 1.1) - 1.5 * np.sin(yaw)
    return Pose(roll, yaw, pitch, scale, x0, y0=draws.around(24.3, 1.0))


def sample_identity(draws: Draws) -> Identity:
    """Heads of different people."""
    return Identity(
        head_width=draws.around(14.6, 0.8),
        head_top=draws.around(17.4, 0.8),
        chin=draws.around(17.2, 0.9),
        eye_distance=draws.around(6.5, 0.4),
        eye_height=draws.around(-2.6, 0.5),
        eye_width=draws.around(3.45, 0.3),
        eye_open=draws.around(1.0, 0.14),
        brow_gap=draws.around(4.7, 0.55),
        brow_tilt=draws.around(0.0, 0.45),
        brow_arch=draws.around(0.9, 0.35),
        brow_thickness=draws.around(0.95, 0.22),
        tilt=draws.around(0.25, 0.3),
        nose_length=draws.around(7.2, 0.7),
        nose_width=draws.around(2.7, 0.35),
        mouth_height=draws.around(10.3, 0.5),
        mouth_width=draws.around(5.4, 0.5),
        lips=draws.around(1.0, 0.22),
        corner_rest=draws.around(0.0, 0.5),
    )

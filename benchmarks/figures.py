"""A measured figure, what it is compared with, and what it may come to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, beside a floor that a script of our own reached in the same run.

    The ratio is value / floor, or the value itself where there is no floor, and may be at most
    `bound`. With `times_faster` the floor is the slower way that we want to leave behind: then
    the ratio is floor / value and must be at least `bound`. Without a bound it is only told.
    """

    name: str
    value: float
    unit: str
    floor: float | None
    floor_is: str
    bound: float | None
    note: str = ""
    times_faster: bool = False

    @property
    def ratio(self) -> float:
        """The figure to judge."""
        if self.floor is None:
            return self.value
        return self.floor / self.value if self.times_faster else self.value / self.floor

    @property
    def holds(self) -> bool:
        """Whether it is within its bound."""
        if self.bound is None:
            return True
        return self.ratio >= self.bound if self.times_faster else self.ratio <= self.bound


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A figure that could not be measured, and why."""

    name: str
    why: str


Row = Figure | Unmeasured


class MissingPrerequisite(Exception):
    """Something that a measurement needs is not on this computer."""

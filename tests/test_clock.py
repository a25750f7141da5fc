"""Time of frames: never backwards, whatever somebody does to the computer's clock."""

from dataclasses import dataclass

import numpy as np

from bms_studio.acquisition.clock import Clock, Step

S = 1_000_000_000


@dataclass
class Computer:
    """Three clocks that a test can turn."""

    monotonic: int = 50 * S
    wall: int = 1_790_000_000 * S
    boot: int = 50 * S

    def run(self, seconds: float) -> None:
        for name in ("monotonic", "wall", "boot"):
            setattr(self, name, getattr(self, name) + int(seconds * S))

    def sleep(self, seconds: float) -> None:
        self.wall += int(seconds * S)
        self.boot += int(seconds * S)

    def clock(self) -> Clock:
        return Clock(lambda: self.monotonic, lambda: self.wall, lambda: self.boot)


def stamps(clock: Clock, computer: Computer) -> list[int]:
    return clock.stamp(np.array([computer.monotonic - 5, computer.monotonic])).tolist()


def test_stamps_follow_the_wall_clock_while_nobody_touches_it() -> None:
    computer = Computer()
    clock = computer.clock()
    for _ in range(5):
        computer.run(1.5)
        assert stamps(clock, computer) == [computer.wall - 5, computer.wall]
        assert clock.check() == []


def test_steps_of_the_wall_clock_are_told_once_and_move_no_data() -> None:
    for delta in (3600, -3600, 1, -1):
        computer = Computer()
        clock = computer.clock()
        start = computer.wall
        computer.wall += delta * S
        computer.run(1)
        assert clock.check() == [Step("clock-step", delta * S)]
        assert stamps(clock, computer)[1] == start + S
        computer.run(1)
        assert clock.check() == []
        assert stamps(clock, computer)[1] == start + 2 * S
        computer.wall -= delta * S
        assert clock.check() == [Step("clock-step", -delta * S)]


def test_sleep_of_the_computer_passes_in_the_data_too() -> None:
    computer = Computer()
    clock = computer.clock()
    computer.run(1)
    computer.sleep(600)
    assert clock.check() == [Step("suspend", 600 * S)]
    computer.run(1)
    assert stamps(clock, computer)[1] == computer.wall
    assert clock.check() == []


def test_across_a_gap_time_follows_a_clock_put_forward_but_not_one_put_back() -> None:
    computer = Computer()
    clock = computer.clock()
    before = stamps(clock, computer)[1]
    computer.wall += 30 * S
    clock.check()
    assert clock.reanchor() == 30 * S
    assert stamps(clock, computer)[1] == before + 30 * S == computer.wall
    assert clock.check() == []
    computer.wall -= 100 * S
    clock.check()
    assert clock.reanchor() == 0
    assert stamps(clock, computer)[1] == before + 30 * S


def test_no_stamp_is_ever_before_another_one() -> None:
    computer = Computer()
    clock = computer.clock()
    dice = np.random.default_rng(2)
    last = 0
    for _ in range(500):
        computer.run(float(dice.random()) * 0.01)
        if dice.random() < 0.05:
            computer.wall += int(dice.integers(-7200, 7200)) * S
        if dice.random() < 0.02:
            computer.sleep(float(dice.random()))
        if dice.random() < 0.1:
            clock.check()
        if dice.random() < 0.05:
            clock.reanchor()
        arrivals = computer.monotonic - np.sort(dice.integers(0, 10**7, 5))[::-1]
        got = clock.stamp(arrivals)
        assert got[0] >= last
        assert (np.diff(got) >= 0).all()
        last = int(got[-1])
        assert clock.now() >= last
        last = clock.now()

"""A clock that goes on only when it is told to: seconds are added to `now`."""


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now

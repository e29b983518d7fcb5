"""What a test has to do within a time for its assertions to mean anything: done again where the machine took longer."""
import time


class Window:
    """Of some seconds, from begin() on. What fails in it fails the test, unless they had passed."""

    def __init__(self, seconds):
        self.seconds, self.begun, self.missed = seconds, None, False

    def begin(self):
        self.begun = time.monotonic()

    def end(self):
        """All that hangs on the time is done."""
        self.missed, self.begun = self._over(), None
        assert not self.missed, f"it took longer than {self.seconds} s"

    def _over(self):
        return self.begun is not None and time.monotonic() - self.begun > self.seconds

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.missed = kind is not None and issubclass(kind, AssertionError) and (self.missed or self._over())
        return self.missed


def windows(seconds, turns=30):
    """`for window in windows(2): with window: ...` until one was kept."""
    for _ in range(turns):
        window = Window(seconds)
        yield window
        if not window.missed:
            return
    raise AssertionError(f"{turns} times it took longer than {seconds} s")


def not_around_midnight():
    """Waits where a day, UTC, is about to end or has just begun: dates and windows of a day, or of a month, are the same then for all of a test."""
    second = time.time() % 86400
    if second > 86400 - 60 or second < 70:
        time.sleep((70 - second) % 86400)

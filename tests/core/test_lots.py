"""Lots: always the same way, in the right share, and one purpose tells nothing of another."""

from apps.core.lots import falls_in

IDS = [f"sample_{number:05}" for number in range(5_000)]


def test_about_the_share_falls_in_and_always_the_same() -> None:
    drawn = [falls_in(0.1, each, purpose="overlap") for each in IDS]
    assert 420 < sum(drawn) < 580  # within four standard deviations
    assert drawn == [falls_in(0.1, each, purpose="overlap") for each in IDS]


def test_none_and_all() -> None:
    assert not any(falls_in(0.0, each, purpose="overlap") for each in IDS)
    assert all(falls_in(1.0, each, purpose="overlap") for each in IDS)


def test_a_larger_share_holds_the_smaller_one() -> None:
    assert all(falls_in(0.5, each, purpose="review") for each in IDS if falls_in(0.1, each, purpose="review"))


def test_purposes_are_independent() -> None:
    both = [falls_in(0.5, each, purpose="overlap") and falls_in(0.5, each, purpose="review") for each in IDS]
    assert 0.22 < sum(both) / len(IDS) < 0.28

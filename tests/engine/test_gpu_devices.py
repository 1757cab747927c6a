"""Devices: which is chosen, how much a pass takes, and what happens when it was too much. No GPU is needed here."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from apps.engine import devices
from apps.engine.backbones import arithmetic
from apps.engine.devices import Room, in_shrinking_batches
from apps.engine.errors import DeadlineExpired, DeviceUnavailable
from apps.engine.runtime import Deadline, choose_device, describe_device


class Gpu:
    """Stands in for a GPU that holds so many items at once."""

    def __init__(self, holds: int) -> None:
        self.holds = holds
        self.passes: list[list[int]] = []
        self.n_refused = 0

    def run(self, weights: list[int], rows: list[int]) -> list[int]:
        if len(rows) * max(weights[row] for row in rows) > self.holds:
            self.n_refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        self.passes.append(rows)
        return [10 * row for row in rows]


def everything(weights: list[int], gpu: Gpu, room: Room) -> dict[int, int]:
    found: dict[int, int] = {}
    for rows, made in in_shrinking_batches(weights, lambda rows: gpu.run(weights, rows), room):
        found.update(zip(rows, made, strict=True))
    return found


@pytest.mark.parametrize("holds", [1_000, 64, 17, 9])
def test_every_item_is_made_once_however_little_fits(holds: int) -> None:
    weights = [3, 9, 1, 5, 5, 2, 8, 9, 1, 1, 4] * 3
    gpu = Gpu(holds)
    assert everything(weights, gpu, Room(100)) == {row: 10 * row for row in range(33)}
    assert sorted(row for rows in gpu.passes for row in rows) == list(range(33))


def test_items_of_like_weight_go_together_and_no_pass_is_larger_than_the_room() -> None:
    weights = [100, 1, 100, 2, 1, 90]
    gpu = Gpu(10_000)
    everything(weights, gpu, Room(200))
    assert gpu.passes == [[1, 4, 3], [5, 0], [2]]
    gpu = Gpu(10_000)
    everything([1] * 7, gpu, Room(200, most_rows=3))
    assert [len(rows) for rows in gpu.passes] == [3, 3, 1]


def test_what_did_not_fit_is_halved_and_that_is_remembered() -> None:
    gpu, room = Gpu(10), Room(64)
    everything([1] * 64, gpu, room)
    assert gpu.n_refused == 3  # 64, 32, 16
    assert room.size() == 8
    everything([1] * 64, gpu, room)
    assert gpu.n_refused == 3


def test_one_item_that_does_not_fit_is_an_error_and_so_is_any_other_error() -> None:
    gpu = Gpu(5)
    with pytest.raises(torch.OutOfMemoryError):
        everything([1, 6, 1], gpu, Room(64))

    def broken(rows: list[int]) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    with pytest.raises(RuntimeError, match="assert"):
        list(in_shrinking_batches([1, 1], broken, Room(64)))


def test_libraries_that_run_out_of_memory_are_understood() -> None:
    refusals = [RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")]

    def run(rows: list[int]) -> int:
        if refusals:
            raise refusals.pop()
        return len(rows)

    assert [made for _, made in in_shrinking_batches([1] * 4, run, Room(4))] == [2, 2]


def test_nothing_of_a_failed_pass_is_held_while_it_is_run_again() -> None:
    """An exception holds its frames, and these the tensors that filled the memory."""
    held: list[str] = []

    class Tensor:
        def __init__(self, name: str) -> None:
            self.name = name
            held.append(name)

        def __del__(self) -> None:
            held.remove(self.name)

    def run(rows: list[int]) -> int:
        assert not held
        tensor = Tensor(f"of {len(rows)}")
        if len(rows) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return len(tensor.name)

    assert len(list(in_shrinking_batches([1] * 8, run, Room(8)))) == 4


def test_a_gpu_is_given_the_next_batch_before_the_last_one_is_fetched() -> None:
    log: list[str] = []
    batches = in_shrinking_batches([1] * 6, lambda rows: log.append(f"run {rows[0]}"), Room(2))
    for rows, _ in batches:
        log.append(f"fetch {rows[0]}")
    assert log == ["run 0", "run 2", "fetch 0", "run 4", "fetch 2", "fetch 4"]


def test_the_deadline_is_checked_before_each_batch() -> None:
    with pytest.raises(DeadlineExpired):
        list(in_shrinking_batches([1], len, Room(1), deadline=Deadline.after(0)))
    assert list(in_shrinking_batches([], len, Room(1), deadline=Deadline.after(0))) == []


def test_room_grows_again_after_a_while() -> None:
    now = [0.0]
    room = Room(64, clock=lambda: now[0])
    room.shrink(40)
    assert room.size() == 20
    room.shrink(20)
    assert room.size() == 10
    now[0] = 59.0
    assert room.size() == 10
    now[0] = 61.0
    assert room.size() == 20
    now[0] = 1_000.0
    assert room.size() == 64


def test_room_follows_the_free_memory_and_asks_for_it_once_a_second() -> None:
    now, fitting, n_asked = [0.0], [30], [0]

    def ask() -> int:
        n_asked[0] += 1
        return fitting[0]

    room = Room(64, fitting=ask, clock=lambda: now[0])
    assert [room.size(), room.size(), n_asked[0]] == [30, 30, 1]
    fitting[0] = 0
    now[0] = 1.5
    assert [room.size(), n_asked[0]] == [1, 2]
    fitting[0] = 1_000
    room.shrink(1)  # whoever ran out of memory asks at once
    assert [room.size(), n_asked[0]] == [1, 3]
    now[0] = 1_000.0
    assert room.size() == 64


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Free bytes of each GPU there is."""
    free: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(free))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda gpu: (free[int(str(gpu)[-1])], 80_000))
    return free


def test_the_gpu_with_the_most_free_memory_is_chosen(gpus: list[int]) -> None:
    assert choose_device() == choose_device("auto") == choose_device("cpu") == "cpu"
    gpus += [100, 300, 200]
    assert choose_device() == choose_device("auto") == choose_device("cuda") == "cuda:1"
    assert choose_device("cuda:2") == "cuda:2"
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize(("asked", "n_gpus"), [("cuda", 0), ("cuda:0", 0), ("cuda:1", 1), ("tpu", 1), ("cuda:-1", 1)])
def test_a_device_that_is_not_there_is_an_error_and_never_another_one(gpus: list[int], asked: str, n_gpus: int) -> None:
    gpus += [100] * n_gpus
    with pytest.raises(DeviceUnavailable, match=asked):
        choose_device(asked)


def test_a_pass_takes_half_of_the_free_memory_at_most(gpus: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    gpus.append(10_000)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 2_500)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 500)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 900)
    n_passes: list[None] = []
    room = devices.room_on("cuda:0", most=1_000, sample=lambda: n_passes.append(None), n_items=4)
    assert len(n_passes) == 2  # one to warm up
    assert room.size() == 60  # half of 12,000 bytes, at 100 each
    assert devices.room_on("cpu", most=8, sample=lambda: n_passes.append(None), n_items=4).size() == 8
    assert len(n_passes) == 2


@pytest.mark.parametrize(("has_bfloat16", "half"), [(True, torch.bfloat16), (False, torch.float16)])
def test_half_precision_on_a_gpu_is_what_it_has_circuits_for(
    has_bfloat16: bool, half: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, bool]] = []

    def is_bf16_supported(**settings: bool) -> bool:
        asked.append(settings)
        return has_bfloat16

    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    choices = arithmetic.choices_on("cuda:0", arithmetic.PICTURE_CHOICES)
    assert [choice.dtype for choice in choices] == [torch.float32, torch.float32, half]
    assert [choice.is_channels_last for choice in choices] == [False, True, True]
    assert asked == [{"including_emulation": False}]
    assert arithmetic.choices_on("cpu", arithmetic.TEXT_CHOICES) == arithmetic.TEXT_CHOICES


def test_what_was_measured_on_one_gpu_holds_for_its_like(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H200")
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    measured_on: set[str] = set()
    for device in ("cuda:0", "cuda:1"):

        def embed(choice: arithmetic.Arithmetic, device: str = device) -> torch.Tensor:
            measured_on.add(device)
            return torch.ones(1, 1)

        arithmetic.choose(arithmetic.TEXT_CHOICES, embed, key="k", device=device, cache=tmp_path / "cache.json")
    assert measured_on == {"cuda:0"}


def test_the_device_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "processor" in describe_device("cpu")

    class Properties:
        name = "NVIDIA H200"
        total_memory = 150_000_000_000

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Properties)
    assert describe_device("cuda:1") == "NVIDIA H200 (cuda:1, 150 GB)"

"""Every job name has exactly one actor of that name, in the queue the name says."""

import dramatiq
import pytest
from django.utils.module_loading import autodiscover_modules

from apps.core.jobs import JobName


@pytest.fixture(scope="module")
def actors() -> dict[str, "dramatiq.Actor[..., object]"]:
    autodiscover_modules("actors")
    broker = dramatiq.get_broker()
    return {name: broker.get_actor(name) for name in broker.get_declared_actors()}


def test_every_job_has_an_actor_and_every_actor_a_job(actors: dict[str, "dramatiq.Actor[..., object]"]) -> None:
    assert actors.keys() == {job.value for job in JobName}


@pytest.mark.parametrize("job", JobName)
def test_a_job_travels_in_its_actors_queue(job: JobName, actors: dict[str, "dramatiq.Actor[..., object]"]) -> None:
    assert actors[job.value].queue_name == job.queue.value


@pytest.mark.parametrize("job", JobName)
def test_an_actor_says_how_long_and_how_often(job: JobName, actors: dict[str, "dramatiq.Actor[..., object]"]) -> None:
    options = actors[job.value].options
    assert options["time_limit"] >= 1_000, "the time limit is in milliseconds"
    assert options["max_retries"] <= 5, "by default an actor is tried twenty times"


def test_what_a_person_waits_for_comes_first(actors: dict[str, "dramatiq.Actor[..., object]"]) -> None:
    order = [JobName.TRAIN_FUNCTION, JobName.PREDICT_FUNCTION, JobName.EMBED_FUNCTION, JobName.RUN_IMPORT]
    priorities = [actors[job.value].priority for job in order]
    assert priorities == sorted(set(priorities))

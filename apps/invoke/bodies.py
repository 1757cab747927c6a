"""What an answer looks like in JSON: one label with its confidence, or the tags that are there."""

from apps.invoke.services import Answer, Guess
from apps.invoke.wire import Options, Payload

Body = dict[str, object]


def answer_body(answer: Answer, options: Options, payload: Payload, sample_id: str = "") -> Body:
    """Return the body of an answer: an object, whatever the function gives, so that more can be said beside it.

    `sample_id` is of what was kept of the input, if anything was.
    """
    said: Body = {} if answer.tags is None else {"tags": tags_body(answer.tags, options)}
    body = (said or guess_body(answer.best, options)) | {
        "decision": answer.decision.value,
        **_about_model(answer),
    }
    if options.n_labels:
        body["labelConfidences"] = [guess_body(guess, options) for guess in answer.guesses[: options.n_labels]]
    if external_id := payload.external_id or options.external_id:
        body["externalId"] = external_id
    if sample_id:
        body["sampleId"] = sample_id
    return body


def old_body(answer: Answer, options: Options, payload: Payload, sample_id: str = "") -> Body | list[Body]:
    """Return the body in the words of version 0.9: of tags the bare list, of one label also its `name`."""
    if answer.tags is not None:
        return tags_body(answer.tags, options)
    return answer_body(answer, options, payload, sample_id) | {"name": answer.best.name}


def _about_model(answer: Answer) -> Body:
    if answer.model is None:
        return {"isTrained": False, "isCalibrated": False}
    return {"modelId": answer.model.public_id}


def tags_body(tags: tuple[Guess, ...], options: Options) -> list[Body]:
    """Return the tags that are there, likeliest first: by itself, this is what older clients of tags expect."""
    return [guess_body(guess, options) for guess in tags]


def guess_body(guess: Guess, options: Options) -> Body:
    """Return a label and how sure the model is of it."""
    body: Body = {
        "labelName": guess.name,
        "labelId": guess.label.public_id,
        "confidence": guess.confidence,
    }
    if options.includes_metadata:
        body["labelMetadata"] = guess.label.metadata
    return body

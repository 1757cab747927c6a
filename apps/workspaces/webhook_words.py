"""What webhooks hear of, in words; and programs that receivers copy, which tests run as they stand here."""

from dataclasses import dataclass

from apps.events.kinds import Notify

WORDS: dict[Notify, str] = {
    Notify.MODEL_TRAINED: "A new model was trained",
    Notify.MODEL_PUBLISHED: "Another model answers now",
    Notify.ACCURACY_DROPPED: "A new model is less often right than the one before",
    Notify.DRIFT: "What comes in looks different than before",
    Notify.SAMPLE_FLAGGED: "Someone flagged a sample",
    Notify.SAMPLE_REPORTED: "A caller reported a wrong answer",
    Notify.IMPORT_DONE: "Samples were brought in",
    Notify.EXPORT_DONE: "An export is ready",
    Notify.PING: "A test",
}

Data = dict[str, object]


@dataclass(frozen=True)
class Told:
    """What the data of a message hold: an example, and what it does not say by itself."""

    data: Data
    sentence: str = ""


_MODEL = "model_h5t1y8u3i6o0p2a4"
_ACCURACY: Data = {"accuracy": 0.94, "accuracyLow": 0.9, "accuracyHigh": 0.97}
TOLD: dict[Notify, Told] = {
    Notify.MODEL_TRAINED: Told(
        {"modelId": _MODEL, "number": 7, "annotationCount": 112, **_ACCURACY},
        "The accuracy and its interval are left out while too little is labelled to say.",
    ),
    Notify.MODEL_PUBLISHED: Told(
        {"modelId": _MODEL, "number": 7, "because": "trained"},
        "`because` is `trained`, `pinned`, `unpinned`, or `damaged`: the file of the one before is.",
    ),
    Notify.ACCURACY_DROPPED: Told(
        {
            "modelId": _MODEL,
            "number": 7,
            "accuracy": 0.84,
            "accuracyLow": 0.78,
            "accuracyHigh": 0.89,
            "before": {"modelId": "model_f3g7h1j5k9l2z6x4", "number": 6, **_ACCURACY},
        },
        "By more than chance explains: the intervals do not meet.",
    ),
    Notify.DRIFT: Told(
        {"alarmId": "alarm_d4f8g2h6j0k3l7z1", "alarmKind": "input"},
        "`input`: what is sent in has changed; `prediction`: what is answered has.",
    ),
    Notify.SAMPLE_FLAGGED: Told({"sampleId": "sample_c4n8x2m6q0w5z9t3", "flaggedBy": "user_q1w5e9r3t7y2u6i0"}),
    Notify.SAMPLE_REPORTED: Told(
        {"sampleId": "sample_c4n8x2m6q0w5z9t3", "feedbackId": "feedback_m5n9b3v7c1x6z0a4", "verdict": "Wrong"},
        "The verdict is `Right` or `Wrong`.",
    ),
    Notify.IMPORT_DONE: Told(
        {"format": "csv", "addedCount": 120, "labelledCount": 80, "duplicateCount": 3, "failedCount": 1},
        "Of files and of predicted files; what programs send over `/v1` is not told.",
    ),
    Notify.EXPORT_DONE: Told(
        {"exportId": "export_b7k2r9f4d1s6h3j8", "state": "done", "format": "jsonl", "rowCount": 12500},
        "The state is `failed` where it could not be written.",
    ),
    Notify.PING: Told({"webhookId": "webhook_t6y0u4i8o2p7a1s5"}, "Sent when a test is asked for."),
}


def message(kind: Notify) -> Data:
    """Return a message of this kind as it arrives."""
    named = {} if kind is Notify.PING else {"functionId": "function_k3j9x2m4p8qazw1s"}
    return {
        "id": "delivery_g2h6j0k4l8z3x7c1",
        "kind": kind.value,
        "createdAt": "2026-05-31T08:00:00.000Z",
        "workspaceId": "workspace_b7c2d9e4f1a6h3k8",
        **named,
        "data": TOLD[kind].data,
    }


PYTHON = '''import hashlib
import hmac
import time


def is_from_hundredfold(secret: str, signature: str, body: bytes) -> bool:
    """`signature` is the header Hundredfold-Signature, `body` the bytes as they came, before any JSON is read."""
    parts = [part.split("=", 1) for part in signature.split(",") if "=" in part]
    moment = next((value for name, value in parts if name == "t" and value.isdigit()), "0")
    if abs(time.time() - int(moment)) > 300:  # five minutes: an old message that somebody sends once more
        return False
    right = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return any(name == "v1" and hmac.compare_digest(value.encode(), right.encode()) for name, value in parts)
'''

JAVASCRIPT = """import { createHmac, timingSafeEqual } from "node:crypto";

// `signature` is the header Hundredfold-Signature, `body` the bytes as they came, before any JSON is read.
export function isFromHundredfold(secret, signature, body) {
  const parts = signature.split(",").map((part) => part.split("="));
  const moment = Number(parts.find(([name]) => name === "t")?.[1] ?? 0);
  // Five minutes: an old message that somebody sends once more.
  if (!(Math.abs(Date.now() / 1000 - moment) <= 300)) return false;
  const right = createHmac("sha256", secret).update(`${moment}.`).update(body).digest();
  return parts.some(([name, value = ""]) => {
    const given = Buffer.from(value, "hex");
    return name === "v1" && given.length === right.length && timingSafeEqual(given, right);
  });
}
"""

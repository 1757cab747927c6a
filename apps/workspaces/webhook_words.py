"""What webhooks hear of, in words; and programs that receivers copy, which tests run as they stand here."""

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

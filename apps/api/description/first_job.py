"""A whole job in a few lines, to copy from the description's page. A test runs it as it stands there."""

PYTHON = """import time

import httpx

api = httpx.Client(base_url="BASE_URL", headers={"Authorization": "Bearer YOUR_KEY"})


def post(path, body):
    answer = api.post(path, json=body)
    if answer.is_error:
        raise SystemExit(answer.json()["message"])  # says what to do
    return answer.json()


function = post("/v1/functions", {"name": "Which desk?", "input": "Text", "output": "Classification"})
address = f"/v1/functions/{function['id']}"
for name in ("Refund", "Shipping"):
    post(f"{address}/labels", {"name": name})

known = [
    ("I want my money back", "Refund"),
    ("You charged me twice", "Refund"),
    ("Please return what I paid", "Refund"),
    ("Where is my parcel?", "Shipping"),
    ("The delivery is three days late", "Shipping"),
    ("My tracking number does not work", "Shipping"),
]
items = [{"data": text, "annotation": {"labelName": label}} for text, label in known]
post(f"{address}/samples/batch", {"items": items})

while True:  # some seconds; it trains by itself
    state = api.get(f"{address}/metrics").json()
    if not state["isTraining"] and state["predictionCount"] == state["sampleCount"]:
        break
    time.sleep(1)

answer = post(f"{address}/invoke", {"data": "When does my package arrive?"})
print(answer["labelName"], answer["confidence"])
"""

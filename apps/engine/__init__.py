"""All machine learning, as plain functions on arrays. Knows nothing of the web application.

The flow, module by module:

    tables       cells as people write them -> typed columns, and what looks wrong with them
    backbones    sample -> embedding, by a shared frozen encoder
    adapt        the layers of a backbone learn from one function's samples, for the best model
    readers      samples -> rows of numbers: embeddings, words, typed columns
    readiness    enough labelled to train on, or what is missing
    crossval     folds, and scores from heads that never saw the sample
    heads        rows of numbers -> scores, by a light classifier fitted per function
    search       which recipes a round tries, in which order
    calibration  scores -> honest confidence
    blending     which recipes serve together, and how much each counts
    selection    whether they replace those in service
    automl       the round: all of the above, in one screen
    predictor    scores -> probabilities; one path for held-out scoring, live prediction and invoke
    query        which sample to ask about next
    metrics      how many are right, and how sure that is
    artifacts    models on disk, checked byte by byte

`types`, `errors` and `runtime` serve them all; `datasets` and `bench` measure them on public data.
"""

import os

# Read by OpenMP when torch loads it, so set before anything here can import torch. By default its threads spin while
# they wait for each other, and where other processes want the same cores they spin for nothing. Measured on two cores,
# 320 short texts by `minilm`: with both cores busy 30 texts/s spinning, 255 to 430 passive.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

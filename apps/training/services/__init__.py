"""Everything training writes: vectors, rounds, models, predictions. Each service may be run again at any time."""

from apps.training.services.adapting import adapt_function, stop_adapting
from apps.training.services.deciding import decide_anew
from apps.training.services.embedding import embed_function
from apps.training.services.fan_out import run_part
from apps.training.services.fan_out_towers import fit_towers
from apps.training.services.inline import finish_work
from apps.training.services.inspection import inspect_function
from apps.training.services.prediction import predict_function
from apps.training.services.rereading import reread_function
from apps.training.services.rounds import RoundOutcome, train_function
from apps.training.services.search_index_making import index_function
from apps.training.services.surveying import survey_function
from apps.training.services.sweeper import enqueue_unfinished_work, forget_leftover_copies
from apps.training.services.work import Progress

__all__ = [
    "Progress",
    "RoundOutcome",
    "adapt_function",
    "decide_anew",
    "embed_function",
    "enqueue_unfinished_work",
    "finish_work",
    "fit_towers",
    "forget_leftover_copies",
    "index_function",
    "inspect_function",
    "predict_function",
    "reread_function",
    "run_part",
    "stop_adapting",
    "survey_function",
    "train_function",
]

"""Names of what can happen.

`Audit` is kept for ever, `Live` only reaches the browsers that are open now, `Notify` goes to webhooks that want it.
"""

from enum import StrEnum


class Audit(StrEnum):
    WORKSPACE_CREATED = "workspace.created"
    MEMBER_INVITED = "member.invited"
    MEMBER_JOINED = "member.joined"
    MEMBER_ROLE_CHANGED = "member.role_changed"
    MEMBER_REMOVED = "member.removed"
    INVITATION_REVOKED = "invitation.revoked"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    SIGNED_IN = "person.signed_in"
    FUNCTION_CREATED = "function.created"
    FUNCTION_RENAMED = "function.renamed"
    FUNCTION_DELETED = "function.deleted"
    AUTOMATION_CHANGED = "function.automation_changed"
    TEAMWORK_CHANGED = "function.teamwork_changed"
    LABEL_CREATED = "label.created"
    LABEL_RENAMED = "label.renamed"
    LABEL_DELETED = "label.deleted"
    LABEL_PROPOSED = "label.proposed"
    PROPOSAL_ACCEPTED = "label.proposal_accepted"
    PROPOSAL_DECLINED = "label.proposal_declined"
    INSTRUCTIONS_CHANGED = "function.instructions_changed"
    LABEL_RESTORED = "label.restored"
    LABEL_DESCRIBED = "label.described"
    LABEL_RECOLOURED = "label.recoloured"
    LABEL_MERGED = "label.merged"
    LABEL_UNMERGED = "label.unmerged"
    LABEL_SPLIT = "label.split"
    LABEL_WEIGHED = "label.weighed"
    RULE_CREATED = "rule.created"
    RULE_DELETED = "rule.deleted"
    FIELD_CREATED = "field.created"
    FIELD_RENAMED = "field.renamed"
    FIELD_RETYPED = "field.retyped"
    FIELD_USE_CHANGED = "field.use_changed"
    FIELD_DELETED = "field.deleted"
    SAMPLES_IMPORTED = "samples.imported"
    SAMPLES_EXPORTED = "samples.exported"
    FILE_PREDICTED = "file.predicted"
    ANSWERS_SET_ASIDE = "samples.answers_set_aside"
    SAMPLES_BINNED = "samples.binned"
    SAMPLES_RESTORED = "samples.restored"
    SAMPLES_PURGED = "samples.purged"
    ACT_UNDONE = "act.undone"
    MODEL_PUBLISHED = "model.published"
    MODEL_DAMAGED = "model.damaged"
    MODEL_PINNED = "model.pinned"
    MODEL_UNPINNED = "model.unpinned"
    READING_CHANGED = "model.reading_changed"


class Live(StrEnum):
    """Names of server-sent events; each carries the subject's public id and small JSON data."""

    SAMPLES_CHANGED = "samples"
    ANNOTATIONS_CHANGED = "annotations"
    IMPORT_PROGRESS = "import"
    FILE_PROGRESS = "file"
    TRAINING_STARTED = "training"
    PREDICTIONS_CHANGED = "predictions"
    WORKER_CHANGED = "worker"
    ACCESS_CHANGED = "access"


class Notify(StrEnum):
    """What other programs are told of. These names are public and do not change: receivers compare them."""

    MODEL_TRAINED = "model.trained"
    MODEL_PUBLISHED = "model.published"
    ACCURACY_DROPPED = "accuracy.dropped"
    DRIFT = "drift.alarm"
    SAMPLE_FLAGGED = "sample.flagged"
    SAMPLE_REPORTED = "sample.reported"
    IMPORT_DONE = "import.done"
    EXPORT_DONE = "export.done"
    PING = "ping"

"""Names of what can happen. `Audit` is kept for ever; `Live` only reaches the browsers that are open now."""

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
    LABEL_CREATED = "label.created"
    LABEL_RENAMED = "label.renamed"
    LABEL_DELETED = "label.deleted"
    LABEL_DESCRIBED = "label.described"
    RULE_CREATED = "rule.created"
    RULE_DELETED = "rule.deleted"
    FIELD_CREATED = "field.created"
    FIELD_RENAMED = "field.renamed"
    FIELD_RETYPED = "field.retyped"
    FIELD_USE_CHANGED = "field.use_changed"
    FIELD_DELETED = "field.deleted"
    SAMPLES_IMPORTED = "samples.imported"
    SAMPLES_EXPORTED = "samples.exported"
    SAMPLE_DELETED = "sample.deleted"
    MODEL_PUBLISHED = "model.published"
    MODEL_DAMAGED = "model.damaged"
    MODEL_PINNED = "model.pinned"
    MODEL_UNPINNED = "model.unpinned"


class Live(StrEnum):
    """Names of server-sent events; each carries the subject's public id and small JSON data."""

    SAMPLES_CHANGED = "samples"
    ANNOTATIONS_CHANGED = "annotations"
    IMPORT_PROGRESS = "import"
    TRAINING_STARTED = "training"
    PREDICTIONS_CHANGED = "predictions"
    WORKER_CHANGED = "worker"
    ACCESS_CHANGED = "access"

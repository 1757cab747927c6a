"""Every write to functions, their labels, fields and keyword rules.

Whoever changes labels or samples of a function locks the function's row first (`changes.lock`, as the services of
samples do), so that two of them never wait on each other in a circle.
"""

from apps.functions.services.acts import begin_act, count_act, is_undone
from apps.functions.services.changes import ROWS_PER_TRANSACTION, NameTaken, note_data_change
from apps.functions.services.fields import (
    NewField,
    delete_field,
    get_or_create_fields,
    make_field,
    rename_field,
    set_field_type,
    set_field_use,
)
from apps.functions.services.functions import (
    create_function,
    delete_function,
    least_labels,
    rename_function,
    set_automation_target,
)
from apps.functions.services.labels import add_label, get_or_create_labels, make_label, weigh_label
from apps.functions.services.rules import MAX_RULES, add_rule, delete_rule
from apps.functions.services.surgery import delete_label, describe_label, edit_label, recolour_label, rename_label

__all__ = [
    "MAX_RULES",
    "ROWS_PER_TRANSACTION",
    "NameTaken",
    "NewField",
    "add_label",
    "add_rule",
    "begin_act",
    "count_act",
    "create_function",
    "delete_field",
    "delete_function",
    "delete_label",
    "delete_rule",
    "describe_label",
    "edit_label",
    "get_or_create_fields",
    "get_or_create_labels",
    "is_undone",
    "least_labels",
    "make_field",
    "make_label",
    "note_data_change",
    "recolour_label",
    "rename_field",
    "rename_function",
    "rename_label",
    "set_automation_target",
    "set_field_type",
    "set_field_use",
    "weigh_label",
]

"""Addresses of this app."""

from django.urls import path

from apps.samples.views import acts, bin, bring, downloads, fields, history, imports, labels, pictures

app_name = "samples"

urlpatterns = [
    path("functions/<str:function_id>/bring/", bring.bring_page, name="bring_page"),
    path("functions/<str:function_id>/bring/lines/", bring.paste_lines, name="paste_lines"),
    path("functions/<str:function_id>/bring/file/", bring.upload_file, name="upload_file"),
    path("functions/<str:function_id>/bring/drop/", bring.begin_drop, name="begin_drop"),
    path("functions/<str:function_id>/export.csv", downloads.export_csv, name="export_csv"),
    path("functions/<str:function_id>/export.jsonl", downloads.export_jsonl, name="export_jsonl"),
    path("functions/<str:function_id>/history/", history.history_page, name="history_page"),
    path("functions/<str:function_id>/bin/", bin.bin_page, name="bin_page"),
    path("functions/<str:function_id>/bin/put/", bin.bin_selection, name="bin_selection"),
    path("functions/<str:function_id>/bin/restore/", bin.restore_samples, name="restore_samples"),
    path("functions/<str:function_id>/bin/purge/", bin.purge_samples, name="purge_samples"),
    path("functions/<str:function_id>/bin/<str:sample_id>/thumbnail/", bin.binned_thumbnail, name="binned_thumbnail"),
    path("labels/<str:label_id>/merge/", labels.merge_label, name="merge_label"),
    path("labels/<str:label_id>/split/", labels.split_page, name="split_page"),
    path("labels/<str:label_id>/split/samples/", labels.split_label, name="split_label"),
    path("functions/<str:function_id>/acts/<str:act_id>/undo/", acts.undo_act, name="undo_act"),
    path("functions/<str:function_id>/fields/", fields.fields_page, name="fields_page"),
    path("fields/<str:field_id>/", fields.change_field, name="change_field"),
    path("fields/<str:field_id>/delete/", fields.delete_field, name="delete_field"),
    path("imports/<str:import_id>/", imports.import_page, name="import_page"),
    path("imports/<str:import_id>/check/", imports.check_import, name="check_import"),
    path("imports/<str:import_id>/start/", imports.start_import, name="start_import"),
    path("imports/<str:import_id>/discard/", imports.discard_import, name="discard_import"),
    path("imports/<str:import_id>/stop/", imports.stop_import, name="stop_import"),
    path("imports/<str:import_id>/progress/", imports.import_progress, name="import_progress"),
    path("imports/<str:import_id>/problems.csv", imports.import_problems, name="import_problems"),
    path("imports/<str:import_id>/files/", bring.drop_chunk, name="drop_chunk"),
    path("imports/<str:import_id>/files/end/", bring.end_drop, name="end_drop"),
    path("samples/<str:sample_id>/image/", pictures.sample_image, name="sample_image"),
    path("samples/<str:sample_id>/thumbnail/", pictures.sample_thumbnail, name="sample_thumbnail"),
    path("samples/<str:sample_id>/cells/<str:field_id>/", pictures.cell_image, name="cell_image"),
    path("samples/<str:sample_id>/delete/", pictures.delete_sample, name="delete_sample"),
]

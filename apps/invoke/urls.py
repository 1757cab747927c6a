"""Addresses of this app. Calls themselves do not come through here: see `apps.invoke.asgi`."""

from django.urls import path

from apps.invoke import capture_views, file_views, monitor_views, search_views, views

app_name = "invoke"

urlpatterns = [
    path("functions/<str:function_id>/call/", views.call_page, name="call_page"),
    path("functions/<str:function_id>/call/keys/", views.make_key, name="make_key"),
    path("functions/<str:function_id>/call/try/", views.try_it, name="try_it"),
    path("functions/<str:function_id>/capture/", capture_views.show_capture, name="show_capture"),
    path("functions/<str:function_id>/capture/set/", capture_views.set_capture, name="set_capture"),
    path("functions/<str:function_id>/monitor/", monitor_views.monitor_page, name="monitor_page"),
    path("functions/<str:function_id>/calls/", monitor_views.calls_page, name="calls_page"),
    path("alarms/<str:alarm_id>/seen/", monitor_views.see_drift, name="see_drift"),
    path("functions/<str:function_id>/search/", search_views.search_page, name="search_page"),
    path("functions/<str:function_id>/search/picture/", search_views.search_by_picture, name="search_by_picture"),
    path("functions/<str:function_id>/predict/", file_views.predict_page, name="predict_page"),
    path("functions/<str:function_id>/predict/file/", file_views.upload_to_predict, name="upload_to_predict"),
    path("functions/<str:function_id>/predict/drop/", file_views.begin_predict_drop, name="begin_predict_drop"),
    path("predictions/<str:prediction_id>/", file_views.prediction_page, name="prediction_page"),
    path("predictions/<str:prediction_id>/check/", file_views.check_prediction, name="check_prediction"),
    path("predictions/<str:prediction_id>/start/", file_views.start_prediction, name="start_prediction"),
    path("predictions/<str:prediction_id>/stop/", file_views.stop_prediction, name="stop_prediction"),
    path("predictions/<str:prediction_id>/discard/", file_views.discard_prediction, name="discard_prediction"),
    path("predictions/<str:prediction_id>/predicted.csv", file_views.prediction_csv, name="prediction_csv"),
    path("predictions/<str:prediction_id>/send/", file_views.send_unsure, name="send_unsure"),
    path("predictions/<str:prediction_id>/files/", file_views.predict_drop_chunk, name="predict_drop_chunk"),
    path("predictions/<str:prediction_id>/files/end/", file_views.end_predict_drop, name="end_predict_drop"),
]

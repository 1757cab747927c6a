"""Addresses of this app."""

from django.urls import path

from apps.review.views import home, map, mistakes, people, provisional, queues, samples, similar, slices, split

app_name = "review"

urlpatterns = [
    path("functions/<str:function_id>/", home.function_home, name="function_home"),
    path("functions/<str:function_id>/figures/", home.figures, name="figures"),
    path("functions/<str:function_id>/teaser/", home.teaser, name="teaser"),
    path("functions/<str:function_id>/automation/", home.automation, name="automation"),
    path("functions/<str:function_id>/automation/target/", home.set_automation, name="set_automation"),
    path("labels/<str:label_id>/weight/", home.weigh_label, name="weigh_label"),
    path("labels/<str:label_id>/split/suggestion/", split.split_suggestion, name="split_suggestion"),
    path("functions/<str:function_id>/samples/", samples.samples, name="samples"),
    path("functions/<str:function_id>/people/", people.people_page, name="people_page"),
    path("functions/<str:function_id>/people/pair/", people.pair_page, name="pair_page"),
    path("functions/<str:function_id>/people/set-aside/", people.set_aside, name="set_aside"),
    path("functions/<str:function_id>/people/setting-aside/", people.setting_aside, name="setting_aside"),
    path("functions/<str:function_id>/people/known-answers/", people.choose_gold, name="choose_gold"),
    path("functions/<str:function_id>/people/known-answers/selected/", people.use_as_gold, name="use_as_gold"),
    path("samples/<str:sample_id>/known-answer/drop/", people.drop_gold, name="drop_gold"),
    path("functions/<str:function_id>/samples/select/", samples.pick_page, name="pick_page"),
    path("samples/<str:sample_id>/fix/", samples.fix_label, name="fix_label"),
    path("samples/<str:sample_id>/flag/", queues.flag_sample, name="flag_sample"),
    path("samples/<str:sample_id>/comments/", queues.comment_on_sample, name="comment_on_sample"),
    path("samples/<str:sample_id>/review/", queues.decide_sample, name="decide_sample"),
    path("samples/<str:sample_id>/review/undo/", queues.take_back_decision, name="take_back_decision"),
    path("functions/<str:function_id>/mistakes/", mistakes.mistakes_page, name="mistakes_page"),
    path("functions/<str:function_id>/slices/", slices.slices_page, name="slices_page"),
    path("functions/<str:function_id>/slices/new/", slices.save_slice, name="save_slice"),
    path("slices/<str:slice_id>/figures/", slices.slice_line, name="slice_line"),
    path("slices/<str:slice_id>/rename/", slices.rename_slice, name="rename_slice"),
    path("slices/<str:slice_id>/delete/", slices.delete_slice, name="delete_slice"),
    path("functions/<str:function_id>/review/", queues.review_page, name="review_page"),
    path("functions/<str:function_id>/review/menu/", queues.review_menu, name="review_menu"),
    path("functions/<str:function_id>/review/effect/", queues.effect, name="effect"),
    path("functions/<str:function_id>/review/reports/", queues.settled_reports, name="settled_reports"),
    path("functions/<str:function_id>/review/provisional/", provisional.provisional_page, name="provisional_page"),
    path("functions/<str:function_id>/review/provisional/accept/", provisional.accept_samples, name="accept_samples"),
    path("functions/<str:function_id>/review/<str:queue>/", queues.queue_page, name="queue_page"),
    path("functions/<str:function_id>/review/<str:queue>/more/", queues.more_items, name="more_items"),
    path("functions/<str:function_id>/map/", map.map_page, name="map_page"),
    path("functions/<str:function_id>/map/points/", map.map_points, name="map_points"),
    path("functions/<str:function_id>/map/colours/", map.map_colours, name="map_colours"),
    path("functions/<str:function_id>/map/samples/", map.map_samples, name="map_samples"),
    path("functions/<str:function_id>/map/label/", map.label_chosen_samples, name="label_chosen_samples"),
    path("samples/<str:sample_id>/similar/", similar.similar_page, name="similar_page"),
    path("samples/<str:sample_id>/similar/items/", similar.similar_items, name="similar_items"),
    path("samples/<str:sample_id>/panel/", similar.sample_panel, name="sample_panel"),
]

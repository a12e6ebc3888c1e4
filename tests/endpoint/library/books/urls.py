from django.urls import path

from books import views

urlpatterns = [
    path("books/", views.books),
    path("fine/", views.fine),
    path("shelf/", views.shelf),
    path("mine/", views.mine),
    path("weighed/", views.weighed),
    path("login/", views.fine),
    path("fails/", views.fails),
    path("effects/", views.effects),
    path("changes-media/", views.changes_media),
    path("saves-beside/", views.saves_beside),
    path("endless/", views.endless),
    path("hangs/", views.hangs),
    path("writes/", views.writes),
    path("asks/", views.asks),
    path("asks-postgresql/", views.asks_postgresql),
    path("knocks/", views.knocks),
    path("starts/", views.starts),
    path("starts-in-many-ways/", views.starts_in_many_ways),
    path("tasks/", views.tasks),
]

import itertools
import socket
from pathlib import Path

from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.mail import send_mail
from django.db import transaction
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import render

from books.models import Author, Book


def books(request):
    found = Book.objects.order_by("pk")[:100]
    return render(request, "books.html", {"books": found})


def fine(request):
    found = Book.objects.select_related("author").only("title", "author__name").order_by("pk")[:100]
    return render(request, "books.html", {"books": found})


def shelf(request):
    return JsonResponse({"titles": list(Book.objects.filter(shelf=7).values_list("title", flat=True))})


@login_required(login_url="/login/")
def mine(request):
    return HttpResponse(f"books of {request.user.username}")


def fails(request):
    raise LookupError("no such shelf")


def effects(request):
    send_mail("hello", "text", "a@library.example", ["b@library.example"])
    default_storage.save("note.txt", ContentFile(b"text"))
    cache.set("key", "value")
    with transaction.atomic():
        Author.objects.create(name="new")
        transaction.on_commit(lambda: None)
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=5)
    except OSError as error:
        refused = type(error).__name__
    try:
        Path("left.txt").write_text("left")
    except OSError as error:
        refused += type(error).__name__
    return JsonResponse({"refused": refused})


def endless(request):
    return StreamingHttpResponse(f"{number} " * 20_000 for number in itertools.count())


def writes(request):
    Author.objects.create(name="another")
    return HttpResponse("done")

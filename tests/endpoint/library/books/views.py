import contextlib
import itertools
import multiprocessing
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import psycopg
from celery import Celery
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.mail import send_mail
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
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


def weights(power):
    return [sum(number**power % 97 for number in range(start, start + 500)) for start in range(300)]


@login_required(login_url="/login/")
def weighed(request):
    found = weights(3)
    return JsonResponse({"user": request.user.username, "weights": found})


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


def changes_media(request):
    """Make, replace, change, move and delete media files, as code that knows no storage does."""
    media = Path(settings.MEDIA_ROOT)
    cover = media / "covers/one.txt"
    had = cover.read_text()
    cover.write_text(had + " and more")
    with (media / "covers/two.txt").open("a") as two:
        two.write("more")
    (media / "covers/two.txt").rename(media / "moved.txt")
    (media / "linked.txt").unlink(missing_ok=True)
    (media / "linked.txt").symlink_to(__file__)
    (media / "made").mkdir(exist_ok=True)
    Path(media, "covers/three.txt").unlink()
    Path(media, "covers/three.txt").write_text("three")
    default_storage.delete("covers/four.txt")
    Path(media, "covers/two.txt").write_text("again")
    return JsonResponse({"cover": had[:3], "moved": (media / "moved.txt").read_text()[:3]})


def saves_beside(request):
    Path(__file__).with_name("saved.txt").write_text("saved")
    return HttpResponse("saved")


def endless(request):
    return StreamingHttpResponse(f"{number} " * 20_000 for number in itertools.count())


def hangs(request):
    time.sleep(1_000)


def writes(request):
    Author.objects.create(name="another")
    return HttpResponse("done")


def asks(request):
    """Ask another service, whose address the request names."""
    with urllib.request.urlopen(f"http://{request.GET['at']}/", timeout=5) as answer:
        return HttpResponse(answer.read())


def knocks(request):
    """Connect in other ways than by a stream, and go on."""
    host, _, port = request.GET["at"].rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sends, socket.socket(socket.AF_UNIX) as local:
        for knock in (
            lambda: sends.sendto(b"count:1|c", (host, int(port))),
            lambda: local.connect(request.GET["socket"]),
        ):
            try:
                knock()
            except OSError:
                continue
    with socket.socket() as probes:
        return JsonResponse({"open": probes.connect_ex((host, int(port))) == 0})


def starts(request):
    subprocess.run(["touch", request.GET["file"]], check=True)
    return HttpResponse("done")


def starts_in_many_ways(request):
    """Start a program in each of the ways that Python has, and signal another process."""
    file, group = request.GET["file"], os.getpgid(0)
    ways = (
        lambda: os.system(f"touch {file}"),
        lambda: os.execv("/bin/touch", ["touch", file]),
        lambda: os.posix_spawn("/bin/touch", ["touch", file], {}),
        lambda: os.spawnv(os.P_WAIT, "/bin/touch", ["touch", file]),
        os.fork,
        multiprocessing.get_context("spawn").Process(target=os.getpid).start,
        lambda: os.kill(os.getppid(), signal.SIGTERM),
        lambda: os.killpg(group, signal.SIGTERM),
    )
    refused = []
    for way in ways:
        try:
            way()
        except PermissionError as error:
            refused.append(type(error).__name__)
    return JsonResponse({"refused": len(refused), "ways": len(ways)}, status=200 if len(refused) == len(ways) else 500)


def doubled(number):
    return 2 * number


def tasks(request):
    """Send a task in each of the ways that Celery has, by a broker whose address the request names."""
    app = Celery("library", broker=f"redis://{request.GET['at']}/0")
    task = app.task(doubled, name="library.doubled")
    task.delay(1)
    task.apply_async((1,))
    app.send_task("library.doubled", (1,))
    task.s(1).delay()
    return HttpResponse("sent")


def asks_postgresql(request):
    host, _, port = request.GET["at"].rpartition(":")
    with psycopg.connect(f"host={host} dbname=shop", port=port, connect_timeout=3) as connection:
        return HttpResponse(connection.execute("delete from books").rowcount)


def writes_files_in_many_ways(request):
    """Change what is in a folder in ways that name it oddly, or go round Python's open."""
    folder = Path(request.GET["folder"])
    victim = folder / "victim.txt"
    at = os.open(folder, os.O_RDONLY)
    here = os.path.relpath(folder, "/proc/self/cwd")

    def through_sqlite(*statements):
        with contextlib.closing(sqlite3.connect(":memory:")) as memory:
            for statement in statements:
                memory.execute(statement)

    def by_a_trick():
        with contextlib.closing(sqlite3.connect(f"file:{folder}/victim.db?mode=rw&x=mode=ro", uri=True)) as database:
            database.execute("create table left_behind (number)")

    def bind():
        with socket.socket(socket.AF_UNIX) as local:
            local.bind(str(folder / "socket"))

    ways = {
        "truncate": lambda: os.close(os.open("victim.txt", os.O_WRONLY | os.O_TRUNC, dir_fd=at)),
        "create": lambda: os.close(os.open("new.txt", os.O_WRONLY | os.O_CREAT, dir_fd=at)),
        "unlink": lambda: os.unlink("victim.txt", dir_fd=at),
        "rename": lambda: os.rename("victim.txt", "gone.txt", src_dir_fd=at, dst_dir_fd=at),
        "mkdir": lambda: os.mkdir("made", dir_fd=at),
        "cwd": lambda: Path("/proc/self/cwd", here, "victim.txt").write_text("changed"),
        "root": lambda: Path(f"/proc/self/root{folder}/victim.txt").write_text("changed"),
        "attach": lambda: through_sqlite(f"attach '{folder}/victim.db' as other", "create table other.left_behind (n)"),
        "vacuum": lambda: through_sqlite(f"vacuum into '{folder}/new.db'"),
        "uri": by_a_trick,
        "chmod": lambda: victim.chmod(0o777),
        "utime": lambda: os.utime(victim, (1, 1)),
        "touch": lambda: (folder / "touched").touch(),
        "mkfifo": lambda: os.mkfifo(folder / "pipe"),
        "bind": bind,
        "copymode": lambda: shutil.copymode(__file__, victim),
    }
    done = []
    for name, way in ways.items():
        try:
            way()
        except (OSError, sqlite3.Error):
            continue
        done.append(name)
    os.close(at)
    return JsonResponse({"done": done})


def uses_temporary_files(request):
    with tempfile.NamedTemporaryFile() as named, tempfile.TemporaryFile() as unnamed:
        named.write(b"named")
        unnamed.write(b"unnamed")
    with tempfile.SpooledTemporaryFile(max_size=4) as spooled:
        spooled.write(b"more than four")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "file").write_text("text")
    default_storage.delete(default_storage.save("saved.txt", ContentFile(b"text")))
    return HttpResponse("done")


WHO = threading.local()


def shelf_of_mine():
    return [[WHO.name] * 50 for _ in range(20_000)][:3]


@login_required(login_url="/login/")
def my_shelf(request):
    WHO.name = request.user.username
    return JsonResponse({"shelf": shelf_of_mine()})


def restocks(request):
    """Read what was written just before, again and again."""
    for _ in range(20):
        book = Book.objects.get(pk=1)
        book.shelf += 1
        book.save()
    return JsonResponse({"done": True})


ASKED = itertools.count(1)


def limited(request):
    return HttpResponse("limited", status=429 if next(ASKED) > 7 else 200)


def draws(request):
    """Answer each time with other books: a cache would not."""
    return JsonResponse({"drawn": [random.random() for _ in range(40_000)][:5]})


def where_from(request):
    return JsonResponse({"address": request.META["REMOTE_ADDR"], "sum": sum(range(200_000))})


def mails(request):
    send_mail("hello", "text", "a@library.example", ["b@library.example"])
    return JsonResponse({"sum": sum(range(200_000))})


async def listed(request):
    found = [[book.title, (await author_of(book)).name] async for book in Book.objects.order_by("pk")[:50]]
    return JsonResponse({"books": found})


async def author_of(book):
    return await Author.objects.aget(pk=book.author_id)


def streamed(request):
    found = Book.objects.order_by("pk")[:100]
    return StreamingHttpResponse(f"{book.title} by {book.author.name}\n" for book in found)


def orders(request):
    Author.objects.create(name=request.POST["name"])
    return HttpResponseRedirect("/books/")


def counted(request):
    authors = Author.objects.order_by("pk")
    return JsonResponse({"books": [[author.name, author.books.count()] for author in authors]})


def computes(request):
    return JsonResponse({"found": slow_sum(600_000)})


def slow_sum(many):
    found = 0
    for number in range(many):
        found += number * number % 7
    return found

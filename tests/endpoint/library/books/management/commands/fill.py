from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from books.models import Author, Book


class Command(BaseCommand):
    def handle(self, *args, **options):
        User.objects.create_user("ann", password="of ann")
        User.objects.create_user("eve", password="of eve")
        authors = Author.objects.bulk_create(Author(name=f"author {number}") for number in range(60))
        Book.objects.bulk_create(
            Book(title=f"book {number}", author=authors[number % 60], shelf=number % 1000, text="words " * 50)
            for number in range(3000)
        )

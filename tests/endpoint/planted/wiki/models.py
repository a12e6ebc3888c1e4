"""Pages: articles and notices share a table, and have one each."""

from django.db import models


class Page(models.Model):
    title = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)
    kind = models.CharField(max_length=10)
    views = models.IntegerField(default=0)

    def __str__(self):
        return self.title

    @property
    def leaf(self):
        """The page as what it is: an article or a notice."""
        return self.article if self.kind == "article" else self.notice  # access: n1_inheritance_index


class Article(Page):
    body = models.CharField(max_length=300)

    @property
    def teaser(self):
        return self.body[:40]


class Notice(Page):
    place = models.CharField(max_length=40)

    @property
    def teaser(self):
        return f"hangs in {self.place}"


class Revision(models.Model):
    page = models.ForeignKey(Page, models.CASCADE, related_name="revisions")
    author = models.ForeignKey("people.Employee", models.CASCADE, related_name="revisions")
    number = models.IntegerField()
    comment = models.CharField(max_length=100)
    text = models.TextField()

"""One row a visit."""

from django.db import models


class Visit(models.Model):
    """A visit. Columns that lack an index have a copy that has one, for pages that show what an index saves."""

    number = models.IntegerField(unique=True)
    path = models.CharField(max_length=60)
    country = models.CharField(max_length=2)
    token = models.CharField(max_length=16)  # access: index_filter_find
    customer_number = models.IntegerField()  # access: index_filter_customer
    seconds = models.IntegerField()  # access: index_order_longest
    indexed_token = models.CharField(max_length=16, db_index=True)
    indexed_customer_number = models.IntegerField(db_index=True)
    indexed_seconds = models.IntegerField(db_index=True)

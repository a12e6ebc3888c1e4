"""Products, and what is said about them."""

from django.db import models


class Category(models.Model):
    name = models.CharField(max_length=60)

    def __str__(self):
        return self.name


class Brand(models.Model):
    name = models.CharField(max_length=60)
    country = models.CharField(max_length=2)

    def __str__(self):
        return self.name


class Tag(models.Model):
    name = models.CharField(max_length=40)

    class Meta:
        ordering = ["pk"]

    def __str__(self):
        return self.name


class Product(models.Model):
    name = models.CharField(max_length=80)
    category = models.ForeignKey(Category, models.CASCADE, related_name="products")
    brand = models.ForeignKey(Brand, models.CASCADE, related_name="products")
    tags = models.ManyToManyField(Tag, related_name="products")
    price = models.IntegerField()
    description = models.CharField(max_length=200)

    class Meta:
        ordering = ["pk"]

    def __str__(self):
        return self.name

    @property
    def review_count(self):
        """How many reviews there are."""
        return self.reviews.count()  # access: n1_property_popularity


class Manual(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="manuals")
    title = models.CharField(max_length=120)
    text = models.TextField()


class Review(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="reviews")
    customer = models.ForeignKey("people.Customer", models.CASCADE, related_name="reviews")
    stars = models.IntegerField()
    text = models.CharField(max_length=200)

    class Meta:
        ordering = ["pk"]

    def __str__(self):
        return f"{self.stars} of 5 for {self.product.name}"  # access: n1_fk_reviews

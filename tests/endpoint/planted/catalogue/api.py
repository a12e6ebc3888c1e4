"""The catalogue for programs."""

from django.db.models import Prefetch
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.gzip import gzip_page
from rest_framework import generics, serializers
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from catalogue.models import Manual, Product, Review


class ProductSerializer(serializers.ModelSerializer):
    last_review = serializers.SerializerMethodField()

    class Meta:
        model = Product
        fields = ("id", "name", "price", "last_review")

    def get_last_review(self, product):
        review = product.reviews.order_by("-pk").first()  # access: method_field_products
        return review and review.text


class Products(generics.ListAPIView):
    queryset = Product.objects.order_by("pk")[:150]  # fault: method_field_products
    serializer_class = ProductSerializer


class LastReviewSerializer(ProductSerializer):
    def get_last_review(self, product):
        reviews = product.reviews.all()
        return reviews[0].text if reviews else None


class ProductsFixed(generics.ListAPIView):
    queryset = Product.objects.order_by("pk").prefetch_related(Prefetch("reviews", Review.objects.order_by("-pk")))[
        :150
    ]
    serializer_class = LastReviewSerializer


class NameSerializer(serializers.ModelSerializer):
    class Meta:
        model = Product
        fields = ("id", "name")


class Names(generics.ListAPIView):
    queryset = Product.objects.order_by("pk").prefetch_related("tags")  # fault: unused_prefetch_api
    serializer_class = NameSerializer


class NamesFixed(generics.ListAPIView):
    queryset = Product.objects.order_by("pk")
    serializer_class = NameSerializer


class ReviewSerializer(serializers.ModelSerializer):
    class Meta:
        model = Review
        fields = ("id", "product", "customer", "stars", "text")


class Reviews(generics.ListAPIView):
    queryset = Review.objects.order_by("pk")
    serializer_class = ReviewSerializer

    def list(self, request):
        return Response(self.get_serializer(self.get_queryset(), many=True).data)  # fault: python_serialisation_reviews


class ReviewsFixed(generics.ListAPIView):
    def list(self, request):
        return Response(list(Review.objects.order_by("pk").values("id", "product", "customer", "stars", "text")))


def export(request):  # fault: no_compression_export
    rows = list(Manual.objects.order_by("pk").values("id", "title", "text")[:55])
    body = JSONEncoder().encode(rows)
    return HttpResponse(body, content_type="application/json")


urlpatterns = [
    path("products/", Products.as_view()),
    path("products/fixed/", ProductsFixed.as_view()),
    path("names/", Names.as_view()),
    path("names/fixed/", NamesFixed.as_view()),
    path("reviews/", Reviews.as_view()),
    path("reviews/fixed/", ReviewsFixed.as_view()),
    path("export/", export),
    path("export/fixed/", gzip_page(export)),
]

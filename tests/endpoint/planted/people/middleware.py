"""What is fetched before a view is called."""

from people.models import Watch

PAGES = ("/account/overview/",)


class Watchlist:
    """Give pages of the account the names of the products that a user watches."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.path in PAGES and request.user.is_authenticated:
            watches = Watch.objects.filter(user=request.user).order_by("pk")  # fault: n1_middleware
            request.watching = [watch.product.name for watch in watches]  # access: n1_middleware
        return self.get_response(request)

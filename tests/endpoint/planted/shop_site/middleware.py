"""What is said about every answer of the back office."""

from django.utils.cache import patch_cache_control

BACK_OFFICE = (
    "/account/",
    "/activity/",
    "/api/",
    "/backroom/",
    "/customers/",
    "/orders/",
    "/staff/",
    "/tickets/",
    "/traffic/",
)


class PrivateBackOffice:
    """Keep pages of the back office, which must be fresh, out of every cache."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if request.path.startswith(BACK_OFFICE):
            patch_cache_control(response, private=True)
        return response

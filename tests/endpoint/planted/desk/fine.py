"""Pages of the desk that look as if something were wrong with them."""

from django.db.models import Count, Q
from django.shortcuts import render

from desk.models import Ticket


def waiting(request):
    counts = Ticket.objects.aggregate(open=Count("pk", Q(status="open")), closed=Count("pk", Q(status="closed")))
    return render(request, "desk/waiting.html", {"counts": counts})

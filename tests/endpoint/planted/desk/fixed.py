"""The desk's pages without their faults."""

from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.shortcuts import render

from desk.models import Ticket


@login_required
def mine(request):
    tickets = Ticket.objects.filter(assignee__user=request.user).select_related("customer").order_by("pk")[:150]
    return render(request, "desk/mine.html", {"tickets": tickets})


def threads(request):
    tickets = Ticket.objects.prefetch_related("followups").order_by("pk")[:200]
    found = []
    for ticket in tickets:
        said = sorted(followup.text for followup in ticket.followups.all())
        found.append({"title": ticket.title, "said": said})
    return JsonResponse({"threads": found})

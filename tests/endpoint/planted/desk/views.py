"""The desk's pages of tickets."""

from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.shortcuts import render

from desk.models import Ticket


@login_required
def mine(request):
    tickets = Ticket.objects.filter(assignee__user=request.user).order_by("pk")[:150]  # fault: n1_fk_mine
    return render(request, "desk/mine.html", {"tickets": tickets})


def threads(request):
    tickets = Ticket.objects.order_by("pk")[:200]  # fault: n1_reverse_threads
    found = []
    for ticket in tickets:
        said = sorted(followup.text for followup in ticket.followups.all())  # access: n1_reverse_threads
        found.append({"title": ticket.title, "said": said})
    return JsonResponse({"threads": found})

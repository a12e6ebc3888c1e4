"""What every template may show."""

from people.models import Department


def teams():
    departments = Department.objects.order_by("pk")  # fault: n1_context_processor
    return [(department.name, department.lead.name) for department in departments]  # access: n1_context_processor


def team_menu(request):
    """Offer the menu of teams; a template that doesn't show it pays nothing."""
    return {"teams": teams}

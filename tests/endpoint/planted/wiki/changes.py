"""What was changed, in lines for people."""

from wiki.models import Revision


def changes():
    """Return a line for each revision."""
    revisions = Revision.objects.order_by("pk")  # fault: over_columns_changes
    return [f"{revision.number}: {revision.comment}" for revision in revisions]

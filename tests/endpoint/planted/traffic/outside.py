"""Pages that reach beyond what a study lets them: not of the site's faults, but for the study's own safety."""

from django.db import connection
from django.http import JsonResponse


def unlocks(request):
    """Let the session write, and write."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
        cursor.execute("DELETE FROM sales_payment")
    return JsonResponse({"done": True})


def starts_a_program(request):
    """Let the database's server start a program."""
    with connection.cursor() as cursor:
        cursor.execute(f"COPY (SELECT 1) TO PROGRAM 'touch {request.GET['file']}'")
    return JsonResponse({"done": True})

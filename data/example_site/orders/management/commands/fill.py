"""Make the example's database anew."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from orders.models import Customer, Item, Order


class Command(BaseCommand):
    """Make the tables and fill them: 5,000 orders of 300 customers, three items each."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        Path(settings.DATABASES["default"]["NAME"]).unlink(missing_ok=True)
        call_command("migrate", run_syncdb=True, verbosity=0)
        customers = Customer.objects.bulk_create(Customer(name=f"customer {number}") for number in range(300))
        start = datetime(2026, 1, 1, tzinfo=UTC)
        orders = Order.objects.bulk_create(
            Order(customer=customers[number % 300], placed=start + timedelta(hours=number)) for number in range(5_000)
        )
        Item.objects.bulk_create(Item(order=order, name=f"thing {number}") for order in orders for number in range(3))

"""Fill the shop with the same rows every time."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from catalogue.models import Brand, Category, Manual, Product, Review, Tag
from desk.models import FollowUp, Ticket
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from feedback.models import Answer, Question, Survey
from sales.models import Activity, Order, OrderLine, Payment, Preference
from traffic.models import Visit
from wiki.models import Article, Notice, Page, Revision

from people.models import Customer, Department, Employee, Watch

WORDS = [
    "river", "stone", "lamp", "north", "cedar", "amber", "quiet", "copper",
    "field", "harbour", "paper", "silver", "garden", "window", "thread", "maple",
]  # fmt: skip
COUNTRIES = ["de", "fr", "it", "nl", "pl"]
STATUSES = ["open", "paid", "packed", "sent", "closed"]
BATCH = 2_000


class Command(BaseCommand):
    """Fill the empty tables; only the table of visits has a size to choose."""

    help = "Fill the shop's empty tables with the same rows every time."

    def add_arguments(self, parser):
        parser.add_argument("--visits", type=int, default=100_000, help="rows of the large table (100,000)")

    def handle(self, *, visits, **options):
        if Customer.objects.exists():
            raise CommandError("the shop has customers already: run `manage.py flush` first")
        self.random = random.Random(13)
        self.long_text = self.words(40_000)
        with transaction.atomic():
            self.people()
            self.catalogue()
            self.sales()
            self.desk()
            self.wiki()
            self.surveys()
            self.visits(visits)

    def words(self, count):
        return " ".join(self.random.choices(WORDS, k=count))

    def text(self, size):
        """Return a piece of a long text: so many characters."""
        first = self.random.randrange(len(self.long_text) - size)
        return self.long_text[first : first + size]

    def make(self, model, rows):
        return model.objects.bulk_create(rows, batch_size=BATCH)

    def people(self):
        self.users = self.make(User, [User(username=name, password="!") for name in ("ada", "ben")])
        departments = self.make(Department, [Department(name=f"Department {n}") for n in range(1, 201)])
        self.employees = self.make(
            Employee,
            [
                Employee(
                    name=f"{self.words(1).title()} {n}",
                    email=f"e{n}@shop.example",
                    phone=f"+49 30 {n:06}",
                    department=departments[n % 200],
                    user=self.users[n] if n < 2 else None,
                )
                for n in range(240)
            ],
        )
        for n, department in enumerate(departments):
            department.lead = self.employees[n]
        Department.objects.bulk_update(departments, ["lead"], batch_size=100)
        self.customers = self.make(
            Customer,
            [
                Customer(
                    name=f"{self.words(2).title()} {n}",
                    email=f"c{n}@mail.example",
                    city=self.words(1).title(),
                    country=COUNTRIES[n % 5],
                    spent=self.random.randrange(1_000_000),
                    manager=self.random.choice(self.employees),
                    note=self.words(6),
                )
                for n in range(600)
            ],
        )

    def catalogue(self):
        categories = self.make(Category, [Category(name=f"Category {n}") for n in range(200)])
        brands = self.make(Brand, [Brand(name=f"Brand {n}", country=COUNTRIES[n % 5]) for n in range(200)])
        tags = self.make(Tag, [Tag(name=f"{WORDS[n % 16]}-{n}") for n in range(200)])
        self.products = self.make(
            Product,
            [
                Product(
                    name=f"{self.words(2).title()} {n}",
                    category=categories[n % 200],
                    brand=self.random.choice(brands),
                    price=self.random.randrange(100, 50_000),
                    description=self.words(8),
                )
                for n in range(600)
            ],
        )
        self.make(
            Manual,
            [
                Manual(product=product, title=f"{product.name}, a manual", text=self.text(12_000))
                for product in self.products
            ],
        )
        tagged = Product.tags.through
        self.make(
            tagged,
            [
                tagged(product_id=product.pk, tag_id=tag.pk)
                for product in self.products
                for tag in self.random.sample(tags, 3)
            ],
        )
        self.make(
            Review,
            [
                Review(
                    product=self.products[n % 600],
                    customer=self.random.choice(self.customers),
                    stars=self.random.randrange(1, 6),
                    text=self.words(8),
                )
                for n in range(2_400)
            ],
        )
        self.make(Watch, [Watch(user=self.users[n % 2], product=self.products[n]) for n in range(400)])

    def sales(self):
        start = datetime(2026, 1, 1, tzinfo=UTC)
        self.orders = self.make(
            Order,
            [
                Order(
                    number=10_000 + n,
                    customer=self.customers[n % 600],
                    status=self.random.choice(STATUSES),
                    total=self.random.randrange(500, 90_000),
                    placed=start + timedelta(minutes=37 * n),
                )
                for n in range(1_500)
            ],
        )
        self.make(
            OrderLine,
            [
                OrderLine(order=order, product=self.random.choice(self.products), quantity=n + 1)
                for order in self.orders
                for n in range(2)
            ],
        )
        self.make(
            Payment,
            [
                Payment(order=order, method=self.random.choice(["card", "bill"]), amount=order.total)
                for order in self.orders
            ],
        )
        preferences = {"currency": "EUR", "vat": "19", **{f"label {n}": self.words(1) for n in range(200)}}
        self.make(Preference, [Preference(name=name, value=value) for name, value in preferences.items()])

    def desk(self):
        self.tickets = self.make(
            Ticket,
            [
                Ticket(
                    title=self.words(5),
                    customer=self.random.choice(self.customers),
                    assignee=self.employees[0 if n % 5 == 0 else self.random.randrange(240)],
                    status=self.random.choice(["open", "closed"]),
                    body=self.words(12),
                )
                for n in range(1_000)
            ],
        )
        self.make(
            FollowUp,
            [
                FollowUp(ticket=self.tickets[n % 1_000], author=self.random.choice(self.employees), text=self.words(9))
                for n in range(2_500)
            ],
        )
        subjects = [*self.tickets[:150], *self.orders[:150], *self.products[:100]]
        self.random.shuffle(subjects)
        self.make(
            Activity,
            [
                Activity(verb="changed", content_type=ContentType.objects.get_for_model(subject), object_id=subject.pk)
                for subject in subjects
            ],
        )

    def wiki(self):
        for n in range(240):
            page = {"title": f"{self.words(3).title()} {n}", "slug": f"page-{n}"}
            if n % 2:
                Notice.objects.create(**page, kind="notice", place=self.words(1))
            else:
                Article.objects.create(**page, kind="article", body=self.words(40))
        pages = list(Page.objects.order_by("pk"))
        self.make(
            Revision,
            [
                Revision(
                    page=pages[n % 240],
                    author=self.random.choice(self.employees),
                    number=n,
                    comment=self.words(4),
                    text=self.text(8_000),
                )
                for n in range(720)
            ],
        )

    def surveys(self):
        surveys = self.make(Survey, [Survey(title=f"Survey {n}: {self.words(2)}") for n in range(200)])
        questions = self.make(Question, [Question(survey=surveys[n % 200], text=self.words(6)) for n in range(600)])
        self.make(
            Answer,
            [Answer(question=self.random.choice(questions), score=self.random.randrange(11)) for _ in range(2_000)],
        )

    def visits(self, count):
        """Fill the large table past the ORM, which would take ten times as long."""
        pick = self.random.random
        places = [f"/products/{n}/" for n in range(1, 601)] + [f"/wiki/page-{n}/" for n in range(240)]

        def visit(number):
            token, customer = f"{self.random.getrandbits(64):016x}", int(pick() * 5_000)
            seconds = number * 7_919 % 1_000_003  # no two are alike
            looked = number, places[int(pick() * 840)], COUNTRIES[int(pick() * 5)]
            return *looked, token, customer, seconds, token, customer, seconds

        columns = [field.column for field in Visit._meta.concrete_fields[1:]]
        values = ", ".join(["%s"] * len(columns))
        insert = f"INSERT INTO {Visit._meta.db_table} ({', '.join(columns)}) VALUES ({values})"
        with connection.cursor() as cursor:
            cursor.executemany(insert, [visit(number) for number in range(1, count + 1)])

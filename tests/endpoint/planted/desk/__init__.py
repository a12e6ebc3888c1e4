"""Tickets of customers, and what was done about them."""

"""Staff, customers and their accounts."""

"""The wiki's markup."""

import re


def render(text):
    """Return a text in which every word of a phrase that stands in it twice is emphasised, as the house has it."""
    words = text.split()
    twice = set()
    for width in range(2, len(words)):
        for first in range(len(words) - width + 1):
            phrase = words[first : first + width]
            if len(re.findall(rf"\b{' '.join(phrase)}\b", text)) > 1:
                twice.update(phrase)
    return " ".join(f"<em>{word}</em>" if word in twice else word for word in words)

"""Cuts texts into words for tantivy."""

import tantivy

LONGEST_WORD = 60


def analyzer() -> tantivy.TextAnalyzer:
    """Splits what `searchable` gave at everything that is no letter or digit; small letters, no accents, no endings.

    English endings are taken off words of every language: query and text alike, so other languages lose little, and
    English text is found better (measured: docs/retrieval.md).
    """
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for part in (
        tantivy.Filter.remove_long(LONGEST_WORD),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stemmer("english"),
    ):
        builder = builder.filter(part)
    return builder.build()

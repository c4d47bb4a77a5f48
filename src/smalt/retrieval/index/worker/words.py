"""Cuts texts into words for tantivy."""

import tantivy

LONGEST_WORD = 60


def analyzer() -> tantivy.TextAnalyzer:
    """Splits what `searchable` gave at everything that is no letter or digit; small letters, no accents."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for part in (tantivy.Filter.remove_long(LONGEST_WORD), tantivy.Filter.lowercase(), tantivy.Filter.ascii_fold()):
        builder = builder.filter(part)
    return builder.build()

"""What an echo says of its tokens' likelihood: it never hesitates, so each has the log-probability 0."""

from smalt.engines.protocols import TokenLogprob, TopLogprob


def certain(token: str, alternatives: int) -> TokenLogprob:
    """A token that was certain; itself is the only alternative there is."""
    spelled = tuple(token.encode())
    return TokenLogprob(token, 0.0, spelled, (TopLogprob(token, 0.0, spelled),) if alternatives else ())


def unknown(token: str) -> TokenLogprob:
    """The first token of an echoed prompt, which nothing came before."""
    return TokenLogprob(token, float("nan"), tuple(token.encode()))

"""Tells how well moderation scores agree with what people said of texts, beside the budgets."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from statistics import mean
from typing import TypeVar

from smalt.api.moderating import CATEGORIES, flag_threshold
from smalt.cli.bench.pairs import spread
from smalt.cli.bench.report import Report, at_least, at_most
from smalt.cli.bench.safety_measures import Quality, Sample, benign, held_out, quality, share
from smalt.core.content_filter_settings import ContentFilterSettings
from smalt.engines.protocols import Scores
from smalt.safety import results
from smalt.safety.policies import DEFAULT, Policies, Side
from smalt.safety.severities import severities
from smalt.safety.thresholds import is_detected

LEAST_AUROC = 0.92
MOST_BLOCKED_PERCENT = 3

Judge = Callable[[Sequence[str]], Sequence[Scores]]
Text = TypeVar("Text", str, Sample)


def tell_quality(report: Report, judge: Judge, most: int | None = None) -> None:
    """Judge the texts that are held out, or so many of them, and add what was found."""
    samples, harmless = _some(held_out(), most), _some(benign(), most)
    found = dict(qualities(samples, judge([sample.text for sample in samples])))
    report.add(
        f"AUROC, mean of {len(found)} categories",
        spread([mean(one.auroc for one in found.values())]),
        budget=at_least(LEAST_AUROC),
    )
    for category, one in found.items():
        where = f"{category} ({one.positives} of {one.texts} texts)"
        report.add(f"AUROC, {where}", spread([one.auroc]))
        report.add(f"AUPRC, {where}", spread([one.auprc]))
        report.add(f"F1 where it is flagged, {where}", spread([one.f1]))
    scores = judge(harmless)
    percent = 100 * share([is_blocked(one) for one in scores])
    what = f"benign prompts that the default policy blocks (of {len(harmless)})"
    report.add(what, spread([percent]), "%", budget=at_most(MOST_BLOCKED_PERCENT))
    report.add("benign prompts that are flagged", spread([100 * share([is_flagged(one) for one in scores])]), "%")
    report.details |= {
        "quality": {category: asdict(one) for category, one in found.items()},
        "blocked_percent": percent,
    }


def qualities(samples: Sequence[Sample], scores: Sequence[Scores]) -> Iterator[tuple[str, Quality]]:
    """Each category that some of the texts are known to have, and some not."""
    for category in CATEGORIES:
        known = [
            (sample.labels[category], one.get(category, 0.0))
            for sample, one in zip(samples, scores, strict=True)
            if category in sample.labels
        ]
        labels = [label for label, _ in known]
        if len(set(labels)) > 1:
            yield category, quality(labels, [score for _, score in known], flag_threshold(category))


def is_blocked(scores: Scores) -> bool:
    """Whether the default policy refuses a prompt with these scores."""
    side = Policies(ContentFilterSettings()).named[DEFAULT].prompts
    return results.is_filtered(_harms(side, scores) | _detections(side, scores))


def is_flagged(scores: Scores) -> bool:
    """Whether the moderations endpoint flags a text with these scores."""
    return any(scores.get(category, 0.0) >= flag_threshold(category) for category in CATEGORIES)


def _some(texts: Sequence[Text], most: int | None) -> Sequence[Text]:
    """Texts from all over; they are sorted by what they are labelled with."""
    return texts if most is None else texts[:: -(-len(texts) // most)]


def _harms(side: Side, scores: Scores) -> results.Results:
    grave = severities(scores)
    return {name: results.harm(side.harms[name], severity) for name, severity in grave.items() if name in side.harms}


def _detections(side: Side, scores: Scores) -> results.Results:
    return {
        name: results.detection(wanted, is_there=is_detected(name, scores)) for name, wanted in side.detections.items()
    }

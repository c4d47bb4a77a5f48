"""Results of several stretches become those of one answer."""

from smalt.safety.results import filtered_kinds, gravest

SAFE = {"filtered": False, "severity": "safe"}
CLEAN = {"filtered": False, "detected": False}


def test_the_graver_severity_is_told_whichever_comes_first():
    low, high = {"filtered": False, "severity": "low"}, {"filtered": True, "severity": "high"}
    assert gravest({"hate": low, "violence": SAFE}, {"hate": high}) == {"hate": high, "violence": SAFE}
    assert gravest({"hate": high}, {"hate": low}) == {"hate": high}
    assert list(gravest({"violence": SAFE}, {"hate": SAFE})) == ["hate", "violence"]


def test_what_was_detected_once_stays_detected():
    found = {"filtered": True, "detected": True}
    assert gravest({"profanity": CLEAN}, {"profanity": found}) == {"profanity": found}
    assert gravest({"profanity": found}, {"profanity": CLEAN}) == {"profanity": found}


def test_details_are_gathered_a_list_each_and_a_span_each():
    fruit = {"id": "fruit", "filtered": False}
    names = {"id": "names", "filtered": True}
    merged = gravest(
        {"custom_blocklists": {"filtered": False, "details": [fruit]}},
        {"custom_blocklists": {"filtered": True, "details": [{"id": "fruit", "filtered": True}, names]}},
    )
    assert merged["custom_blocklists"] == {
        "filtered": True,
        "details": [{"id": "fruit", "filtered": True}, names],
    }
    spans = [{"completion_start_offset": start, "completion_end_offset": start + 5} for start in (0, 9)]
    merged = gravest(
        {"ungrounded_material": {**CLEAN, "details": spans[:1]}},
        {"ungrounded_material": {"filtered": False, "detected": True, "details": spans}},
    )
    assert merged["ungrounded_material"] == {"filtered": False, "detected": True, "details": spans}


def test_where_code_comes_from_is_kept():
    citation = {"URL": "https://example.com/a.py", "license": "MIT"}
    found = {"filtered": False, "detected": True, "citation": citation}
    merged = gravest({"protected_material_code": found}, {"protected_material_code": CLEAN})
    assert merged["protected_material_code"] == found


def test_a_failure_to_judge_one_stretch_is_told_beside_the_others():
    error = {"code": 503, "message": "no model"}
    assert gravest({"hate": SAFE}, {"error": error}) == {"error": error, "hate": SAFE}
    assert gravest({"error": error}, {"error": error}) == {"error": error}


def test_only_what_was_blocked_counts_as_filtered():
    assert filtered_kinds({"hate": SAFE, "violence": {"filtered": True, "severity": "high"}}) == ["violence"]
    assert filtered_kinds({}) == []

"""A poem, a piece of code and words without sense, for tests of copies."""

POEM = (
    "Upon the quay the lantern burns, and no one knows for whom; the keeper climbs the narrow stair and trims it in "
    "the gloom. He doesn't ask the tide to wait, he doesn't curse the rain, he counts the ships that left at dawn and "
    "lights the lamp again. And when the harbour freezes over, white from wall to wall, he sits beside the little "
    "flame as if they'd heard it call."
)

CODE = '''
def merged(left, right):
    """Two sorted lists as one."""
    found = []
    while left and right:
        found.append(left.pop(0) if left[0] <= right[0] else right.pop(0))
    return found + left + right
'''

BOTH_WANTED = {"protected_material_code": "annotate", "protected_material_text": "annotate"}

VOCABULARY = [f"{first}{last}" for first in ("ba", "do", "fe", "gi", "lu", "mo", "ra", "si") for last in "bcdfghjklmnp"]


def sentence(chance, count):
    """Words that are in no material: they are longer."""
    return [chance.choice(VOCABULARY) * 2 for _ in range(count)]

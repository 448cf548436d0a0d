"""The share of the slots of a meaning representation that a text gets wrong, for the restaurants of E2E."""

import re
import unicodedata
from collections.abc import Sequence

from tasks.metrics.base import ByItem

IS = r"(?:is |are |was |has |it |as |at |of |in |the |an? |range |very )*"
POUNDS = r"(?:£|gbp|\$|euros? )? ?"
CHILDREN = r"(?:famil(?:y|ies)|kids?|child(?:ren)?|all ages)"
RATING = (
    r"[ -]*(?:customers?'?s? |star |overall |consumer )*(?:rat(?:ing|ed|ings|e)|reviews?|satisfaction|scores?|feedback)"
)
STARS = r"[ -]*(?:out (?:of )?(?:5|five)(?:[ -]*stars?)?|of 5|/ ?5|stars?)"

# Expressions of each value; a price or rating in words also expresses the number that it stands for, and vice versa.
SAYINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "eatType": {
        "restaurant": ("restaurant", "bistro", "diner", "eatery", "dining", "food", "place"),
        "pub": (r"\bpubs?\b", r"\bbar\b"),
        "coffee shop": ("coffee", r"\bcafe\b"),
    },
    "food": {
        "Chinese": ("chinese",),
        "English": ("english", "british", "full breakfast"),
        "Fast food": ("fast[ -]*food", "burgers?", "junk food"),
        "French": ("french",),
        "Indian": ("indian", r"curr(?:y|ies)\b"),
        "Italian": ("italian", "pasta", "pizza"),
        "Japanese": ("japanese", "sushi"),
    },
    "priceRange": {
        "cheap": (
            "cheap",
            "inexpensive",
            "not expensive",
            "budget",
            "bargain",
            "low(?:er)?[ -]*(?:in )?(?:cost|price)",
            rf"price\w* {IS}low",
            rf"(?:less|lower|cheaper) than {POUNDS}20",
            rf"(?:under|below|up to|within) {POUNDS}20",
        ),
        "moderate": (
            rf"moderate(?:ly)?(?!{RATING})",
            "reasonabl",
            "affordabl",
            "mid[ -]*(?:range|price)",
            "average(?:ly)?[ -]*(?:cost|price)",
            rf"price\w* {IS}average",
            rf"20 ?(?:-|–|to|and|through) ?{POUNDS}25",
        ),
        "high": (
            "(?<!not )(?<!in)expensive",
            "pricey",
            "upscale",
            "high(?:er|ly)?[ -]*(?:end|cost|price|in price)",
            rf"price\w* {IS}high",
            rf"(?:more|higher|greater) than {POUNDS}30",
            rf"(?:over|above|from|start\w* (?:at|from)) {POUNDS}30",
            rf"{POUNDS}30 (?:and|or) (?:up|above|more|over|higher)",
        ),
    },
    "customer rating": {
        "low": (
            rf"low(?:ly|er|est)?{RATING}",
            rf"(?:poor|bad)(?:ly)?{RATING}",
            rf"not (?:very )?(?:well|highly){RATING}",
            rf"{RATING} {IS}(?:low|poor)",
            rf"\b(?:1|one)\b{STARS}",
            rf"{RATING} {IS}(?:1|one)\b(?:{STARS})?",
        ),
        "average": (
            rf"(?:average|moderate|decent|mediocre)(?:ly)?{RATING}",
            rf"{RATING} {IS}(?:average|moderate|decent)",
            rf"\b(?:3|three)\b{STARS}",
            rf"{RATING} {IS}(?:3|three)\b(?:{STARS})?",
        ),
        "high": (
            rf"(?<!not )(?:high(?:ly|er|est)?|excellent|great|good|well|top|outstanding|best){RATING}",
            rf"{RATING} {IS}(?:high|excellent|great|good)",
            "highly (?:recommend|prais|regard)",
            rf"\b(?:5|five)\b{STARS}",
            rf"{RATING} {IS}(?:5|five)\b(?:{STARS})?",
        ),
    },
    "area": {
        "city centre": (
            "(?:city|town|cities)'?s? cent(?:re|er)",
            "(?:in the|city) cent(?:re|er)",
            "cent(?:re|er) of (?:the )?(?:city|town)",
            "(?:middle|heart) of the city",
            "central(?:ly| city| location| area)",
            "downtown",
            "inner city",
        ),
        "riverside": (r"\briver", "waterside", "waterfront", "thames"),
    },
    "familyFriendly": {
        "no": (
            rf"(?:not?|n't|non|un|never|without|lacks?)[ -](?:\w+[ -]){{0,5}}?{CHILDREN}",
            rf"{CHILDREN}[ -](?:friendly )?(?:\w+ ){{0,3}}?(?:not?\b|unfriendly|free|are n)",
            r"adults?[ -]*(?:only|orient|establish|place|\b)",
            "unfriendly",
        ),
        "yes": (CHILDREN,),
    },
}
ALIKE = {
    "less than £20": "cheap", "£20-25": "moderate", "more than £30": "high",
    "1 out of 5": "low", "3 out of 5": "average", "5 out of 5": "high",
}  # fmt: skip
UNSAID = {"eatType": "restaurant"}  # true of every place that serves food, so never an error


class SlotErrorRate(ByItem):
    """(missing + wrong + added slots) / slots demanded, over the set (Wen et al., 2015), slots of E2E found by pattern.

    Names are matched literally and values by patterns of their usual expressions. This is approximate: to be read
    beside the references' own rate, which includes annotators' errors (8 % in E2E's dev set, 9 % in its test set).
    A demand has the form "slot[value]", the slot any text without brackets; `item` raises ValueError for any other.
    """

    name = "slot_error_rate"
    unit = "share"
    higher_is_better = False
    pooled = True
    of_demands = True
    beside_data = True
    sample = ("The Eagle is a cheap pub.", ("name[The Eagle]", "eatType[pub]", "priceRange[cheap]"))

    def item(self, text: str, references: Sequence[str]) -> float | None:
        return self.value(self.statistics(text, references))

    def statistics(self, text: str, references: Sequence[str]) -> list[float]:
        """[errors, slots demanded]"""
        demanded = dict(slot_and_value(demand) for demand in references)
        names = [plain(demanded.pop(slot)) for slot in ("name", "near") if slot in demanded]
        text = plain(text)
        errors = sum(name not in text for name in names)
        for name in names:
            text = text.replace(name, "")  # "The Golden Curry" is no statement about the food
        for slot, sayings in SAYINGS.items():
            wanted = demanded.pop(slot, None)
            errors += wrong(said(text, sayings), wanted and ALIKE.get(wanted, wanted), UNSAID.get(slot))
        return [float(errors + len(demanded)), float(len(references))]  # slots without patterns count as missing

    def value(self, sums: Sequence[float]) -> float | None:
        return sums[0] / sums[1] if sums[1] else None

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        return ""


def slots_of(meaning: str) -> tuple[str, ...]:
    """Every "slot[value]" of a meaning: names have neither commas nor brackets, and values no closing bracket."""
    return tuple(re.findall(r"[^\s,\[\]][^,\[\]]*\[[^\]]*\]", meaning))


def slot_and_value(demand: str) -> tuple[str, str]:
    """The two parts of "slot[value]", white space in them as single spaces. Raises ValueError for any other form."""
    found = re.fullmatch(r"([^\[\]]*[^\[\]\s][^\[\]]*)\[(.*)\]\s*", demand, re.DOTALL)
    if found is None:
        raise ValueError(f"{demand!r}: must have the form slot[value]")
    return " ".join(found[1].split()), " ".join(found[2].split())


def plain(text: str) -> str:
    """The text in lower case, without accents."""
    letters = unicodedata.normalize("NFKD", text.lower().replace("\u2019", "'"))
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())


def said(text: str, sayings: dict[str, tuple[str, ...]]) -> set[str]:
    """The values that a text gives a slot; the patterns of a value see only what earlier values have not matched."""
    found = set()
    for value, patterns in sayings.items():
        left = re.sub("|".join(patterns), " ", text)
        if left != text:
            found.add(value)
        text = left
    return found


def wrong(values: set[str], wanted: str | None, unsaid: str | None) -> int:
    """Errors in one slot, 0 or 1: the demanded value is missing, or another one is stated."""
    others = values - {wanted, unsaid}
    missing = wanted is not None and wanted not in values
    return int(missing or bool(others))

"""Where words end: the tokenizer of a language, as sacrebleu has it (Post, 2018)."""

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version

from sacrebleu.metrics.bleu import BLEU

PLAIN = "13a"  # of every language that is not in TOKENIZERS; other metrics than BLEU split its words at white space
TOKENIZERS = {
    "zh": ("zh", "zho", "chi", "cmn", "yue", "wuu", "nan", "hak", "gan", "hsn", "cdo", "lzh"),
    "ja-mecab": ("ja", "jpn"),
    "ko-mecab": ("ko", "kor"),
    "char": ("th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bur", "bo", "bod", "tib", "dz", "dzo"),
}
"""The languages of each tokenizer, by ISO 639; char takes every character for a word, where sacrebleu has no other."""

PACKAGES = {"ja-mecab": "sacrebleu[ja]", "ko-mecab": "sacrebleu[ko]"}  # that these need
UNSPACED = re.compile("[\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")
"""A letter of a script without spaces between words: Thai, Lao, Tibetan, Burmese; Khmer; kana; Han."""


def tokenizer_of(language: str) -> str:
    """The name of a language's tokenizer; of zh-TW and zho_Hans as of zh."""
    primary = re.split("[-_]", language.lower())[0]
    return next((name for name, languages in TOKENIZERS.items() if primary in languages), PLAIN)


def has_spaces(language: str) -> bool:
    """Whether white space separates the words of a language."""
    return tokenizer_of(language) in (PLAIN, "ko-mecab")


@lru_cache
def scorer(tokenizer: str, effective_order: bool = False) -> BLEU:
    """sacrebleu's BLEU, which holds the tokenizer. Raises ValueError where the tokenizer's package is missing."""
    try:
        return BLEU(tokenize=tokenizer, effective_order=effective_order)
    except RuntimeError:
        raise ValueError(f"needs the tokenizer {tokenizer}; pip install '{PACKAGES[tokenizer]}'") from None


class OfWords:
    """The shared part of metrics that look at words.  language: of the texts, which decides where their words end."""

    def __init__(self, language: str = "en"):
        self.language, self.tokenizer = language, tokenizer_of(language)

    def tokens(self, text: str) -> list[str]:
        """The words that BLEU sees."""
        return scorer(self.tokenizer).tokenizer(text.rstrip()).split()

    def words(self, text: str) -> list[str]:
        """The words between white space, or where the language has a tokenizer of its own, those that BLEU sees."""
        return text.split() if self.tokenizer == PLAIN else self.tokens(text)

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        return "" if self.tokenizer == PLAIN else self.tokenizer_signature()

    def tokenizer_signature(self) -> str:
        return f"tok:{scorer(self.tokenizer).tokenizer.signature()}|version:{version('sacrebleu')}"


def check_language(option: str, language: str, texts: Sequence[str]) -> None:
    """Raises ValueError where words of the language cannot be told apart, or not those of these texts.

    option: the setting that names the language, for the message.
    """
    tokenizer = tokenizer_of(language)
    try:
        scorer(tokenizer)
    except ValueError as error:
        raise ValueError(f"{option}={language}: {error}") from None
    letters = "".join(letter for letter in "".join(texts) if letter.isalpha())
    if tokenizer == PLAIN and 2 * len(UNSPACED.findall(letters)) > len(letters):
        raise ValueError(
            f"{option}={language}: most of the text is in a script without spaces between words, where metrics need "
            "the language's own tokenizer; name the language, such as zh, ja or th"
        )

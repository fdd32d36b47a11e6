"""What labels and questions say: cleaned of what no reader needs, and compared across languages."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

# The same labels stand at hundreds of variables.
_MANY = 50_000

# Labels that say that nobody answered, in lower case without accents or punctuation; some say two such things.
_NO_ANSWER = (
    # English
    "dk|dont know|don t know|do not know|not sure|cant choose|can t choose|cannot choose|no answer|na|nap|nav|iap|"
    "havent heard enough|have not heard enough|havent heard|refused|refused to answer|refusal|"
    "not applicable|inapplicable|not asked|not available|not stated|no response|missing|"
    # French, Spanish, Portuguese, Italian, Romanian, Catalan
    "ne sait pas|nsp|ne sais pas|je ne sais pas|sans reponse|pas de reponse|refus|refuse de repondre|sans objet|"
    "a refuse|a refuse de repondre|refuse|non applicable|non demande|ne peut determiner|"
    "nen a jamais entendu parler|nen a pas suffisamment entendu parler|"
    "no sabe|no se|ns|nc|ns nc|no contesta|no responde|sin respuesta|se niega|rehusa|no aplica|no aplicable|"
    "nao sabe|nao sei|nao respondeu|nao responde|nao se aplica|recusa|recusou|non sa|non so|non risponde|rifiuta|"
    "nu stie|nu stiu|nu raspunde|no ho sap|no contesta|"
    # German, Dutch, Danish, Norwegian, Swedish
    "weiss nicht|weis nicht|keine angabe|k a|verweigert|keine antwort|trifft nicht zu|nicht zutreffend|"
    "weet niet|weet ik niet|geen antwoord|weigert|niet van toepassing|ved ikke|vet ikke|vet ej|vet inte|ubesvart|"
    "ubesvaret|ej svar|inget svar|vill ej svara|onsker ikke a svare|uoplyst|"
    # Polish, Czech, Slovak, Slovene, Croatian, Serbian, Hungarian, Finnish, Estonian, Turkish, Indonesian, Vietnamese
    "nie wiem|trudno powiedziec|odmowa|brak odpowiedzi|nevi|nevim|neodpovedel|neviem|ne vem|ne ve|ne zna|ne znam|"
    "bez odgovora|brez odgovora|nem tudja|nt|nincs valasz|en osaa sanoa|ei osaa sanoa|"
    "ei vastausta|ei tea|ei oska oelda|"
    "bilmiyor|bilmiyorum|fikrim yok|cevap yok|yanitsiz|tidak tahu|tidak menjawab|tidak ada jawaban|khong biet|"
    # Russian, Ukrainian, Bulgarian, Greek, Arabic, Hebrew, Chinese, Japanese, Korean
    "не знаю|затрудняюсь ответить|затрудняюсь|нет ответа|отказ|отказ от ответа|не знает|"
    "важко сказати|немае відповіді|"
    "не знам|без отговор|δεν ξερω|δεν απαντω|δ α|δ ξ|لا اعرف|لا أعرف|لا ادري|رفض|بدون جواب|לא יודע|לא יודעת|סירב|"
    "不知道|不清楚|拒答|无回答|無回答|わからない|分からない|모름|모르겠다|무응답"
)
_NOBODY = re.compile(rf"(?:{_NO_ANSWER})(?: (?:or |ou |o |und |e |y |i |uncoded|{_NO_ANSWER}))*")
_OWN_CODE = re.compile(r"\(?(\d{1,9})\s*[.:)=\-–]+\s*(?=\D)")
_NUMERAL = re.compile(r"[\s.()\[\]{}:+\-–]*\d+(?:[.,]\d+)?[\s.()\[\]{}:+\-–]*")
# A questionnaire's number before, within or after a question: "Q12.", "V31:", "(Q12D)", "[Q5]".
_NUMBER_BEFORE = re.compile(r"^\s*[\[(]?[A-Za-z]{0,2}\d+[A-Za-z]?(?:[._]\d+)*[\])]?\s*[.:)\-–]+\s+")
_NUMBER_WITHIN = re.compile(r"\s*[\[(]Q\d+\w*[\])]")
_NUMBER_AFTER = re.compile(r"\s*[\[(]\s*[A-Za-z]{1,2}\d+\w*(?:[.\-]\d+)*\s*[\])]\s*$")

# Words that make the negative end of a scale, without accents.
_NEGATIVE = set(
    "no not non never none nobody nada nunca ninguno ninguna nao pas jamais aucun rien ne mai "
    "niente nessuno nu nimic "
    "nicht nie kein keine gar uberhaupt niet geen nooit helemaal ikke aldri ingen inte aldrig "
    "ej ei koskaan lainkaan nie "
    "wcale nigdy ne nikdy vubec nem egyaltalan soha hic asla degil tidak bukan khong не нет "
    "никогда совсем нисколько ні "
    "δεν καθολου ποτε οχι לא כלל אף לעולם ليس لا غير أبدا ابدا "
    "不 没 没有 沒有 非 ない 않는다 전혀 unwichtig disagree".split()
)
_NEGATING = (
    "des",
    "dis",
    "in",
    "im",
    "un",
    "non",
    "ill",
    "il",
    "ir",
    "не",
    "ne",
    "nie",
    "on",
    "u",
    "ej",
    "anti",
    "δια",
)
_KINDS = {
    frozenset({"male", "female"}): (
        "male man men hombre masculino varon homme masculin homem uomo maschio mann mannlich "
        "maennlich man mies mezczyzna "
        "muz muski moski ferfi erkek laki мужской мужчина муж чоловіча чоловік ανδρας αρρεν ذكر זכר 男 男性 남성 남자",
        "female woman women mujer femenino hembra femme feminin mulher feminino donna femmina "
        "frau weiblich vrouw kvinne "
        "kvinde kvinna nainen kobieta zena zenski zenska kadin perempuan женский женщина жен "
        "жіноча жінка γυναικα θηλυ "
        "أنثى انثى נקבה 女 女性 여성 여자",
    ),
    frozenset({"urban", "rural"}): (
        "urban urbano urbana urbain urbaine stadtisch stadt stedelijk miejski miasto mestske "
        "urbano kentsel kent город "
        "городской αστικη حضر 城市 都市 도시",
        "rural rurale landlich land landelijk wiejski wies venkov venkovske kirsal kir село "
        "сельский αγροτικη ريف 农村 農村 농촌",
    ),
}


@lru_cache(_MANY)
def plain(label: str) -> str:
    """Lower case without accents, apostrophes (mis-decoded ones too), braces' content or punctuation."""
    text = re.sub(r"\{.*?\}", "", label.lower()).replace("â€™", "").replace("'", "").replace("’", "").replace("´", "")
    text = "".join(each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each))
    return " ".join(re.sub(r"[\W_]+", " ", unicodedata.normalize("NFC", text).replace("ß", "ss")).split())


@lru_cache(_MANY)
def clean(text: str) -> str:
    r"""A text as a prompt may have it: one line, no control characters, no notes in braces.

    >>> clean("Upper secondary {ISCED 3}\x07")
    'Upper secondary'
    """
    text = re.sub(r"\{[^{}]*\}?", " ", text)
    return " ".join("".join(" " if unicodedata.category(each)[0] == "C" else each for each in text).split())


def clean_label(label: str, code: int) -> str:
    """A label without its own code before it; "" where it says no more than a number.

    >>> clean_label("3 - Not very much", 3), clean_label("3", 3), clean_label("18-24", 1)
    ('Not very much', '', '18-24')
    """
    text = clean(label)
    own = _OWN_CODE.match(text)
    text = text[own.end() :] if own and int(own[1]) == code else text
    return "" if _NUMERAL.fullmatch(text) or not re.search(r"\w", text) else text


def clean_question(question: str) -> str:
    """A question without the questionnaire's numbers.

    >>> clean_question("Q12. Trust in people (Q7)"), clean_question("Income (Q98) (in levels)")
    ('Trust in people', 'Income (in levels)')
    """
    text = clean(question)
    return _NUMBER_AFTER.sub("", _NUMBER_WITHIN.sub("", _NUMBER_BEFORE.sub("", text))).strip() or text


@lru_cache(_MANY)
def says_nothing(label: str) -> bool:
    """Whether a label says, in one of many languages, that there was no answer.

    >>> says_nothing("Ne sait pas"), says_nothing("Weiß nicht"), says_nothing("None at all")
    (True, True, False)
    """
    return _NOBODY.fullmatch(plain(label)) is not None


def direction(ours: Mapping[int, str], theirs: Mapping[int, str]) -> int:
    """Whether a file's labels run as ours do: 1 the same way, -1 the other, 0 where the ends do not tell.

    Both by our codes. Ends are compared as words, then by which of them is the negative one in its own language.
    """
    if len(ours) < 2:
        return 0
    low, high = min(ours), max(ours)
    mine, other = (
        tuple(plain(re.sub("['’]", " ", each.get(end, ""))) for end in (low, high)) for each in (ours, theirs)
    )
    if not all(other) or other[0] == other[1]:
        return 0
    if kind := _KINDS.get(frozenset(mine)):
        first, second = (set(words.split()) for words in kind)
        of_low, of_high = (_belongs(label, first, second) for label in other)
        return (of_low if mine[0] in first else -of_low) if of_low and of_low == -of_high else 0
    mine_sorted, other_sorted = (tuple(" ".join(sorted(end.split())) for end in ends) for ends in (mine, other))
    if mine_sorted == other_sorted:
        return 1
    if mine_sorted == other_sorted[::-1]:
        return -1
    return _negative_end(mine[0], mine[1]) * _negative_end(other[0], other[1])


def _belongs(label: str, first: set[str], second: set[str]) -> int:
    words = set(label.split())
    return bool(words & first) - bool(words & second)


def _negative_end(low: str, high: str) -> int:
    """-1 where the first of two ends is the negative one, 1 where the second is, 0 where neither or both are."""
    return int(_negates(high, low)) - int(_negates(low, high))


def _negates(label: str, other: str) -> bool:
    words, others = label.split(), other.split()
    if any(word in _NEGATIVE and word not in others for word in words):
        return True
    return any(
        word != base and len(base) > 3 and word.endswith(base) and word[: -len(base)] in _NEGATING
        for word in words
        for base in others
    )


def stems(text: str) -> set[str]:
    """The beginnings of a text's words, by which two wordings of one question are known as such."""
    return {word[:4] for word in plain(text).split() if len(word) > 2 and word not in _COMMON}


_COMMON = set("the and for you your are was has have how what which who respondent respondents highest level".split())

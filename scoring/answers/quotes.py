"""An option quoted in its own words, where an answer stands: alone in its sentence, or behind "it is" or "I have"."""

import re
from collections.abc import Sequence

from scoring.answers.claims import is_claimed, is_reported, sentence
from scoring.answers.cues import places_beside
from scoring.answers.mentions import CLOSE, QUOTED, bare, is_labelled
from scoring.answers.refusals import is_refusal

_MANY = 50  # quotations in a few thousand characters
_ADVERBS = (
    r"(?:definitely|clearly|absolutely|certainly|probably|obviously|sure|surely|of course|simply|just|well|hmm|ok|"
    r"okay|then|"
    r"personally|here|overall|and|but|so|rather|honestly|for me|to me|in my (?:opinion|view)|yes|no|the|a|an|"
    r"therefore|thus|"
    r"indeed|really|quite|still|actually|always|usually|i think|i believe|i guess|i feel|it|this|that)"
)
_ALONE = re.compile(rf"[\W_]*(?:{_ADVERBS}\b[\W_]*)*", re.I)
_CONTRASTED = re.compile(rf"\bnot\s+[\"'*_]*[{QUOTED}][\"'*_]*[\s,;.–—-]*(?:but\s+)?", re.I)
_COPULA = re.compile(
    r"(?:^|.*[\s,;:–—])(?:(?:[\w'’-]+\s+){1,6}(?:is|are|was|were|must be|must have been|has to be|have to be|would be|"
    r"remains?|means)|"
    rf"(?:it|that|there|what|here|who|he|she)'s)\s+(?:{_ADVERBS}\s+)*[\"'*_]*",
    re.I | re.S,
)
# "The person who was not comfortable was …"
_IDENTIFIED = re.compile(
    r"[\W_]*(?:(?:so|thus|therefore|hence)\W+)?the (?:person|one|individual|man|woman|student|character|candidate|"
    r"employee|suspect) (?:who|that|whose|with|to)\b[^.,;:!?]{1,150}\b(?:was|is|were|are|must be|must have been|"
    r"has to be)"
    r"\s+[\"'*_]*",
    re.I,
)
_PAST_SELF = re.compile(r"\b(?:I|we|you|they)\s+(?:was|were|had|used)\b", re.I)
_SPEAKER = re.compile(
    rf"(?:[\W_]*|.*[,;:–—]\s*)(?:I(?:'d| would)? (?:say|think|guess|believe|suppose)\s+(?:that\s+)?)?(?:I|we)(?:'m|"
    rf"'ve|'d)?(?:\s+(?:am|have|feel|do|would|tend to|respectfully|mostly|have to|must|trust(?:\s+\w+){{0,3}}|care|"
    rf"worry|agree|"
    rf"(?:find|consider|call)\s+(?:it|this|that|them)|{_ADVERBS}))*\s+[\"'*_]*",
    re.I | re.S,
)
_ENDED = re.compile(
    rf"{CLOSE}\s*(?:[.!,;:。、()\n–—-]|/\s*\d|$|(?:because|since|as|it|this|that|who|which|whether|if|how|here|out of|"
    rf"(?:from|based on|given|by|with) (?:the|this|that|what)|without|on|is (?:given|provided|available)|"
    rf"these days|nowadays|"
    rf"at the moment|right now|currently|to me|for me|"
    rf"in my|with|about|at|of|to "
    r"(?:tell|say|know|answer|decide|determine|conclude))\b)",
    re.I,
)
_SUBJECT = re.compile(
    rf"{CLOSE}\s+(?:is|was|were|are|must be|must have been)\s+(?:the\s+(?:\w+\s+)?(?:one|person|individual|answer|man|"
    rf"woman)|correct|right)\b",
    re.I,
)
_DESCRIBED = re.compile(
    rf"{CLOSE}\s+(?:is|was|were|are|must be|must have been)\s+the\s+(?:one|person|individual|man|woman|student)\s+"
    r"(?:who|that|whose|with)\b[^.!?;]{0,200}[.!]*\s*",
    re.I,
)
# "I would never answer that" says nothing of how often.
_DECLINED = re.compile(r"\s+(?:answer|say|choose|pick|assume|judge|respond|tell|guess)\b", re.I)
_ELLIPSIS = re.compile(rf"{CLOSE}\s+(?:is|was|were|are|did|does|do)\s*[.!]?\s*$", re.I)


def quoted_options(text: str, options: Sequence[str]) -> frozenset[int]:
    """The places of the options whose words answer; a bare number may count anything, and who declines quotes only."""
    if is_refusal(text) or len({each for each in text if each >= "\ue000" and is_labelled(each)}) > 1:
        return frozenset()
    found = set()
    mentions = list(re.finditer(f"[{QUOTED}]", text))
    for match in mentions if len(mentions) <= _MANY else ():
        place = ord(match.group()) & 0xFF
        if bare(options[place]).isdigit() and match.start() > 0:
            continue
        if _DECLINED.match(text, match.end()):
            continue
        if _is_turned(text, match, options):
            continue
        if _is_identified(text, match.start(), match.end()) or is_claimed(
            text, match.start(), match.end(), strict=True
        ):
            found |= {(place, _answers(text, match.start(), match.end()))}
            found |= {(other, True) for other in places_beside(text[match.end() :], len(options))}
    # Another option that is claimed in passing leaves the answer open.
    places = frozenset(place for place, _ in found)
    return places if any(answers for _, answers in found) else frozenset()


def _is_turned(text: str, mention: re.Match[str], options: Sequence[str]) -> bool:
    """Whether the sentence turns an option's words into another's: "I disagree strongly" is not "Disagree"."""
    first, last = sentence(text, mention.start(), mention.end())
    said = set(re.findall(r"\w+", text[first:last].casefold()))
    own = set(bare(options[ord(mention.group()) & 0xFF]).split())
    others = (set(bare(option).split()) for option in options)
    return any(own < other and other - own <= said for other in others)


def _is_identified(text: str, start: int, end: int) -> bool:
    """Whether a sentence says whom or what a description fits; a negation within that description denies nothing."""
    first, last = sentence(text, start, end)
    ends = re.fullmatch(rf"{CLOSE}\s*[.!]*\s*", text[end:last]) is not None
    if _ALONE.fullmatch(text[first:start]) and _DESCRIBED.fullmatch(text[end:last]):
        return not is_reported(text[end:last])
    return ends and _IDENTIFIED.fullmatch(text[first:start]) is not None and not is_reported(text[first:start])


def _answers(text: str, start: int, end: int) -> bool:
    """Whether a mention stands where an answer does."""
    first, last = sentence(text, start, end)
    before, after = _CONTRASTED.sub("", text[first:start]), text[end:last]
    clause = re.split(r"[,;:–—]|\b(?:but|so|though|although|while|because|since|therefore|thus|hence)\b", before)[-1]
    alone = bool(_ALONE.fullmatch(clause))
    if _is_identified(text, start, end):
        return True
    if alone and (_SUBJECT.match(after) or (_ELLIPSIS.match(after) and _ALONE.fullmatch(text[:start]))):
        return True
    if _PAST_SELF.search(before):
        return False
    return bool(_SPEAKER.fullmatch(before) or (_ENDED.match(after) and (alone or _COPULA.fullmatch(before))))

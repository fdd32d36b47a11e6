"""Whether a text claims what it mentions: a negation, hearsay, a condition or a question chooses nothing.

A reader would rather leave a claim unread than take a mention for one, so these lists are wide.
"""

import re

from scoring.answers.mentions import CLOSE, QUOTED

_REACH = 400  # characters to either side of a mention; every word there may be looked at from every other
_SENTENCE = re.compile(r"[.!?]+(?=[\s\"')\]*_]|$)|[。!?;\n]")
# Where a new statement starts within a sentence.
_CLAUSE = re.compile(
    rf"(?:rather than|instead of)\s+(?:\w+\s+)?(?:[A-Z]|[{QUOTED}]),?\s+(?=(?:I|we|it)\b)|"
    r"[;:–—,、،]|\s-+\s|\.\.+|"
    r"(?<!anyone )(?<!anything )(?<!anybody )(?<!any )(?<!all )(?<!everyone )"
    r"(?<!everything )(?<!nobody )(?<!nothing )(?<!even )"
    r"\b(?:but|so(?! that)|therefore|thus|hence|however|instead(?! of)|though|although|yet|while|"
    r"whereas|because|since|leaving|leaves|then|must be|sondern|aber|also|daher|sino|pero|mais|donc|mas|ma|"
    r"quindi|portanto|но)\b|而是|所以|因此|但是?|ので|だから|しかし|아니라|그래서|따라서|لذلك|بل|ではなく|じゃなく|(?<=\s)а\s",
    re.I,
)
_NEGATION = re.compile(
    r"(?<!\bif )\bnot\b|n't\b|\bcannot\b|\bnever\b|\bneither\b|\bnor\b|\bno\b(?! (?:doubt|question))|"
    r"\bnone\b|\bnobody\b|"
    r"\bnothing\b|\bhardly\b|\bwithout\b(?! (?:a |any )?doubt)|\bunlike\b|\bexcept\b|\bexclud\w+|\brul\w+ out\b|"
    r"(?<!by )\beliminat\w+|\bdiscard\w*|"
    r"\breject\w*|\bavoid\w*|\bdismiss\w*|\bfar from\b|\b(?:any\w*|all|every\w*|nobody|nothing) but\b|\brather than\b|"
    r"\binstead of\b|\bover\b|\bthan\b|"
    r"\bversus\b|\bvs\b|\bagainst\b|(?<!no )(?<!out )(?<!out a )(?<!out any )\bdoubt\w*|\bden(?:y|ies|ied)\b|"
    r"\bdisagree\w*|\brefus\w+|\bwrong\w*|\bincorrect\w*|"
    r"\bfalse\b|\bfalsely\b|\buntrue\b|\bcontrary\b|\bunlikely\b|\bimpossible\b|\bworst\b|\bleast (?:likely|plausible|"
    r"correct|appropriate|accurate)\b|\bopposite\b|\bother than\b|\bnicht\b|\bkein\w*|\bweder\b|\bpas\b|\bnon\b|"
    r"\bnão\b|\bnem\b|\bniet\b|\bgeen\b|\binte\b|\bikke\b|\bnie\b|\bне\b|\bни\b|不|别|別|非|没|沒|لا|ليس|ليست|bukan|değil|"
    r"नहीं",
    re.I,
)
# "Wrong answer: A", "Your choice = B"
_BAD_ANSWER = re.compile(
    rf"(?:[{QUOTED}]'s|\b(?:incorrect|wrong|worst|bad|false|poor|least(?: \w+)?|(?:un|il)\w+|biased|stereotyp\w+|"
    rf"prejudiced|racist|"
    r"sexist|"
    r"rejected|eliminated|excluded|other|second|example|sample|previous|your|his|her|their))\s+"
    r"(?:answers?|choices?|options?|picks?|responses?|sentences?|statements?)[\"'*_)\]\s]*[:=–—-][\s\"'*_(\[]*$",
    re.I,
)
# "A is a stereotype; so is B", "any day but Friday"
_SET_ASIDE = re.compile(
    r"\b(?:(?:so|neither|nor) (?:is|are|was|were|do|does|did)|(?:any\w*|every\w*|all|none|no|nobody|"
    r"nothing)(?: \w+){0,2} but)\s+"
    r"[\"'*_(\[]*$",
    re.I,
)
# "B, according to superstition"
_ASCRIBED = re.compile(
    rf"^{CLOSE}\s*,?\s*(?:according to (?!(?:the|this) (?:text|passage|context|story|information|article|scenario|"
    r"description|question)|my\b|me\b|what\b)|(?:some|many|most)(?: people)? (?:would |might )?(?:say|think|believe))",
    re.I,
)
_NEGATED_AFTER = re.compile(
    rf"^{CLOSE}\s*(?:(?:는|은|이|가|を|は|が)\s*)?(?:아니|아닙|아닌|ではな|じゃな|でな|ではありません|ではない|不对|不對|不是|是错|是錯|错|değil|नहीं|"
    r"ist falsch|ist nicht|est faux|n'est pas|es falso|no es|não é|è sbagliat|non è|неверн|неправильн|не\b)",
    re.I,
)
_REJECTED = re.compile(
    rf"^{CLOSE}[.:]?\s*(?:,\s*which\s+)?(?:(?:is|are|was|were|seems?|sounds?|looks?|would be|could be|can be|may be|"
    rf"might be|"
    r"appears? to be)\s+(?:also\s+|clearly\s+|just\s+|only\s+|simply\s+|obviously\s+|probably\s+|(?:far\s+)?too\s+)*"
    r"(?:not\b|n't|never\b|incorrect|wrong|false|untrue|inaccurate|unlikely|implausible|improbable|impossible|out\b|"
    r"less\b|"
    r"ruled|eliminated|excluded|tempting|misleading|irrelevant|an?\s+(?:\w+\s+)?(?:myth|trap|mistake|error|distractor|"
    r"stereotype|superstition|speculation|misconception|fallacy|lie|red herring|wrong|bad|poor|weak|common|"
    r"tempting)\b|the\s+(?:wrong|worst|"
    r"least|"
    r"incorrect|opposite|trap|distractor|stereotyp\w+)|(?:what|the (?:one|option|answer|choice))\b[^.,;:!?\n]{0,40}"
    r"\b(?:rule out|avoid|exclude|reject|eliminate|discard|never)\b)|isn't|wasn't|aren't|cannot|can't|couldn't|won't|"
    r"would not|"
    r"wouldn't|"
    r"does not|doesn't|did not|didn't|do not|don't|never\b|has not|hasn't|had not|hadn't|should not|shouldn't)",
    re.I,
)
_SELF = re.compile(
    r"\b(?:i|we|let's|let (?:me|us)|like (?:me|myself|us)|in my (?:position|place|shoes|"
    r"situation))\b(?:,[^.;!?\n]{1,60},)?(?:'d|'ll|'m|'ve)?(?:\s+(?:would|will|do|must|can|should|"
    r"have to|had to|am|also|"
    r"personally|really|still|now|therefore|thus|strongly|firmly|honestly|definitely|certainly|probably|'d))*\s+$",
    re.I,
)
_ATTITUDE = re.compile(
    r"\b(?:say|says|said|saying|think|thinks|(?<!second )thought|thinking|believ\w+|claim\w*|argu\w+|assum\w+|"
    r"suggest\w*|insist\w*|"
    r"(?<!to )(?:told|tells?|telling)|guess\w*|suppos\w+|pretend\w*|impl(?:y|ies|ied)|consider\w*|expect\w*|"
    r"suspect\w*|feels?|"
    r"find|finds|prefer\w*|choos\w+|chose|(?<!my )(?<!my top )pick(?:s|ed|ing)?|select(?:s|ed|ing)?|answers|answered|"
    r"mention\w*|"
    r"hope\w*|wish\w*|fear\w*|wonder\w*|ask(?:s|ed|ing)?|heard|agree[sd]?|sagen|sagt|denken|glauben|meinen|würden|"
    r"dicen|dirían|"
    r"diría(?=\s+que)|piensan|creen|disent|pensent|diraient|dizem|diriam|pensam|dicono|direbbero|pensano|говорят|"
    r"считают|думают|сказал\w*|یقول|يقول|يظن|believes)\b|有人|有些人|人们|人們|很多人|大家|と言う人|という人|사람들",
    re.I,
)
_HEARSAY = re.compile(
    r"\baccording to\b|\bstereotyp\w*|\bmisconception|\bmyth\b|\bmistak\w+|\btrap\b|\bcommon(?:ly)?\b|\bfolklore\b|"
    r"\btempt\w*|\bat first\b|\bchance\b|\bprobability\b|\bodds\b|\blies?\b|\blegend|\bsuperstiti\w+|\brumou?rs?\b|"
    r"\bnonsense\b|\bprejudic\w+|\bcliché\w*|\bunfair\b|\babsurd\b|\bridiculous\b|\b(?:idea|notion|belief|saying|"
    r"tale) that\b|"
    r"\binitial(?:ly)?\b|\boriginally\b|\bused to\b|\balmost\b|\bnearly\b|\bfirst (?:instinct|thought|guess|"
    r"impression)|"
    r"\bsecond (?:choice|best|guess)|\brunner-up|\bwhether\b|\bhypothetical\w*|\bsuppose\b|\bsupposing\b|\bimagine\b|"
    r"\botherwise\b|\bin theory\b|\bfor example\b|\be\.g\.|\bsuch as\b|\b(?:his|her|their|your|whose|"
    r"someone's)\s+(?:\w+\s+)?"
    r"(?:answer|choice|option|pick|response|view|opinion|guess)|\b(?!here's|that's|it's|what's|let's|there's|"
    r"today's)\w+'s\s+"
    r"(?:answer|choice|option|pick|response|view|opinion|guess)|\b(?:another|alternative|possible|popular|tempting|"
    r"common|"
    r"naive|expected|usual|typical|frequent|conventional|stereotypical|other|some|many|most) (?:answers?|choices?|"
    r"options?|people|respondents|women|"
    r"men)\b|"
    r"\bmight\b|\bcould\b|\bmay\b(?! \d)|\bformer(?:ly)?\b|\bno longer\b|\bexample\b|\bvielleicht\b|\bpeut-être\b|"
    r"\bquizás?\b|\btalvez\b|"
    r"\bforse\b|\bможет\b|可能|かもしれ|아마|ربما",
    re.I,
)
_CONDITION = re.compile(
    r"\b(?:if|unless|provided|assuming|in case|wenn|falls|если)\b|(?:^|[,;]\s*)(?:si|se)\b|"
    r"(?:^|[,;])\s*had (?:i|we)\b|\b(?:had|were|should) (?:she|he|they|it|the|that|this)\b|\bwhen\b.*\bwould\b|"
    r"如果|要是|"
    r"假如|もし|만약|إذا|لو\b",
    re.I,
)
_CONDITION_BEHIND = re.compile(
    r"\b(?:if|unless|provided|in case|had|only (?:if|when|for|in)|as long as|wenn|falls|si|se|если)\b", re.I
)
_MODAL = re.compile(r"\b(?:would|could|might|wäre|würde|serait|sería|seria|sarebbe)\b|'d\b", re.I)
_OWN_CONDITION = re.compile(
    r"\bif (?:i|we)(?:'m| am| was| were| had| have| must| really)?\s*(?:absolutely |really )?(?:(?:to|had to|have to|"
    r"must|were to|"
    r"be|being)\s+)*(?:choose|pick|guess|answer|say|decide|select|forced|pressed|honest|respond|commit|"
    r"be honest)\b[^,.;]*|"
    r"\bif (?:forced|pressed|pushed|anything|asked|you ask me|i may|necessary|required)\b[^,.;]*|\bas if\b|\beven if\b|"
    r"\bwhen (?:i|we)\b[^,.;]*|\bwhen asked\b|\bif not\b[^,.;]*",
    re.I,
)
_NEGATED_VIEW = re.compile(
    r"(?:n't|not|never|cannot|hardly)\s+(?:\w+\s+)?(?:think|believe|say|agree|mean|suggest|claim|accept|feel)\b", re.I
)
_SPEAKERS_COMMA = re.compile(r"\b(?:say|says|said|think|thinks|thought|believe|believes|claim|claims)\s*$", re.I)
_GROUND = re.compile(
    r"\W*(?:based on|given|considering|since|as|because|looking at|all things considered|in light of|from|in|with|"
    r"without|by|after|for|according to the (?:text|passage|context|story|information))\b",
    re.I,
)
_OTHERS = re.compile(
    r"\b(?:some|many|most|people|others|they|he|she|everyone|everybody|anyone|my|his|her|their|stereotyp\w*)\b", re.I
)
# "A or " before the mention.
_ALTERNATIVE = re.compile(
    rf"(?:[A-Z]|[{QUOTED}])[\"'`*_)\]]{{0,3}}\s*(?:,?\s*\b(?:or|and|oder|und|ou|et|o|y|e|и|или)|か|や|と|或者?|和|또는|나|와|과|"
    rf"/|&)\s*"
    r"[\"'`*_(\[]{0,3}$"
)
# Of whom a scale's words may be said who is not the speaker.
_SOMEBODY = re.compile(
    r"\b(?:others?|some|many|most|people|everyone|everybody|they|she|he|(?:my|his|her|their) (?:mother|father|mum|mom|"
    r"dad|"
    r"parents?|wife|husband|partner|son|daughter|brother|sister|friends?|neighbou?rs?|boss|colleagues?|children|kids|"
    r"grand\w+|uncle|aunt|cousins?|teachers?))\b",
    re.I,
)
# "Select A", "Selected: A" have the reader or nobody for a subject.
_IMPERATIVE = re.compile(
    r"\W*(?:(?:so|then|therefore|thus|final|finally)\W+)?(?:choos(?:e|ing)|(?:pick|select)(?:ed|ing)?)", re.I
)
# What a mention's own ground or an unknown is said with is no denial and nobody else's view.
_GROUND_BEHIND = re.compile(
    r"\b(?:because|since)\b.*|^\s*(?:whether|if|who|which|how)\b.*|"
    r"\baccording to (?:the|this) (?:text|passage|context|story|information|article|scenario|"
    r"description)\b|\bto (?:tell|say|know|answer|decide|determine|conclude|identify|judge)\b"
    r"(?=\W|$)(?!\s+(?:that|it|this|he|she|they)\b).*|\bwithout (?:more|further|additional|any)\b.*",
    re.I | re.S,
)
# "not X" beside the mention contrasts it with another option.
_CONTRAST = re.compile(
    rf"[,;]?\s*(?:and |but )?(?:not|rather than|instead of)\s+(?:\w+\s+)?[\"'*_(]*(?:[{QUOTED}]|[A-Z]\b)", re.I
)


# "not X, Y or Z" denies all three.
_LISTED_BEFORE = re.compile(
    rf"(?:(?:[A-Z]|[{QUOTED}])[\"'`*_)\]]{{0,3}}\s?[,、]\s?[\"'`*_(\[]{{0,3}}){{1,9}}(?:(?:or|nor)\s[\"'`*_(\[]{{0,3}})?$"
)
_LISTED_AFTER = re.compile(
    rf"^[\"'`*_)\]]{{0,3}}(?:\s?[,、]\s?[\"'`*_(\[]{{0,3}}(?:[A-Z]|[{QUOTED}])[\"'`*_)\]]{{0,3}}){{0,9}}\s?,?\s(?:or|nor)\s"
    rf"[\"'`*_(\[]{{0,3}}(?:[A-Z]\b|[{QUOTED}])"
)


# "Grade: B" and "Vitamin: D" name something else by a letter.
_NAMED = re.compile(
    r"\b(?:grades?|score|mark|ratings?|class|section|group|type|plan|vitamins?|hepatitis|exhibit|figure|table|appendix|"
    r"format|example|instance|sample|like this|note|hint|row|column|part|level|team|blood|room|gate|platform|speaker|"
    r"person|player|user|options|choices|letters)\W*$",
    re.I,
)
_SILENCE = re.compile(
    r"\b(?:text|passage|context|story|it)\s+(?:(?:doesn't|does not|didn't|did not)\s+\w+|never\s+\w+s)\b", re.I
)
_TURNED = re.compile(r"\b(?:but|however|still|nevertheless|that said)\b|;|→|->|=>", re.I)


def sentence(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the sentence around a mention begins and ends, its closing mark included."""
    begins = max(0, start - _REACH)
    for boundary in _SENTENCE.finditer(text, begins, start):
        begins = boundary.end()
    following = _SENTENCE.search(text, end, end + _REACH)
    return begins, following.end() if following else min(len(text), end + _REACH)


def is_claimed(text: str, start: int, end: int, *, strict: bool = False) -> bool:
    """Whether the sentence around a mention states it; `strict` asks it of the words behind the mention too."""
    first, last = sentence(text, start, end)
    before, after = text[first:start], text[end:last]
    if _LISTED_AFTER.match(after) and (listed := _LISTED_BEFORE.search(before)):
        before = before[: listed.start()]
    if (
        _ALTERNATIVE.search(before)
        or _BAD_ANSWER.search(before)
        or _SET_ASIDE.search(before)
        or _ASCRIBED.match(after)
        or _REJECTED.match(after)
        or _NEGATED_AFTER.match(after)
        or after.rstrip(" \"')]*_").endswith("?")
    ):
        return False
    breaks = list(_CLAUSE.finditer(before))
    clause = before[breaks[-1].end() :] if breaks else before
    if _NEGATION.search(clause) or is_reported(before, len(before) - len(clause)) or _is_conditional(before, after):
        return False
    if breaks and breaks[-1].group() in ",、،" and _NEGATED_VIEW.search(before):
        return False
    if is_reported(before, 0) and not _ends_hearsay(before, breaks, clause):
        return False
    return not strict or not (
        _SOMEBODY.search(clause)
        or is_reported(ground := _GROUND_BEHIND.sub("", after), 0)
        or _NEGATION.search(_CONTRAST.sub("", ground))
    )


def is_rejected(after: str) -> bool:
    """Whether the words behind a mention say that it is wrong."""
    return bool(_REJECTED.match(after))


def leads_to_answer(text: str, end: int) -> bool:
    """Whether the statement that a colon or an arrow ends at `end` introduces the speaker's own answer."""
    first, _ = sentence(text, end, end)
    words = _TURNED.split(text[first:end])[-1]
    own = _SILENCE.sub("", _OWN_CONDITION.sub("", words))
    if (
        _CONDITION.search(own)
        or is_reported(own, 0)
        or _SOMEBODY.search(own)
        or _NAMED.search(own)
        or _BAD_ANSWER.search(own + ":")
    ):
        return False
    return not _NEGATION.search(own) if text[end] == ":" else bool(re.search(r"(?<!\bnot)(?<=\w\w)\W*$", own, re.I))


def is_reported(words: str, begin: int = 0) -> bool:
    """Whether somebody else says, thinks or chooses from `begin` on; "I say" is the speaker's own."""
    if _HEARSAY.search(words, begin):
        return True
    return any(
        not _SELF.search(words[max(0, verb.start() - 120) : verb.start()])
        and not _IMPERATIVE.fullmatch(words[: verb.end()])
        for verb in _ATTITUDE.finditer(words, begin)
    )


def _ends_hearsay(before: str, breaks: list[re.Match[str]], clause: str) -> bool:
    """Whether the report of what others say is over.

    By a contrast or a conclusion; by a comma, where the speaker goes on as "I" or only gave a ground ("Based on what
    the text says, …").
    """
    if any(mark.group().strip(" ,:–—、،-.") for mark in breaks):
        return True
    if not breaks or breaks[-1].group() not in ",、،":
        return False
    said = before[: breaks[-1].start()]
    return bool(re.search(r"\b(?:I|we)\b", clause) and not _SPEAKERS_COMMA.search(said)) or bool(
        _GROUND.match(said) and not _OTHERS.search(said)
    )


def _is_conditional(before: str, after: str) -> bool:
    """Whether the statement holds under a condition only; "if I had to choose" is none."""
    own, behind = _OWN_CONDITION.sub("", before), _OWN_CONDITION.sub("", after)
    if _CONDITION.search(own):
        return True
    if re.match(rf"{CLOSE}[\s,.–—-]*(?:but )?(?:only )?(?:if|unless)\b", behind, re.I):
        return True
    # "The answer would be B there, but here …"
    if re.search(r"\bwould be\s*\W*$", before, re.I) and re.search(r"\bbut\b", behind, re.I):
        return True
    condition = _CONDITION_BEHIND.search(behind)
    return condition is not None and (
        bool(_MODAL.search(before)) or not re.search(r"[,.;:]", behind[: condition.start()])
    )

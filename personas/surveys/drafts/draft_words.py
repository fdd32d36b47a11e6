"""The words by which a file's questions and labels are recognised.

They are English, and some are in the other languages in which surveys are published.
"""

import re

from personas.traits import DONT_KNOW, NO_ANSWER, NOT_APPLICABLE, NOT_ASKED

IDS = "respno respondent_id respondentid respid resp_id idno id caseid case_id uniqid d_interview uuid serial".split()
COUNTRIES = "country_alpha b_country_alpha iso3 cntry_an cntry country c_alphan c_abrv country_code pays pais".split()
WEIGHTS = "anweight pspwght withinwt_hh withinwt_ea withinwt wtssps wtssall weight w_weight wgt wt gwght".split()
REGIONS = "region n_region_iso reg_iso province state".split()

# What a trait's question says: by its name or by its words, and what it must not say.
AGE = re.compile(
    r"^age$|^agea$|^(edad|idade|âge)\b|\bage\b(?! (group|at|when|of (the )?(child|oldest|youngest|household|spouse)))",
    re.I,
)
GENDER = re.compile(r"^sex$|^gender$|^gndr$|\b(sex|gender|sexe|sexo|g[eé]nero|geschlecht)\b", re.I)
PLACE = re.compile(
    r"^urb(an)?_?rur(al)?$|\burba(n|in|no|na)\b.*\brural\b|\brural\b.*\burba(n|in|no|na)\b|\bdomicile\b", re.I
)
EDUCATION = re.compile(
    r"\b(education|schooling|educational|diplom\w*|degree|instruction|scolarit[eé]|[eé]tudes|enseignement|estudios"
    r"|instrucci[oó]n|escolaridad\w*|educaci[oó]n|educa[cç][aã]o|instru[cç][aã]o|bildung\w*|schulabschluss)\b",
    re.I,
)
RELIGION = re.compile(
    r"\b(denomination|religion of|your religion|religious belonging|confession|religious preference"
    r"|religion du|votre religion|religi[oó]n|religi[aã]o|konfession)\b|^relig(ion)?$",
    re.I,
)
BORN_HERE = re.compile(r"\bborn in (this |the )?(country|nation)\b", re.I)
OF_OTHERS = re.compile(
    r"\b(mother|father|spouse|partner|interviewer|parents?|interpreter|household head"
    r"|(this|previous) interview|entretien|enqu[eê]teur|entrevistador|entrevista|m[eè]re|p[eè]re|madre|padre|m[aã]e"
    r"|pai)\b",
    re.I,
)

# The first that a label says decides; codes of the catalogue.
_EDUCATION = {
    r"informal|no formal|never|illiterate|isced 0|^none$|no (education|schooling)|(less than|some) primary"
    r"|^(aucune?|ningun[oa]|nenhuma?)\b|pas d.(enseignement|instruction)|informel|coranique|analfab"
    r"|sin (estudios|instrucci|educaci)"
    r"|sem (instru|escol|estud|educa)|(primaire|primari[ao]|prim[aá]ri[ao]|fundamental).*(inachev|incomplet)"
    r"|(?<!post.)primary.*(incomplete|not complete)|incomplete primary": 0,
    r"(?<!post.)primary|elementary|isced 1|primaire|primari[ao]|prim[aá]ri[ao]|fundamental": 1,
    r"doctor|doutor|\bphd\b|isced 8": 8,
    r"post.?graduate|master|isced 7|post.?universit|ma[iî]trise|maestr[ií]a|mestrado|p[oó]s.?gr?ad": 7,
    r"\b(some|incomplete) college\b|\bcollege\b.*\b(no degree|incomplete|not complete)": 4,
    r"some university|universit.*(inachev|incomplet)|superior incomplet|post.?secondaire|tecn[oó]log"
    r"|t[eé]cnic[oa] superior|superior t[eé]cnic"
    r"|(post.?secondary|technical|vocational).*(not university|other than university|diploma)": 5,
    r"short.?cycle|associate|junior college|isced 5": 5,
    r"university|bachelor|\bba\b|graduate degree|licence|isced 6|college|tertiary|universit|licenci|superior": 6,
    r"post.?secondary|isced 4": 4,
    r"(some|intermediate|incomplete|middle|junior|lower|less than).*(secondary|school)|isced 2": 2,
    r"(secondary|school).*(not complete|incomplete|without)": 2,
    r"(secondaire|lyc[eé]e|secund[aá]ri[ao]|bachiller|\bm[eé]di[oa]\b).*(inachev|incomplet)|coll[eè]ge": 2,
    r"secondary|high school|isced 3|\bbac\b|secondaire"
    r"|lyc[eé]e|secund[aá]ri[ao]|bachiller|\bm[eé]di[oa]\b|baccalaur": 3,
}
_RELIGION = {
    r"^none$|no religion|not religious|\bat(heist|h[eé]e|eo|eu)s?\b|agn[oó]sti|no denomination|does not belong"
    r"|^(aucune?|ningun[oa]|nenhuma?)\b|(sans|sin|sem) relig|konfessionslos": 0,
    r"jew|juif|jud[ií]|jude[ui]|j[uü]disch": 4,
    r"orthodox|ortodox|copt": 3,
    r"catholi|cat[oó]lic|katholi": 1,
    r"protestant|anglican|luth[eé]r|m[eé]todist|m[eé]thodist|presb[yi]t[eé]r|baptist|bautist|batist|evang[eé]l"
    r"|pentec|adventist|calvinist|mennonit|quaker|reformed|r[eé]form[eé]e|dutch ref": 2,
    r"muslim|islam|musulm|mu[cç]ulm|sunni|shi.?a|chiit|isma[eé][el]|sufi|tidjan|tijani|mourid|hamadiya|qadiri": 5,
    r"hind[uúo]": 6,
    r"b(u|ou)dd?h|budis": 7,
    r"christian|chr[eé]tien|cristi?[aã]|j[eé]hov|jeov|mormon|m[oó]rmon|independent|ind[eé]pendant|apostolic|zion|sionist"
    r"|salvation|church|[eé]glise|iglesia|igreja|christlich": 8,
    r"tradition|ethnic|baha.?[ií]|sikh|tao|shinto|other|autre|otr[oa]|outr[oa]|andere": 9,
}
EDUCATION_LABELS = {re.compile(pattern, re.I): code for pattern, code in _EDUCATION.items()}
RELIGION_LABELS = {re.compile(pattern, re.I): code for pattern, code in _RELIGION.items()}
RURAL = re.compile(r"\b(rural|rurale|village|farm|countryside|landlich|campo)\b", re.I)
URBAN = re.compile(
    r"\b(urban[oa]?|urbaine?|ciudad|cidade|ville|stadt|city|cities|town|suburb\w*|peri.?urban|semi.?urban)\b", re.I
)
YES = re.compile(r"^\s*(yes|oui|si|sí|sim|ja)\b", re.I)
NO = re.compile(r"^\s*(no|non|não|nein)\b", re.I)

# Why there was no answer, by a label's words.
REASONS = {
    re.compile(r"know|sure|choose|sabe|sai[st]|weiss|wei|\bdk\b|nsp|\bns\b", re.I): DONT_KNOW,
    re.compile(r"not asked|non demand|non pos|skipped|not available", re.I): NOT_ASKED,
    re.compile(r"applic|trifft|\bnap\b|\biap\b|sans objet", re.I): NOT_APPLICABLE,
    re.compile(r"", re.I): NO_ANSWER,
}

# What is no respondent's answer: the sample, the fieldwork, the interviewer.
TECHNICAL = re.compile(
    r"interview|enumerat|sampl|\bweights?\b|\bpsu\b|stratum|primary sampling|\bdate\b|household (number|id)|\bgps\b|"
    r"^nocall|unsuccessful|infructueu|enqu[eê]t|entretien|entrevistador|entrevista|pond[eé]r|"
    r"\b(respondent|r[eé]pondant) (was )?(friendly|interested|cooperative|patient|at ease|comfortable|honest|sympa|"
    r"int[eé]ress[eé]|coop[eé]ratif|confortable|honn[eê]te)|"
    r"questionnaire|record number|respondent number|fieldwork|field number|supervisor|language used|back.?check|"
    r"callback|\bEA\b|enumeration|region|province|district|country|other.?specify|verbatim|version|edition|\bdoi\b",
    re.I,
)
# The domain of a question; the first that fits.
DOMAINS = {
    "corruption": r"corrupt|brib",
    "migration": r"migra|immigra|foreign workers|refugee|asylum|nationals of other",
    "security": r"crime|secur|safe|violen|terror|fear|war\b|police|attacked",
    "science": r"scien|technolog|internet|climate|environment|vaccin|artificial",
    "religion": r"relig|god\b|pray|church|mosque|faith|spirit|worship",
    "trust": r"trust|confidence in|member|association|volunt|community",
    "participation": r"vot(e|ing|ed)|election|protest|demonstrat|petition|interest.*(politic|public)|party|campaign",
    "political_culture": r"democra|government|president|parliament|court|constitution|politic|leader|freedom|regime"
    r"|rule|law\b|media|left|right|ruling|tax|nation",
    "economy": r"econom|income|job|work|employ|poverty|business|market|money|price|food|water|cash|loan"
    r"|living conditions",
    "ethics": r"justif|moral|abortion|homosex|divorce|wrong|right to",
    "well_being": r"happ|satisf|life|health|feel|well.?being|stress",
    "social_values": r"women|men\b|wife|child|famil|marr|neighbo|important|respect|tradition|gender|ethnic|rac(e|ial)",
    "demographics": r"educat|age\b|occupation|house|marital|children|language|phone|own|electric|live|born|sex\b",
}
DOMAIN_WORDS = {name: re.compile(pattern, re.I) for name, pattern in DOMAINS.items()}

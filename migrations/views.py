"""Views that show a study's file with names instead of numbers, to Datasette, DBeaver or R.

A view that is changed gets a step of its own in `migrations`; its old text stays in `KNOWN`, since files from elsewhere
may hold it and hold no other view.
"""

_FIRST_TRIALS = """CREATE VIEW trials AS
SELECT score.id AS trial, model.name AS model, item.benchmark, item.part, item.item_id, item.grp AS item_group,
    persona.persona_id, persona.survey, persona.wave, persona.country,
    variant.format, variant.frame, variant.placement, variant.trait_order, variant.traits,
    score.rotation, score.replicate, score.status,
    item.record ->> ('$.choices[' || coalesce(chosen_by_probability, chosen_by_text) || ']') AS chosen,
    item.record ->> ('$.roles[' || coalesce(chosen_by_probability, chosen_by_text) || ']') AS role,
    score.value, score.expected, completion.answer, lower(hex(completion.key)) AS key, score.scorer
FROM score JOIN model ON model.id = score.model JOIN item ON item.id = score.item
LEFT JOIN persona ON persona.id = score.persona LEFT JOIN variant ON variant.id = score.variant
LEFT JOIN completion ON completion.id = score.completion"""

_FIRST_ANSWERS = """CREATE VIEW answers AS
SELECT lower(hex(completion.key)) AS key, model.name AS model, model.served, persona_text.text AS persona_prompt,
    item_text.text AS item_prompt, system_text.text AS system_prompt, completion.answer, completion.finish,
    completion.prompt_tokens, completion.completion_tokens, completion.reasoning_tokens, completion.cached_tokens,
    completion.micro_usd / 1e6 AS usd, completion.latency_ms / 1e3 AS seconds
FROM completion JOIN model ON model.id = completion.model
LEFT JOIN text AS persona_text ON persona_text.id = completion.persona_text
LEFT JOIN text AS item_text ON item_text.id = completion.item_text
LEFT JOIN text AS system_text ON system_text.id = completion.system_text"""

_FIRST_PEOPLE = """CREATE VIEW people AS
SELECT persona_id, survey, wave, country, subgroups ->> '$.gender' AS gender, subgroups ->> '$.age_band' AS age_band,
    weight, cluster, subgroups, answers FROM persona"""

FIRST_VIEWS = {"trials": _FIRST_TRIALS, "answers": _FIRST_ANSWERS, "people": _FIRST_PEOPLE}

# Words stand where a baseline has nothing: an empty cell of its own says neither that it is meant to be empty nor why.
_TRIALS = """CREATE VIEW trials AS
SELECT score.id AS trial, model.name AS model, item.benchmark, item.part, item.item_id, item.grp AS item_group,
    CASE WHEN score.persona = 0 THEN 'none' WHEN variant.format IN ('neutral', 'interview', 'memory', 'name')
        THEN variant.format ELSE 'description' END AS cue,
    CASE item.record ->> '$.ask' WHEN 'loglik' THEN 'log-likelihood' WHEN 'text' THEN 'free text'
        ELSE coalesce(item.record ->> '$.elicitation', 'letter') END AS elicitation,
    coalesce(persona.persona_id, 'none') AS persona_id, coalesce(persona.survey, 'none') AS survey,
    coalesce(persona.wave, 'none') AS wave, coalesce(persona.country, 'none') AS country,
    coalesce(variant.format, 'none') AS format, coalesce(variant.frame, 'none') AS frame,
    coalesce(variant.placement, 'none') AS placement,
    coalesce(CAST(variant.trait_order AS TEXT), 'none') AS trait_order,
    CASE WHEN json_array_length(variant.traits) > 8 THEN json_array_length(variant.traits) || ' traits ('
        || (SELECT group_concat(value, ', ') FROM json_each(variant.traits) WHERE key < 3) || ', …)'
        ELSE coalesce((SELECT group_concat(value, ', ') FROM json_each(variant.traits)), 'none') END AS traits,
    score.variant, score.rotation, score.replicate, score.status,
    item.record ->> ('$.choices[' || coalesce(chosen_by_probability, chosen_by_text) || ']') AS chosen,
    item.record ->> ('$.roles[' || coalesce(chosen_by_probability, chosen_by_text) || ']') AS role,
    score.value, score.expected, completion.answer, lower(hex(completion.key)) AS key, score.scorer
FROM score JOIN model ON model.id = score.model JOIN item ON item.id = score.item
LEFT JOIN persona ON persona.id = score.persona LEFT JOIN variant ON variant.id = score.variant
LEFT JOIN completion ON completion.id = score.completion"""

_ANSWERS = """CREATE VIEW answers AS
SELECT lower(hex(completion.key)) AS key, model.name AS model, model.served,
    coalesce(persona_text.text, 'none') AS persona_prompt, item_text.text AS item_prompt,
    coalesce(system_text.text, 'none') AS system_prompt, completion.answer, completion.finish,
    completion.prompt_tokens, completion.completion_tokens, completion.reasoning_tokens, completion.cached_tokens,
    completion.micro_usd / 1e6 AS usd, completion.latency_ms / 1e3 AS seconds
FROM completion JOIN model ON model.id = completion.model
LEFT JOIN text AS persona_text ON persona_text.id = completion.persona_text
LEFT JOIN text AS item_text ON item_text.id = completion.item_text
LEFT JOIN text AS system_text ON system_text.id = completion.system_text"""

_PEOPLE = """CREATE VIEW people AS
SELECT persona_id, survey, wave, country,
    coalesce(subgroups ->> '$.gender', (SELECT label FROM trait_label WHERE trait = 'gender'
        AND code = persona.answers ->> '$.gender'), '') AS gender,
    coalesce(subgroups ->> '$.age_band', '') AS age_band, weight, cluster, subgroups,
    (SELECT json_group_object(given.key, coalesce(trait_label.label, given.value))
        FROM json_each(persona.answers) AS given LEFT JOIN trait_label
        ON trait_label.trait = given.key AND trait_label.code = CAST(given.value AS TEXT)) AS answers,
    answers AS codes FROM persona"""

# Those whom a run selected: a plan makes rows of people who were never asked.
_ASKED_PEOPLE = f"""{_PEOPLE}
WHERE id IN (SELECT value FROM run, json_each(run.selection, '$.personas'))"""

LABELLED_VIEWS = {"trials": _TRIALS, "answers": _ANSWERS, "people": _PEOPLE}
VIEWS = {"trials": _TRIALS, "answers": _ANSWERS, "people": _ASKED_PEOPLE}
KNOWN = {name: {VIEWS[name], LABELLED_VIEWS[name], FIRST_VIEWS[name]} for name in VIEWS}

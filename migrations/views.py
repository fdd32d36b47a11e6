"""Views that show a study's file with names instead of numbers, to Datasette, DBeaver or R.

A view that is changed gets a step of its own in `migrations`; its old text stays in `VIEWS`, since files from elsewhere
may hold it and hold no other view.
"""

TRIALS = """CREATE VIEW trials AS
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

ANSWERS = """CREATE VIEW answers AS
SELECT lower(hex(completion.key)) AS key, model.name AS model, model.served, persona_text.text AS persona_prompt,
    item_text.text AS item_prompt, system_text.text AS system_prompt, completion.answer, completion.finish,
    completion.prompt_tokens, completion.completion_tokens, completion.reasoning_tokens, completion.cached_tokens,
    completion.micro_usd / 1e6 AS usd, completion.latency_ms / 1e3 AS seconds
FROM completion JOIN model ON model.id = completion.model
LEFT JOIN text AS persona_text ON persona_text.id = completion.persona_text
LEFT JOIN text AS item_text ON item_text.id = completion.item_text
LEFT JOIN text AS system_text ON system_text.id = completion.system_text"""

PEOPLE = """CREATE VIEW people AS
SELECT persona_id, survey, wave, country, subgroups ->> '$.gender' AS gender, subgroups ->> '$.age_band' AS age_band,
    weight, cluster, subgroups, answers FROM persona"""

VIEWS = {"trials": (TRIALS,), "answers": (ANSWERS,), "people": (PEOPLE,)}

"""Keys that are put together from parts are those of the whole canonical JSON."""

from pathlib import Path

import studies
from hypothesis import example, given
from hypothesis import strategies as st

from personas.prompt.messages import compose
from personas.prompt.render import Variant
from runner.backends.request import AnswerKind, ModelIdentity, digest, key_fields
from runner.crossing.prepare import prepared
from runner.crossing.request_keys import Form, PromptPrefix, encoded

TEXTS = st.text(st.characters(), max_size=40)  # surrogates, controls and quotes among them
VARIANTS = st.sampled_from([Variant(), Variant(format="prose-paper"), Variant(placement="system")])
KINDS = st.sampled_from([("text", ()), ("letters", ("A", "B", "C")), ("loglik", (" a “b”", ' \\"c'))])
END = '","role":"user"}]'  # of the messages, whatever they say


@given(TEXTS, TEXTS, TEXTS, VARIANTS, KINDS, st.integers(0, 20), st.sampled_from(["", "2"]))
@example(END, END, END, Variant(), ("text", ()), 0, "")
@example("", "", END, Variant(), ("text", ()), 0, "")
def test_a_key_from_parts_is_the_digest_of_the_whole(
    persona: str,
    question: str,
    system: str,
    variant: Variant,
    kind: tuple[AnswerKind, tuple[str, ...]],
    replicate: int,
    method: str,
) -> None:
    system = system or "Be brief."
    messages = compose(persona or None, question, system, variant)
    identity = ModelIdentity("p", "m", "r", "", {"temperature": 0, "stop": ['"']}, {kind[0]: method})
    whole = digest(key_fields(identity.fields(), messages, *kind, replicate, method))
    prefix, form = PromptPrefix(persona, system, variant), Form(*kind, identity, identity.parameters)
    assert prefix.key(form, encoded(question), replicate) == whole
    assert prefix.key(form, encoded(question), replicate + 1) != whole
    request = prefix.request(whole, form, question)
    assert request == (whole, messages, identity.parameters, *kind, persona)


def test_every_request_of_a_crossing_has_the_key_of_its_fields(tmp_path: Path) -> None:
    variants = {"elicitation": ["letter", "json", "reasoning"], "formats": ["prose", "prose-paper"], "traits": ["all"]}
    table = studies.model("http://127.0.0.1:1/v1", replicates=2, decoding={"max_tokens": 3, "temperature": 1})
    study = studies.load(tmp_path, [table], n=3, groups=3, variants=variants)
    with prepared(study) as ready:
        (asked_model,) = ready.crossing.models
        trials = list(ready.crossing.trials(asked_model))
        assert len({trial.key for trial in trials}) > 100
        for asked in trials:
            request = asked.request
            assert request is asked.request and request.key == asked.key
            identity = {**asked_model.identity.fields(), "parameters": dict(request.parameters)}
            kind, options = request.kind, request.options
            fields = key_fields(identity, request.messages, kind, options, asked.trial.replicate)
            assert request.key == digest(fields)
            assert ready.crossing.asked(asked_model, asked.trial).key == asked.key

"""Keys that are put together from parts are those of the whole canonical JSON."""

from collections.abc import Sequence
from pathlib import Path

import studies
from hypothesis import given
from hypothesis import strategies as st

from personas.prompt.messages import Message, compose
from personas.prompt.render import Variant
from runner.backends.request import AnswerKind, ModelIdentity, digest, key_fields
from runner.crossing.prepare import prepared
from runner.crossing.request_keys import KEPT, MARK, Envelopes, Form, encoded, key_of

TEXTS = st.text(st.characters(), max_size=40)  # surrogates, controls and quotes among them
VARIANTS = st.sampled_from([Variant(), Variant(format="prose-paper"), Variant(placement="system")])
KINDS = st.sampled_from([("text", ()), ("letters", ("A", "B", "C")), ("loglik", (" a “b”", ' \\"c'))])


@given(TEXTS, TEXTS, TEXTS, VARIANTS, KINDS, st.integers(0, 20), st.sampled_from(["", "2"]))
def test_a_key_from_parts_is_the_digest_of_the_whole(
    persona: str,
    question: str,
    system: str,
    variant: Variant,
    kind: tuple[AnswerKind, tuple[str, ...]],
    replicate: int,
    method: str,
) -> None:
    def messages(text: str) -> Sequence[Message]:
        return compose(persona or None, text, system or "Be brief.", variant)

    identity = ModelIdentity("p", "m", "r", "", {"temperature": 0, "stop": ['"']}, {kind[0]: method})
    whole = digest(key_fields(identity.fields(), messages(question), *kind, replicate, method))
    envelope = Envelopes().around("", messages)
    assert envelope is not None
    form = Form(*kind, identity, identity.parameters)
    assert key_of(form.frame(replicate), envelope, encoded(question)) == whole


def test_a_persona_that_says_the_mark_is_not_taken_for_the_question() -> None:
    assert Envelopes().around("", lambda text: compose(f"I am {MARK}.", text, "", Variant())) is None


def test_envelopes_do_not_grow() -> None:
    kept = Envelopes()
    for number in range(3 * KEPT):
        kept.around(number, lambda text: compose("I am old.", text, "", Variant()))
    assert len(kept._kept) <= KEPT


def test_every_request_of_a_crossing_has_the_key_of_its_fields(tmp_path: Path) -> None:
    variants = {"elicitation": ["letter", "json", "reasoning"], "formats": ["prose", "prose-paper"], "traits": ["all"]}
    table = studies.model("http://127.0.0.1:1/v1", replicates=2, decoding={"max_tokens": 3, "temperature": 1})
    study = studies.load(tmp_path, [table], n=3, groups=3, variants=variants)
    with prepared(study) as ready:
        (asked_model,) = ready.crossing.models
        trials = list(ready.crossing.trials(asked_model))
        assert len({trial.request.key for trial in trials}) > 100
        for asked in trials:
            request = asked.request
            identity = {**asked_model.identity.fields(), "parameters": dict(request.parameters)}
            kind, options = request.kind, request.options
            fields = key_fields(identity, request.messages, kind, options, asked.trial.replicate)
            assert request.key == digest(fields)

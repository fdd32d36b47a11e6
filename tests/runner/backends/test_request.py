"""The request key: what it is made of is a promise to every file that exists."""

from hypothesis import given
from hypothesis import strategies as st

from runner.backends.request import ModelIdentity, canonical, digest, key_fields

IDENTITY = ModelIdentity("openai", "gpt-4o-mini", "", "", {"temperature": 0.7, "max_tokens": 3})
MESSAGES = [{"role": "user", "content": "Wer, wie, was? ✓"}]


def test_the_key_of_a_known_request_never_changes() -> None:
    fields = key_fields(IDENTITY.fields(), MESSAGES, "letters", ("A", "B"), 0)
    assert canonical(fields).decode() == (
        '{"answer":{"kind":"letters","options":["A","B"]},"messages":[{"content":"Wer, wie, was? ✓","role":"user"}],'
        '"model":"gpt-4o-mini","parameters":{"max_tokens":3,"temperature":0.7},"provider":"openai","replicate":0,"schema":1}'
    )
    assert digest(fields).hex() == "50b18345a8d547032c7ea8203b1994f238138c45873558c4d01786c4b5b98c3b"


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.booleans()))
def test_the_order_of_parameters_does_not_matter(parameters: dict[str, object]) -> None:
    reversed_order = dict(reversed(parameters.items()))
    assert digest(parameters) == digest(reversed_order)


def test_every_field_is_part_of_the_key() -> None:
    def key(**changes: object) -> bytes:
        known = {"provider": "p", "model": "m", "revision": "r", "dtype": "d", "parameters": {}}
        fields = {name: changes.get(name, value) for name, value in known.items()}
        identity = ModelIdentity(**fields)  # type: ignore[arg-type]
        return digest(
            key_fields(
                identity.fields(),
                changes.get("messages", MESSAGES),  # type: ignore[arg-type]
                changes.get("kind", "text"),  # type: ignore[arg-type]
                changes.get("options", ()),  # type: ignore[arg-type]
                changes.get("replicate", 0),  # type: ignore[arg-type]
                changes.get("method", ""),  # type: ignore[arg-type]
            )
        )

    changed = [
        key(provider="q"),
        key(model="n"),
        key(revision="s"),
        key(dtype="e"),
        key(parameters={"seed": 1}),
        key(messages=[{"role": "system", "content": "Wer, wie, was? ✓"}]),
        key(kind="letters"),
        key(options=("A",)),
        key(replicate=1),
        key(method="2"),
    ]
    assert len({key(), *changed}) == 11
    assert key(method="") == key(), "answers that are computed as before keep their keys"

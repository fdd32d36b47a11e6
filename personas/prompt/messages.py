"""The chat messages of a trial."""

from personas.errors import InputError
from personas.prompt.render import Variant

Message = dict[str, str]


def compose(persona_text: str | None, question: str, system: str, variant: Variant) -> list[Message]:
    """The chat messages of a trial: [{"role": ..., "content": ...}], a system message first where there is one.

    `persona_text` None (or "") is the baseline: the same messages without the persona, hence also the same system
    message, and without the literal marks [PERSONA] and [PROMPT] of `prose-paper`. The question ends the last message.

    Raises InputError where the persona belongs into the system message and the study gives no system text to put it
    after: a chat template would put a text of its own into the baseline.
    """
    if variant.placement == "system" and not system:
        raise InputError(
            '[variants] placements: "system" needs a system text that the baseline is sent too: set [variants] system'
        )
    if persona_text and variant.format == "prose-paper":
        question = f"[PROMPT] {question}"
    if persona_text and variant.placement == "system":
        system = f"{system}\n{persona_text}"
    elif persona_text:
        question = f"{persona_text}\n{question}"
    messages = [{"role": "system", "content": system}] if system else []
    return [*messages, {"role": "user", "content": question}]

"""How an answer ended, whatever its provider calls that."""

from runner.backends.errors import BrokenOff
from runner.backends.request import Usage

UNNAMED = ""  # the ending of a reply that names none

_STOP = ("stop", "eos", "eos_token", "stop_sequence", "end_turn", "complete")
_LENGTH = ("length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded")
_DECLINED = (
    "content_filter content_filtered refusal safety image_safety prohibited_content blocklist recitation spii "
    "sensitive guardrail_intervened"
).split()
_UNNAMED = ("", "finish_reason_unspecified")
_ENDINGS = (
    dict.fromkeys(_STOP, "stop")
    | dict.fromkeys(_LENGTH, "length")
    | dict.fromkeys(_DECLINED, "content_filter")
    | dict.fromkeys(_UNNAMED, UNNAMED)
)


def ending(reason: str, usage: Usage, why: str = "") -> str:
    """How a reply ended: "stop", "length", "content_filter", or UNNAMED where it does not say.

    Raises BrokenOff for any other reason: what there is of such an answer is not all of it. `why` is what the provider
    says of it.
    """
    found = _ENDINGS.get(reason.lower())
    if found is None:
        raise BrokenOff(f"200, but the answer was broken off ({reason}{': ' if why else ''}{why})", usage)
    return found

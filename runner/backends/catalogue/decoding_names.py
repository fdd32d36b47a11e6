"""The names that `decoding` may hold, by what is asked, and what no model of a provider's is asked."""

from collections.abc import Mapping
from typing import Any

IMPORTED = "imported"  # the backend of answers that come from the logs of another tool
MARK = "(imported)"  # what the name of such a model ends in, so that every table says it
LEAST_BUDGET = 1024  # tokens that a model of Anthropic's may think with, where they are bounded

CHAT = (
    "temperature top_p max_tokens max_completion_tokens presence_penalty frequency_penalty seed stop logit_bias "
    "logprobs top_logprobs reasoning_effort response_format service_tier verbosity metadata store user "
    "safety_identifier prompt_cache_key prompt_cache_options prompt_cache_retention "
    "modalities prediction moderation extra_body"
)
# vLLM, SGLang, llama.cpp, Ollama, TGI, TensorRT-LLM and routers, beside OpenAI's own
SERVERS = (
    "top_k min_p top_a typical_p tfs_z repetition_penalty length_penalty no_repeat_ngram_size min_tokens "
    "stop_token_ids ignore_eos include_stop_str_in_output skip_special_tokens spaces_between_special_tokens bad_words "
    "truncate_prompt_tokens add_generation_prompt continue_final_message add_special_tokens chat_template "
    "chat_template_kwargs documents mm_processor_kwargs structured_outputs guided_json guided_regex guided_choice "
    "guided_grammar guided_decoding_backend grammar json_schema regex priority cache_salt return_token_ids "
    "return_tokens_as_token_ids prompt_logprobs allowed_token_ids use_beam_search beam_width separate_reasoning "
    "thinking enable_thinking thinking_budget reasoning thinking_token_budget include_reasoning provider route "
    "transforms models plugins safe_prompt random_seed safety_settings mirostat mirostat_tau mirostat_eta "
    "repeat_penalty repeat_last_n num_ctx num_predict keep_alive options cache_prompt n_probs n_predict n_keep "
    "id_slot samplers dynatemp_range dynatemp_exponent xtc_probability xtc_threshold dry_multiplier "
    "dry_base dry_allowed_length"
)
GEMINI = (
    "temperature top_p top_k max_tokens max_output_tokens stop_sequences presence_penalty frequency_penalty seed "
    "response_mime_type response_schema response_json_schema response_modalities response_logprobs logprobs "
    "thinking_config safety_settings labels media_resolution service_tier model_selection_config "
    "model_armor_config routing_config enable_enhanced_civic_answers"
)
# what is priced otherwise (speed, inference_geo) is not among them
ANTHROPIC = "temperature top_p top_k max_tokens stop_sequences thinking output_config metadata service_tier"
LOCAL = "temperature top_p max_tokens max_completion_tokens seed stop logprobs top_logprobs"


def check_imported(name: str, answer: str, decoding: Mapping[str, Any]) -> None:
    """Raises ValueError, in a sentence, for what no model has whose answers come from logs."""
    if not name.endswith(MARK):
        raise ValueError(f'answers from logs are distinguished by the name; call it "{name} {MARK}"')
    if answer != "text":
        raise ValueError("logs hold texts and log-likelihoods, no letter probabilities; set answer = 'text'")


def check_claude(name: str, answer: str, decoding: Mapping[str, Any]) -> None:
    """Raises ValueError, in a sentence, for what no model of Anthropic's is asked."""
    if answer == "probabilities":
        raise ValueError("Claude shows no log-probabilities, which answer = 'probabilities' needs; set answer = 'text'")
    most = decoding.get("max_tokens")
    if most is None:
        raise ValueError("Anthropic's API needs the most tokens of an answer; set decoding.max_tokens")
    thinking = decoding.get("thinking")
    if thinking is None:
        return
    if not isinstance(thinking, Mapping) or not isinstance(thinking.get("type"), str):
        raise ValueError("decoding.thinking is a table, such as { type = 'adaptive' } or { type = 'disabled' }")
    if thinking["type"] == "enabled":  # anthropic.types.ThinkingConfigEnabledParam has the bounds
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or not LEAST_BUDGET <= budget < most:
            raise ValueError(
                f"decoding.thinking: type = 'enabled' needs budget_tokens of {LEAST_BUDGET} or more, and a greater "
                "decoding.max_tokens"
            )

"""Small tokenizers, trained on a few sentences, built as those of Llama, Mistral, Gemma and Qwen are."""

from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

TEXT = [
    "What is the capital of France? Paris. What is the capital of Norway? Oslo. Rome, Bern and Quito are capitals.",
    "Answer: A\nAnswer: B\nAnswer: C\nQ: Is it true?\nA: Yes, it is\nA: No, it is not  so. only A only B only C",
]
SPECIALS = ["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>"]
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CHATML = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def tokenizer(kind: str, template: Any = None) -> Any:
    """llama: SentencePiece's dummy prefix and a BOS; mistral: the prefix once, only the BOS of its template; gemma:
    spaces as ▁ and no prefix, a BOS; qwen: byte-level, neither BOS nor prefix."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=kind != "qwen"))
    if kind == "qwen":
        split = pre_tokenizers.Split(Regex(QWEN), "isolated")
        made.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
        made.decoder = decoders.ByteLevel()
        alphabet, specials = pre_tokenizers.ByteLevel.alphabet(), SPECIALS
    else:
        if kind == "llama":
            steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
            made.normalizer = normalizers.Sequence(steps)
        elif kind == "gemma":
            made.normalizer = normalizers.Replace(" ", "▁")
        if kind == "mistral":
            made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        made.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
        alphabet, specials = ["▁"], [*SPECIALS, *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(
        vocab_size=620, special_tokens=specials, initial_alphabet=alphabet, max_token_length=8
    )
    # SentencePiece learns from words, each behind its space; a newline is a byte to it
    words = [f"▁{word}" for text in TEXT for word in text.split()]
    made.train_from_iterator(TEXT if kind == "qwen" else words, trainer)
    if kind in ("llama", "gemma"):
        made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    bos = {} if kind == "qwen" else {"bos_token": "<s>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="</s>", unk_token="<unk>", chat_template=template, **bos
    )

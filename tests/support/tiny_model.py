"""A model that is made in a second: random weights, and a tokenizer made of a text."""

from pathlib import Path
from typing import Any


def save_tiny_model(folder: Path, text: str) -> None:
    """Save a made-up model whose letters differ in probability, and a tokenizer made of this text.

    Most of the probability is on other tokens: a pilot would stop it.
    """
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=1000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(text.splitlines(), trainer)
    kept: Any = PreTrainedTokenizerFast
    kept(tokenizer_object=tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    sizes |= {"vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": 4096}
    LlamaForCausalLM(LlamaConfig(initializer_range=0.3, **sizes)).save_pretrained(folder)

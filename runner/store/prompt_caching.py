"""What the providers' prompt caches did."""

import sqlite3
from dataclasses import dataclass

from runner.backends.request import Usage


@dataclass
class Caching:
    """What the providers' caches did: of the prompts' tokens, those read from the cache, and what that saved."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    saved_micro_usd: int = 0

    def add(self, usage: Usage, saved: int) -> None:
        """Count an answer."""
        if usage.prompt_tokens is None:
            return
        self.prompt_tokens += usage.prompt_tokens
        self.cached_tokens += usage.cached_tokens
        self.saved_micro_usd += saved

    def sentence(self) -> str:
        """In words; "" where nothing was cached."""
        if not self.cached_tokens:
            return ""
        share, saved = self.cached_tokens / self.prompt_tokens, self.saved_micro_usd / 1e6
        return f"{share:.0%} of the prompts' tokens came from the provider's cache, which saved ${saved:.4f}"


def caching(connection: sqlite3.Connection, model: int | None = None) -> Caching:
    """What the caches did to the answers in a file, of one model or of all."""
    sums = "sum(prompt_tokens), sum(cached_tokens), sum(saved_micro_usd)"
    sql = f"SELECT {sums} FROM completion WHERE ? IS NULL OR model = ?"
    return Caching(*(int(each or 0) for each in connection.execute(sql, (model, model)).fetchone()))
